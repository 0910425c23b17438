"""Maps with cells added or removed around them."""
from typing import Sequence

import torch
from torch import Tensor

__all__ = ['continue_map', 'crop']


def continue_map(x: Tensor, margin: int, mode: str) -> Tensor:
    """Extend a map beyond its border, by any number of cells.

    Args:
        x: (N, C, H, W).
        margin: Cells to add on each side.
        mode: 'reflect' (without repeating the border), 'replicate' or
            'circular'.

    Returns:
        (N, C, H + 2 margin, W + 2 margin).
    """
    for axis in (2, 3):
        size = x.shape[axis]
        cells = torch.arange(-margin, size + margin, device=x.device)
        if mode == 'circular':
            cells = cells % size
        elif mode == 'reflect' and size > 1:
            cells = (cells + size - 1) % (2 * size - 2) - (size - 1)
            cells = cells.abs()
        else:
            cells = cells.clamp(0, size - 1)
        x = x.index_select(axis, cells)
    return x


def crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """Crop the middle of a map.

    Args:
        x: (N, C, H, W).
        size: (H', W') of the result; H - H' and W - W' must be even.

    Returns:
        (N, C, H', W').

    Raises:
        ValueError: The map has no middle of that size.
    """
    extra = [old - new for old, new in zip(x.shape[-2:], size)]
    if min(extra) < 0 or any(cells % 2 for cells in extra):
        raise ValueError(f'A map of {tuple(x.shape[-2:])} cells has no middle '
                         f'of {tuple(size)}.')
    top, left = (cells // 2 for cells in extra)
    return x[..., top:top + size[0], left:left + size[1]]
