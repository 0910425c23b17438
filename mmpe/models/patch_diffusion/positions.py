"""Explicit positions as features for comparing places."""
from typing import Any, Tuple

import torch
from torch import Tensor

from mmpe.functional.grids import axis_positions

__all__ = ['grown_positions', 'position_features']

Size = Tuple[int, int]


def grown_positions(trained: Size, size: Size, growth: str, rows: range,
                    cols: range) -> Tensor:
    """Positions in a window of a map whose size differs from the photograph.

    Args:
        trained: (h, w) of the photograph at a scale.
        size: (H, W) of the image at this scale.
        growth: See :func:`mmpe.functional.grids.axis_positions`.
        rows, cols: The window.

    Returns:
        (2, rows, cols), y and x in cells of the photograph.
    """
    axes = [
        axis_positions(
            torch.arange(cells.start, cells.stop), length, old, growth)
        for cells, length, old in zip((rows, cols), size, trained)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing='ij'))


def position_features(encoding: Any, positions: Tensor, size: Size,
                      coarsest: Size) -> Tensor:
    """Encoded positions, scaled to give distances in cells.

    The halves for x and y are each scaled so that neighbouring cells in the
    middle of the coarsest scale have distance 1.

    Args:
        encoding: CSG, SPE or another module with ``encode_positions``.
        positions: (2, H, W), y and x in cells of a scale.
        size: (h, w) of the photograph at this scale.
        coarsest: (h, w) of the photograph at the coarsest scale.

    Returns:
        (C, H, W).
    """
    ratios = torch.tensor([a / b for a, b in zip(coarsest, size)])
    cells = (positions + .5) * ratios[:, None, None] - .5
    middle = torch.tensor([n // 2 for n in coarsest]).float()
    pair = torch.stack((middle, middle + 1), 1)[..., None]
    codes = encoding.encode_positions(cells, coarsest)
    first, second = encoding.encode_positions(pair,
                                              coarsest).permute(1, 0, 2)
    step, half = second - first, len(codes) // 2
    return torch.cat((codes[:half] / step[:half].norm(),
                      codes[half:] / step[half:].norm()))
