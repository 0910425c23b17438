"""Multi-scale discriminator of MS-PIE (rows c to k)."""
from typing import Optional, Sequence, Tuple

from torch import Tensor, nn

from mmpe.models.stylegan2.discriminator import BaseStyleDiscriminator
from mmpe.registry import MODELS

__all__ = ['MSStyleGAN2Discriminator']


@MODELS.register_module()
class MSStyleGAN2Discriminator(BaseStyleDiscriminator):
    """Discriminator for images of any size, by adaptive pooling.

    Args:
        in_size: Size of images at the base scale, a power of 2 from 8 to
            1024.
        channel_multiplier: Factor on the channels from 64 x 64 on.
        blur_kernel: Taps of the filters.
        mbstd_cfg: Arguments of the minibatch standard deviation.
        with_adaptive_pool: Average the last map to ``pool_size``; needed for
            images of other sizes than ``in_size``.
        pool_size: Height and width after pooling.
        width: Factor on all channels, for smaller networks.
        img_channels: Channels of images.
    """

    def __init__(self,
                 in_size: int,
                 channel_multiplier: float = 2,
                 blur_kernel: Sequence[float] = (1, 3, 3, 1),
                 mbstd_cfg: Optional[dict] = None,
                 with_adaptive_pool: bool = False,
                 pool_size: Tuple[int, int] = (2, 2),
                 width: float = 1.,
                 img_channels: int = 3) -> None:
        super().__init__(
            in_size,
            img_channels,
            channel_multiplier=channel_multiplier,
            blur_kernel=blur_kernel,
            mbstd_cfg=mbstd_cfg,
            final_size=pool_size if with_adaptive_pool else (4, 4),
            width=width)
        if with_adaptive_pool:
            self.adaptive_pool = nn.AdaptiveAvgPool2d(self.final_size)

    def pool(self, x: Tensor) -> Tensor:
        """Bring the last map to the size that the linear layers take."""
        if hasattr(self, 'adaptive_pool'):
            return self.adaptive_pool(x)
        return super().pool(x)
