"""How far apart CSG and SPE tell two places to be."""
from typing import Any, Dict, List, Sequence

import torch

from mmpe.models.layers.positional_encoding import (
    CartesianGrid, SinusoidalPositionalEmbedding)

__all__ = ['encoding_relations']

# Distances between codes, by size and offset.
Relations = Dict[str, List[Dict[str, float]]]


def encoding_relations(
        size: int = 20,
        factors: Sequence[float] = (1., 1.5, 2.),
        offsets: Sequence[int] = tuple(range(1, 13))
) -> Dict[str, Relations]:
    """Distances between the codes of places in a row of a map.

    Args:
        size: Height and width of the map in training, in cells.
        factors: Sizes, relative to that.
        offsets: Distances between places, in cells.

    Returns:
        For each encoding, factor and offset, the ``distance`` between codes
        (root mean square over channels and places) and its ``variation`` over
        places (coefficient of variation).
    """
    encodings: Dict[str, Any] = dict(
        CSG=CartesianGrid(), SPE=SinusoidalPositionalEmbedding(8))
    relations: Dict[str, Relations] = {}
    for name, encoding in encodings.items():
        relations[name] = {}
        for factor in factors:
            side = round(size * factor)
            codes = encoding.make_grid2d(side, side)[0].double()
            row = codes[:, side // 2]
            relations[name][str(factor)] = [
                _distance(row[:, offset:] - row[:, :-offset])
                for offset in offsets
            ]
    return relations


def _distance(steps: torch.Tensor) -> Dict[str, float]:
    lengths = steps.square().mean(0).sqrt()
    return dict(
        distance=float(lengths.mean()),
        variation=float(lengths.std() / lengths.mean()))
