"""Discriminator of SinGAN."""
from typing import Optional

import torch.nn as nn
from mmengine.model import BaseModule
from torch import Tensor

from mmpe.registry import MODELS
from .blocks import DiscriminatorBlock, copy_previous_block, stage_channels

__all__ = ['SinGANMultiScaleDiscriminator']


@MODELS.register_module()
class SinGANMultiScaleDiscriminator(BaseModule):
    """One patch discriminator per scale (SinGAN, Multi-scale architecture).

    Args:
        in_channels: Input channels.
        num_scales: Index of the finest scale, counted from zero.
        kernel_size: Kernel size of all convolutions.
        padding: Padding of all convolutions.
        num_layers: Number of convolutions per scale.
        base_channels: Channels at the first four scales.
        min_feat_channels: Lower bound on the channels at the first scales.
        init_cfg: As for mmengine's ``BaseModule``.
        double_channels: Double the channels every four scales.
        kwargs: Further arguments of each scale's stack, such as ``norm_cfg``
            (None for no normalisation).
    """

    def __init__(self,
                 in_channels: int,
                 num_scales: int,
                 kernel_size: int = 3,
                 padding: int = 0,
                 num_layers: int = 5,
                 base_channels: int = 32,
                 min_feat_channels: int = 32,
                 init_cfg: Optional[dict] = None,
                 *,
                 double_channels: bool = True,
                 **kwargs) -> None:
        super().__init__(init_cfg=init_cfg)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(
                in_channels,
                kernel_size=kernel_size,
                padding=padding,
                num_layers=num_layers,
                **stage_channels(base_channels, min_feat_channels, stage,
                                 double_channels),
                **kwargs) for stage in range(num_scales + 1))

    def forward(self, x: Tensor, curr_scale: int) -> Tensor:
        """Score images at one scale.

        Args:
            x: Images (N, C, H, W) in [-1, 1].
            curr_scale: Index of the scale.

        Returns:
            Scores (N, 1, H', W'), larger for real patches.
        """
        return self.blocks[curr_scale](x)

    def check_and_load_prev_weight(self, curr_scale: int) -> bool:
        """Initialise a scale with the previous one's weights, if they fit."""
        return copy_previous_block(self.blocks, curr_scale)
