"""Bicubic resizing of a map, or of a window of it."""
from functools import lru_cache
from typing import Any, Callable, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .constants import constant

__all__ = ['ReadWindow', 'upsample', 'upsample_window']

Size = Tuple[int, int]
# Returns the given rows and columns of a map (N, C, H, W).
ReadWindow = Callable[[range, range], Tensor]


def upsample(x: Tensor, size: Size, align_corners: bool = True) -> Tensor:
    """Bicubic resize; by default with aligned corners, as between scales.

    Args:
        x: Map (N, C, H, W).
        size: (H', W') of the result.
        align_corners: As for :func:`torch.nn.functional.interpolate`.

    Returns:
        (N, C, H', W').
    """
    return F.interpolate(x, size, mode='bicubic', align_corners=align_corners)


def upsample_window(read: ReadWindow,
                    size: Size,
                    new_size: Size,
                    rows: range,
                    cols: range,
                    align_corners: bool = True,
                    margin: int = 0) -> Tensor:
    """A window of :func:`upsample`'s result, up to rounding.

    Args:
        read: Reads windows of the map.
        size: (H, W) of the map.
        new_size: (H', W') of the resized map.
        rows, cols: Rows and columns of the resized map to compute.
        align_corners: As for :func:`upsample`.
        margin: Number of readable cells around the map, at indices from
            ``-margin`` to -1 and after the last.

    Returns:
        (N, C, rows, cols).
    """
    axes = [(cells, length, new_length, align_corners, margin)
            for cells, length, new_length in zip((rows, cols), size, new_size)]
    window = read(*(_bicubic_source(*axis) for axis in axes))
    from_rows, from_cols = (
        constant(_bicubic_matrix, *axis, like=window) for axis in axes)
    return from_rows @ window @ from_cols.t()


def _bicubic_taps(cells: range, length: int, new_length: int,
                  align_corners: bool,
                  margin: int) -> Tuple[np.ndarray, np.ndarray]:
    """The four source cells of each cell of the resized axis.

    Rounds as torch does. In NumPy, so that it works with meta tensors, too.

    Returns:
        Indices of the source cells, and their distances.
    """
    places = np.arange(cells.start, cells.stop, dtype=np.float32)
    if align_corners:
        places *= np.float32(length - 1) / np.float32(max(new_length - 1, 1))
    else:
        ratio = np.float32(length) / np.float32(new_length)
        places = ratio * (places + np.float32(.5)) - np.float32(.5)
    first = np.minimum(np.floor(places), np.float32(length - 1 + margin))
    offsets = np.arange(-1, 3)
    taps = first.astype(int)[:, None] + offsets  # [new, 4]
    distance = np.abs((places - first)[:, None] - offsets.astype(np.float32))
    return np.clip(taps, -margin, length - 1 + margin), distance


@lru_cache(maxsize=1024)
def _bicubic_source(*axis: Any) -> range:
    """Range of the source cells of :func:`_bicubic_taps`."""
    taps, _ = _bicubic_taps(*axis)
    return range(int(taps.min()), int(taps.max()) + 1)


def _bicubic_matrix(*axis: Any) -> Tensor:
    """Matrix (new, old) from the source cells to the resized axis.

    Keys' kernel ("Cubic Convolution Interpolation for Digital Image
    Processing", 1981) with a = -0.75 and replicated ends, as in torch.
    """
    taps, distance = _bicubic_taps(*axis)
    source = _bicubic_source(*axis)
    # d <= 1: (a + 2) d^3 - (a + 3) d^2 + 1; else a (d^3 - 5 d^2 + 8 d - 4).
    near = (1.25 * distance - 2.25) * distance**2 + 1
    far = -.75 * (((distance - 5) * distance + 8) * distance - 4)
    matrix = np.zeros((len(taps), len(source)), np.float32)
    np.add.at(matrix, (np.arange(len(taps))[:, None], taps - source.start),
              np.where(distance <= 1, near, far))
    return torch.tensor(matrix)
