"""SinGAN, with implicit and explicit positional encoding."""
from .context_generator import SinGANContextGenerator
from .context_singan import ContextSinGAN
from .discriminator import SinGANMultiScaleDiscriminator
from .generator import SinGANMSGeneratorPE, SinGANMultiScaleGenerator
from .objectives import EditedLayouts, WholeImages
from .singan import PESinGAN, SinGAN

__all__ = [
    'ContextSinGAN', 'EditedLayouts', 'PESinGAN', 'SinGAN',
    'SinGANContextGenerator', 'SinGANMSGeneratorPE',
    'SinGANMultiScaleDiscriminator', 'SinGANMultiScaleGenerator',
    'WholeImages'
]
