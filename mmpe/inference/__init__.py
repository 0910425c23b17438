"""Trained models and photographs as plain Python objects."""
from .layout import LayoutEdit
from .loading import load
from .patch_diffusion import PatchSampler
from .photograph import PhotographSampler
from .singan import SinGANSampler
from .stylegan2 import StyleGAN2Sampler

__all__ = [
    'LayoutEdit', 'PatchSampler', 'PhotographSampler', 'SinGANSampler',
    'StyleGAN2Sampler', 'load'
]
