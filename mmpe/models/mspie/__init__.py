"""What multi-scale training adds to StyleGAN2 (rows c to k)."""
from .discriminator import MSStyleGAN2Discriminator
from .generator import MSStyleGANv2Generator
from .model import MSPIEStyleGAN2
from .scales import ScaleSampler, chosen_scale_for, output_size

__all__ = [
    'MSPIEStyleGAN2', 'MSStyleGAN2Discriminator', 'MSStyleGANv2Generator',
    'ScaleSampler', 'chosen_scale_for', 'output_size'
]
