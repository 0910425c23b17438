"""Optimisers."""
from .singan_optimizer_constructor import SinGANOptimWrapperConstructor

__all__ = ['SinGANOptimWrapperConstructor']
