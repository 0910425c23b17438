"""What multi-scale training adds to StyleGAN2 (rows c to k)."""
from .discriminator import MSStyleGAN2Discriminator
from .generator import MSStyleGANv2Generator

__all__ = ['MSStyleGAN2Discriminator', 'MSStyleGANv2Generator']
