"""Optimisers."""
from .adam import Adam
from .amp_optimizer_wrapper import BFloat16OptimWrapper
from .singan_optimizer_constructor import SinGANOptimWrapperConstructor

__all__ = ['Adam', 'BFloat16OptimWrapper', 'SinGANOptimWrapperConstructor']
