"""How a generator makes room for its unpadded convolutions (one class each).

What is put around the image decides how much a translation-invariant network
learns about absolute position (paper, Sec. 3). Each policy pads a whole map,
or gives a window of the padded map from windows of the map.
"""
from typing import Callable, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    'BorderPadding', 'InterpolationPadding', 'NoPadding', 'ReadWindow',
    'upsample', 'upsample_window'
]

Size = Tuple[int, int]
# From rows and columns of a map (N, C, H, W) to that window of it.
ReadWindow = Callable[[range, range], Tensor]


def upsample(x: Tensor, size: Size) -> Tensor:
    """Bicubic resize to (H, W) with aligned corners, as between stages."""
    return F.interpolate(x, size, mode='bicubic', align_corners=True)


def upsample_window(read: ReadWindow, size: Size, new_size: Size, rows: range,
                    cols: range) -> Tensor:
    """A window of what :func:`upsample` makes of a map, to rounding.

    Args:
        read: Gives windows of the map.
        size: (H, W) of the map.
        new_size: (H', W') of the resized map.
        rows, cols: What of the resized map is wanted.

    Returns:
        (N, C, rows, cols).
    """
    source_rows, from_rows = _bicubic_matrix(rows, size[0], new_size[0])
    source_cols, from_cols = _bicubic_matrix(cols, size[1], new_size[1])
    window = read(source_rows, source_cols)
    return from_rows.to(window) @ window @ from_cols.to(window).t()


def _bicubic_matrix(cells: range, length: int,
                    new_length: int) -> Tuple[range, Tensor]:
    """Which cells of an axis make those of the resized one, and how.

    Keys' kernel with a = -0.75, and the ends repeated, as in torch; places
    are rounded as there.
    """
    scale = torch.tensor(float(length - 1)) / max(new_length - 1, 1)
    places = scale * torch.arange(cells.start, cells.stop)
    first = places.floor().clamp(max=length - 1)
    taps = first.long()[:, None] + torch.arange(-1, 3)
    distance = ((places - first)[:, None] - torch.arange(-1, 3)).abs()
    near = (1.25 * distance - 2.25) * distance**2 + 1
    far = -.75 * (((distance - 5) * distance + 8) * distance - 4)
    taps = taps.clamp(0, length - 1)
    source = _span(taps)
    matrix = torch.zeros(len(cells), len(source))
    matrix.scatter_add_(1, taps - source.start,
                        torch.where(distance <= 1, near, far))
    return source, matrix


def _span(index: Tensor) -> range:
    return range(int(index.min()), int(index.max()) + 1)


class NoPadding:
    """Leaves the map as it is: the convolutions pad."""

    width = 0

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        return x

    def window(self, read: ReadWindow, size: Size, rows: range,
               cols: range) -> Tensor:
        """The same window of the map."""
        return read(rows, cols)


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

    def window(self, read: ReadWindow, size: Size, rows: range,
               cols: range) -> Tensor:
        """A window of the padded map.

        Args:
            read: Gives windows of the map.
            size: (H, W) of the map; mirrored, more than the width.
            rows, cols: What of the padded map is wanted.

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
        """Cells of the map that stand for those of the padded one."""
        if self.mode == 'reflect':
            last = length - 1
            return last - (last - index.abs()).abs()
        return index.clamp(0, length - 1)


class InterpolationPadding:
    """Enlarges the map by interpolation, which adds no border at all.

    Args:
        width: Cells that are added on each side.
    """

    def __init__(self, width: int) -> None:
        self.width = width

    def __call__(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H + 2 width, W + 2 width)."""
        return upsample(x, self._enlarged(x.shape[-2:]))

    def window(self, read: ReadWindow, size: Size, rows: range,
               cols: range) -> Tensor:
        """A window of the enlarged map.

        Args:
            read: Gives windows of the map.
            size: (H, W) of the map.
            rows, cols: What of the enlarged map is wanted.

        Returns:
            (N, C, rows, cols).
        """
        return upsample_window(read, size, self._enlarged(size), rows, cols)

    def _enlarged(self, size: Size) -> Size:
        height, width = size
        return height + 2 * self.width, width + 2 * self.width
