"""Heads, which make the first feature map at any number of extra cells.

They are not modules: the generator owns parameters and buffers, under their
names in checkpoints.
"""
from typing import Any, Tuple

from torch import Tensor

from mmpe.functional.resample import resize_bilinear
from mmpe.models.layers.positional_encoding import grid_channels
from mmpe.models.stylegan2.generator import ConstantInput

__all__ = ['ConstantHead', 'EncodingHead', 'ResizedEncodingHead']

Size = Tuple[int, int]


class ConstantHead:
    """Learned constant, resized to the input size (rows c and h).

    Args:
        constant: Learned constant at the base scale.
    """

    def __init__(self, constant: ConstantInput) -> None:
        self.constant = constant
        height, width = constant.input.shape[-2:]
        self.size = height, width
        self.num_channels = constant.input.shape[1]

    def first_map(self, size: Size) -> Tensor:
        """The constant at the given size, (1, C, H, W)."""
        return resize_bilinear(self.constant.input, size)


class EncodingHead:
    """Positional encoding made at the input size (rows d, f, g, i and k).

    Args:
        encoding: CSG, SPE or a custom module.
        size: Height and width at the base scale.
        num_channels: Number of channels of an encoding without
            ``make_grid2d``.
    """

    def __init__(self, encoding: Any, size: Size,
                 num_channels: int) -> None:
        self.encoding = encoding
        height, width = size
        self.size = height, width
        self.num_channels = grid_channels(encoding, num_channels)

    def first_map(self, size: Size) -> Tensor:
        """The encoding at the given size, (1, C, H, W)."""
        return self.encoding.make_grid2d(*size)


class ResizedEncodingHead(EncodingHead):
    """Positional encoding made at the base scale and resized (rows e, j)."""

    def first_map(self, size: Size) -> Tensor:
        """The resized encoding, (1, C, H, W)."""
        return resize_bilinear(super().first_map(self.size), size)
