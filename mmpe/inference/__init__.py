"""Trained models, from a config and a checkpoint, as plain Python objects."""
from .layout import LayoutEdit
from .loading import load
from .singan import SinGANSampler
from .stylegan2 import StyleGAN2Sampler

__all__ = ['LayoutEdit', 'SinGANSampler', 'StyleGAN2Sampler', 'load']
