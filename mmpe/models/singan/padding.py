"""Padding policies, which make room for a generator's unpadded convolutions.

The content of the border decides how much a translation-invariant network
learns about absolute position (paper, Sec. 3). Each policy pads a whole map,
or computes a window of the padded map from windows of the map.
"""
from typing import Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.upsample import ReadWindow, upsample, upsample_window

__all__ = [
    'BorderPadding', 'InterpolationPadding', 'NoPadding', 'Padding',
    'input_padding'
]

Size = Tuple[int, int]


def _span(index: Tensor) -> range:
    return range(int(index.min()), int(index.max()) + 1)


class NoPadding:
    """Leaves the map unchanged; the convolutions pad."""

    width = 0

    def __call__(self, x: Tensor) -> Tensor:
        """Return (N, C, H, W) unchanged."""
        return x

    def window(self, read: ReadWindow, size: Size, rows: range,
               cols: range) -> Tensor:
        """The same window of the map."""
        return read(rows, cols)


class BorderPadding:
    """Adds a border of zeros or of reflected content.

    Args:
        width: Width of the border in cells.
        mode: 'constant' (zeros) or 'reflect'.
    """

    def __init__(self, width: int, mode: str = 'constant') -> None:
        self.width = width
        self.mode = mode

    def __call__(self, x: Tensor) -> Tensor:
        """Pad (N, C, H, W) to (N, C, H + 2 width, W + 2 width)."""
        return F.pad(x, (self.width, ) * 4, mode=self.mode)

    def window(self, read: ReadWindow, size: Size, rows: range,
               cols: range) -> Tensor:
        """A window of the padded map.

        Args:
            read: Reads windows of the map.
            size: (H, W) of the map; larger than the border in mode 'reflect'.
            rows, cols: Rows and columns of the padded map to compute.

        Returns:
            (N, C, rows, cols).
        """
        y, x = (
            torch.arange(cells.start, cells.stop) - self.width
            for cells in (rows, cols))
        source_y, source_x = self._inside(y, size[0]), self._inside(x, size[1])
        rows, cols = _span(source_y), _span(source_x)
        window = read(rows, cols)[..., source_y[:, None] - rows.start,
                                  source_x - cols.start]
        if self.mode == 'reflect':
            return window
        is_inside = (source_y == y)[:, None] & (source_x == x)
        return window * is_inside.to(window)

    def _inside(self, index: Tensor, length: int) -> Tensor:
        """Source cells in the map for cells of the padded map."""
        if self.mode == 'reflect':
            last = length - 1
            return last - (last - index.abs()).abs()
        return index.clamp(0, length - 1)


class InterpolationPadding:
    """Enlarges the map by interpolation, without any border.

    Args:
        width: Cells added on each side.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, x: Tensor) -> Tensor:
        """Resize (N, C, H, W) to (N, C, H + 2 width, W + 2 width)."""
        return upsample(x, self._enlarged((x.shape[-2], x.shape[-1])))

    def window(self, read: ReadWindow, size: Size, rows: range,
               cols: range) -> Tensor:
        """A window of the enlarged map; arguments as for other policies."""
        return upsample_window(read, size, self._enlarged(size), rows, cols)

    def _enlarged(self, size: Size) -> Size:
        height, width = size
        return height + 2 * self.width, width + 2 * self.width


Padding = Union[NoPadding, BorderPadding, InterpolationPadding]


def input_padding(width: int, mode: str, pad_at_head: bool,
                  interp_pad: bool) -> Padding:
    """The policy for the inputs of a generator.

    Args:
        width: Cells to add on each side.
        mode: 'zero' or 'reflect'.
        pad_at_head: Whether to add any.
        interp_pad: Add them by interpolation, whatever the mode.

    Returns:
        The policy.
    """
    if not pad_at_head:
        return NoPadding()
    if interp_pad:
        return InterpolationPadding(width)
    return BorderPadding(width, 'reflect' if mode == 'reflect' else 'constant')
