"""How a generator makes room for its unpadded convolutions (one class each).

What is put around the image decides how much a translation-invariant network
learns about absolute position (paper, Sec. 3).
"""
from typing import Tuple

import torch.nn.functional as F
from torch import Tensor

__all__ = ['BorderPadding', 'InterpolationPadding', 'NoPadding', 'upsample']


def upsample(x: Tensor, size: Tuple[int, int]) -> Tensor:
    """Bicubic resize to (H, W) with aligned corners, as between stages."""
    return F.interpolate(x, size, mode='bicubic', align_corners=True)


class NoPadding:
    """Leaves the map as it is: the convolutions pad."""

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        return x


class BorderPadding:
    """Adds a border of zeros or of mirrored content.

    Args:
        width: Width of the border in cells.
        mode: 'constant' (zeros) or 'reflect'.
    """

    def __init__(self, width: int, mode: str = 'constant') -> None:
        self.width = width
        self.mode = mode

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H + 2 width, W + 2 width)."""
        return F.pad(x, (self.width, ) * 4, mode=self.mode)


class InterpolationPadding:
    """Enlarges the map by interpolation, which adds no border at all.

    Args:
        width: Cells that are added on each side.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H + 2 width, W + 2 width)."""
        height, width = x.shape[-2:]
        return upsample(x, (height + 2 * self.width, width + 2 * self.width))
