"""Discriminator of SinGAN."""
from torch import Tensor

from mmpe.registry import MODELS
from .blocks import DiscriminatorBlock
from .multi_scale import MultiScaleNetwork

__all__ = ['SinGANMultiScaleDiscriminator']


@MODELS.register_module()
class SinGANMultiScaleDiscriminator(MultiScaleNetwork):
    """One patch discriminator per scale.

    Args:
        in_channels: Input channels.
        num_scales: Index of the finest scale, counted from zero.
        args, kwargs: As for :class:`.MultiScaleNetwork`, in its order.
    """

    def __init__(self, in_channels: int, num_scales: int, *args,
                 **kwargs) -> None:

        def make_block(stage: int, **options) -> DiscriminatorBlock:
            return DiscriminatorBlock(in_channels, **options)

        super().__init__(make_block, num_scales, *args, **kwargs)

    def forward(self, x: Tensor, curr_scale: int) -> Tensor:
        """Score images at one scale.

        Args:
            x: Images (N, C, H, W) in [-1, 1].
            curr_scale: Index of the scale.

        Returns:
            Scores (N, 1, H', W'), larger for real patches.
        """
        return self.blocks[curr_scale](x)
