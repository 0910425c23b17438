"""Networks with a stack of convolutions per scale."""
from typing import Any, Callable, Optional, Tuple

import torch.nn as nn
from mmengine.model import BaseModule

from mmpe.registry import MODELS, build_from
from mmpe.utils.wrappers import unwrap
from .blocks import ConvStack, copy_previous_block, stage_channels

__all__ = ['MultiScaleNetwork', 'build_scales']


class MultiScaleNetwork(BaseModule):
    """One stack per scale (SinGAN, Multi-scale architecture).

    Args:
        make_block: Makes the stack of a scale from the scale's index and
            arguments of :class:`.ConvStack`.
        num_scales: Index of the finest scale, counted from zero.
        kernel_size: Kernel size of all convolutions.
        padding: Zero padding of all convolutions.
        num_layers: Number of convolutions per scale.
        base_channels: Channels at the first four scales.
        min_feat_channels: Lower bound on the channels at the first scales.
        init_cfg: As for mmengine's ``BaseModule``.
        double_channels: Double the channels every four scales.
        kwargs: Further arguments of each scale's stack, such as ``norm_cfg``
            (None for no normalisation) and those of ``mmcv.cnn.ConvModule``.
    """

    def __init__(self,
                 make_block: Callable[..., ConvStack],
                 num_scales: int,
                 kernel_size: int = 3,
                 padding: int = 0,
                 num_layers: int = 5,
                 base_channels: int = 32,
                 min_feat_channels: int = 32,
                 *,
                 init_cfg: Optional[dict] = None,
                 double_channels: bool = True,
                 **kwargs) -> None:
        super().__init__(init_cfg=init_cfg)
        self.blocks = nn.ModuleList(
            make_block(
                stage,
                kernel_size=kernel_size,
                padding=padding,
                num_layers=num_layers,
                **stage_channels(base_channels, min_feat_channels, stage,
                                 double_channels),
                **kwargs) for stage in range(num_scales + 1))

    def check_and_load_prev_weight(self, curr_scale: int) -> bool:
        """Initialise a scale with the previous one's weights, if they fit."""
        return copy_previous_block(self.blocks, curr_scale)


def build_scales(model: Any,
                 num_scales: Optional[int]) -> Tuple[nn.Module, int]:
    """Build a network for a number of scales, which must be known.

    Args:
        model: The network, or its config.
        num_scales: Index of the finest scale; None for the network's own.

    Returns:
        The network and its ``num_scales``.

    Raises:
        ValueError: ``num_scales`` is missing or inconsistent.
    """
    if isinstance(model, dict):
        own = model.get('num_scales')
        model = {
            **model, 'num_scales': num_scales if own is None else own
        }
        if model['num_scales'] is None:
            raise ValueError(
                '`num_scales` follows from the photograph, but is not set: '
                'train with tools/train.py, which computes it, or call '
                '`mmpe.engine.fit_to_photograph(cfg)` first.')
        model = build_from(MODELS, model)
    own = len(unwrap(model).blocks) - 1
    if num_scales is not None and own != num_scales:
        raise ValueError('Argument `num_scales` must be the same everywhere, '
                         f'but got {num_scales} for the model and {own} for '
                         f'{type(unwrap(model)).__name__}.')
    return model, own
