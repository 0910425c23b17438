"""StyleGAN2 (rows a and b)."""
from .discriminator import StyleGAN2Discriminator
from .generator import StyleGAN2Generator

__all__ = ['StyleGAN2Discriminator', 'StyleGAN2Generator']
