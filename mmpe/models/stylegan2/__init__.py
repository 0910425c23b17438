"""StyleGAN2 (rows a and b)."""
from .discriminator import StyleGAN2Discriminator
from .generator import StyleGAN2Generator
from .model import StyleGAN2

__all__ = ['StyleGAN2', 'StyleGAN2Discriminator', 'StyleGAN2Generator']
