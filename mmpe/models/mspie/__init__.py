"""MS-PIE: multi-scale training of StyleGAN2 (rows c to k)."""
from .context_generator import MSContextStyleGANv2Generator
from .context_model import ContextMSPIEStyleGAN2
from .discriminator import MSStyleGAN2Discriminator
from .generator import MSStyleGANv2Generator
from .model import MSPIEStyleGAN2
from .scales import ScaleSampler, chosen_scale_for, output_size

__all__ = [
    'ContextMSPIEStyleGAN2', 'MSContextStyleGANv2Generator', 'MSPIEStyleGAN2',
    'MSStyleGAN2Discriminator', 'MSStyleGANv2Generator', 'ScaleSampler',
    'chosen_scale_for', 'output_size'
]
