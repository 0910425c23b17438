"""Bicubic resizing of a whole map, or of a window of it."""
from typing import Callable, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['ReadWindow', 'upsample', 'upsample_window']

Size = Tuple[int, int]
# From rows and columns of a map (N, C, H, W) to that window of it.
ReadWindow = Callable[[range, range], Tensor]


def upsample(x: Tensor, size: Size, align_corners: bool = True) -> Tensor:
    """Bicubic resize, by default with aligned corners as between stages.

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
    """A window of what :func:`upsample` makes of a map, to rounding.

    Args:
        read: Gives windows of the map.
        size: (H, W) of the map.
        new_size: (H', W') of the resized map.
        rows, cols: What of the resized map is wanted.
        align_corners: As for :func:`upsample`.
        margin: Cells around the map that can be read, too: they have the
            indices from ``-margin`` to -1 and those after the last.

    Returns:
        (N, C, rows, cols).
    """
    source_rows, from_rows = _bicubic_matrix(rows, size[0], new_size[0],
                                             align_corners, margin)
    source_cols, from_cols = _bicubic_matrix(cols, size[1], new_size[1],
                                             align_corners, margin)
    window = read(source_rows, source_cols)
    return from_rows.to(window) @ window @ from_cols.to(window).t()


def _bicubic_matrix(cells: range, length: int, new_length: int,
                    align_corners: bool,
                    margin: int) -> Tuple[range, Tensor]:
    """Which cells of an axis make those of the resized one, and how.

    Keys' kernel with a = -0.75, and the ends repeated, as in torch; places
    are rounded as there. In numpy, so that it also works on networks whose
    tensors have no values.
    """
    places = np.arange(cells.start, cells.stop, dtype=np.float32)
    if align_corners:
        places *= np.float32(length - 1) / np.float32(max(new_length - 1, 1))
    else:
        ratio = np.float32(length) / np.float32(new_length)
        places = ratio * (places + np.float32(.5)) - np.float32(.5)
    first = np.minimum(np.floor(places), np.float32(length - 1 + margin))
    offsets = np.arange(-1, 3)
    taps = first.astype(int)[:, None] + offsets
    distance = np.abs((places - first)[:, None] - offsets.astype(np.float32))
    near = (1.25 * distance - 2.25) * distance**2 + 1
    far = -.75 * (((distance - 5) * distance + 8) * distance - 4)
    taps = np.clip(taps, -margin, length - 1 + margin)
    source = range(int(taps.min()), int(taps.max()) + 1)
    matrix = np.zeros((len(cells), len(source)), np.float32)
    np.add.at(matrix, (np.arange(len(cells))[:, None], taps - source.start),
              np.where(distance <= 1, near, far))
    return source, torch.tensor(matrix)
