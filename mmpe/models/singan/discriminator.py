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
    """One patch discriminator for each scale (SinGAN, Sec. 3.1).

    Args:
        in_channels: Input channels.
        num_scales: Index of the finest stage, counted from zero.
        kernel_size: Kernel size of every convolution.
        padding: Padding of every convolution.
        num_layers: Convolutions in each stage.
        base_channels: Channels of the first four stages.
        min_feat_channels: Lower bound of the channels of the first stages.
        init_cfg: As for mmengine's ``BaseModule``.
        double_channels: Whether channels double every four stages.
        kwargs: Further arguments of the stages, among them ``norm_cfg``
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
        """Judge images at one scale.

        Args:
            x: Images (N, C, H, W) in [-1, 1].
            curr_scale: Index of the scale.

        Returns:
            Scores (N, 1, H', W'), larger for real patches.
        """
        return self.blocks[curr_scale](x)

    def check_and_load_prev_weight(self, curr_scale: int) -> bool:
        """Start a stage from the weights of the one before, if they fit."""
        return copy_previous_block(self.blocks, curr_scale)
