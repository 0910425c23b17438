"""MMagic's DCGAN as it can be trained."""
from mmagic.models.editors.dcgan import DCGANDiscriminator as Base
from torch import nn

from mmpe.registry import MODELS

__all__ = ['DCGANDiscriminator']


@MODELS.register_module()
class DCGANDiscriminator(Base):
    """MMagic's, whose ``init_weights`` stops at a variable without a value.

    Args:
        args, kwargs: As for MMagic's.
    """

    def init_weights(self) -> None:
        """Weights as in the paper (Radford et al., ICLR 2016)."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.02)
                nn.init.zeros_(module.bias)
