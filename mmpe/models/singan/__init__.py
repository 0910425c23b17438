"""SinGAN, with implicit and explicit positional encoding."""
from .discriminator import SinGANMultiScaleDiscriminator
from .generator import SinGANMSGeneratorPE, SinGANMultiScaleGenerator
from .objectives import WholeImages
from .singan import PESinGAN, SinGAN

__all__ = [
    'PESinGAN', 'SinGAN', 'SinGANMSGeneratorPE',
    'SinGANMultiScaleDiscriminator', 'SinGANMultiScaleGenerator',
    'WholeImages'
]
