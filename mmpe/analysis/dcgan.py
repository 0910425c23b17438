"""MMagic's DCGAN with a working initialisation."""
from mmagic.models.editors.dcgan import DCGANDiscriminator as Base
from torch import nn

from mmpe.registry import MODELS

__all__ = ['DCGANDiscriminator']


@MODELS.register_module()
class DCGANDiscriminator(Base):
    """MMagic's discriminator; its own ``init_weights`` raises an error.

    Args:
        args, kwargs: As for MMagic's ``DCGANDiscriminator``.
    """

    def init_weights(self) -> None:
        """Initialise weights as in the paper (Radford et al., ICLR 2016)."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.02)
                nn.init.zeros_(module.bias)
