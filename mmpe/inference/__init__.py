"""Trained models, from a config and a checkpoint, as plain Python objects."""
from .loading import load
from .singan import SinGANSampler
from .stylegan2 import StyleGAN2Sampler

__all__ = ['SinGANSampler', 'StyleGAN2Sampler', 'load']
