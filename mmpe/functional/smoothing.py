"""Smooth random fields."""
from typing import Tuple

import torch
from torch import Tensor

from .constants import constant

__all__ = ['smooth_noise', 'smoothing_reach']


def smoothing_reach(width: float) -> int:
    """Number of cells on each side that a smoothed cell depends on."""
    return int(2 * width + 0.5)


def smooth_noise(noise: Tensor, width: float, size: Tuple[int, int],
                 rows: range, cols: range, source_rows: range,
                 source_cols: range) -> Tensor:
    """Smooth independent noise, in a window of the field.

    The Gaussian is truncated at twice its standard deviation and at the
    field's border, and normalised to keep the variance everywhere.

    Args:
        noise: Window (N, C, source_rows, source_cols) of the noise.
        width: Standard deviation of the Gaussian in cells, above 0.
        size: (H, W) of the whole field.
        rows, cols: Rows and columns of the field to compute.
        source_rows, source_cols: Rows and columns of ``noise``; at least
            :func:`smoothing_reach` more on each side, within the field.

    Returns:
        (N, C, rows, cols).
    """
    from_rows = constant(
        _smoothing, width, size[0], rows, source_rows, like=noise)
    from_cols = constant(
        _smoothing, width, size[1], cols, source_cols, like=noise)
    return from_rows @ noise @ from_cols.t()


def _smoothing(width: float, length: int, cells: range,
               source: range) -> Tensor:
    """Matrix (cells, source) with rows of norm 1, which keeps the variance."""
    place, other = (torch.arange(x.start, x.stop)
                    for x in (cells, range(length)))
    distance = place[:, None] - other
    weights = torch.exp(-0.5 * (distance / width)**2)
    weights = weights * (distance.abs() <= smoothing_reach(width))
    # Var(sum_j w_j z_j) = sum_j w_j^2 for independent noise z of variance 1.
    weights = weights / weights.norm(dim=1, keepdim=True)
    return weights[:, source.start:source.stop]
