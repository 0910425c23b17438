"""Sampling from trained models and from photographs."""
from .context_singan import ContextSinGANSampler
from .edits import parse_edits, read_edits, write_edits
from .layout import LayoutEdit
from .loading import load
from .patch_diffusion import PatchSampler
from .photograph import PhotographSampler
from .singan import SinGANSampler
from .stylegan2 import StyleGAN2Sampler

__all__ = [
    'ContextSinGANSampler', 'LayoutEdit', 'PatchSampler', 'PhotographSampler',
    'SinGANSampler', 'StyleGAN2Sampler', 'load', 'parse_edits', 'read_edits',
    'write_edits'
]
