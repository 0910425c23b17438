"""Improved precision and recall between sets of features."""
import math
from typing import Iterator, Optional, Tuple

import torch
from torch import Tensor

from ._checks import check_features, check_same_width

__all__ = ['neighbour_radii', 'precision_recall']

# Neighbours beyond the k-th that are measured again in float64, too.
_SPARE_NEIGHBOURS = 1


def _tiles(num: int, tile: int) -> Iterator[slice]:
    for start in range(0, num, tile):
        yield slice(start, min(start + tile, num))


class _Points:
    """Features in tiles, with the squared norms of their rows.

    A centre that is far from zero, compared with the spread, is subtracted.
    This changes no distance, but reduces the norms, and with them the
    cancellation in `_squared_distances`.
    """

    def __init__(self, features: Tensor, centre: Optional[Tensor],
                 tile_size: int) -> None:
        self.features = features
        self.centre = centre
        self.norms = torch.cat([
            self._rows(rows).square().sum(dim=1)
            for rows in _tiles(len(features), tile_size)
        ])

    def _rows(self, rows: slice) -> Tensor:
        if self.centre is None:
            return self.features[rows]
        return self.features[rows] - self.centre

    def __getitem__(self, rows: slice) -> Tuple[Tensor, Tensor]:
        return self._rows(rows), self.norms[rows]


def _centre(features: Tensor) -> Optional[Tensor]:
    """The mean of features, or None if it is not worth subtracting."""
    mean = features.mean(dim=0)
    spread = torch.linalg.vector_norm(features).square() / len(features)
    return mean if mean.square().sum() > 0.75 * spread else None


def _squared_distances(x: Tuple[Tensor, Tensor],
                       y: Tuple[Tensor, Tensor]) -> Tensor:
    """Squared distances (N, M) of two tiles, as |x|^2 - 2 x y + |y|^2."""
    product = torch.addmm(y[1], x[0], y[0].T, alpha=-2)
    return product.add_(x[1][:, None])


def neighbour_radii(features: Tensor,
                    k: int = 3,
                    tile_size: int = 1024) -> Tensor:
    """Squared distance of each sample to its k-th nearest other sample.

    The distance matrix is computed in square tiles of its upper triangle, one
    at a time, keeping the smallest distances of each row. The nearest
    candidates are then measured again in float64, to avoid the cancellation
    in the matrix product.

    Args:
        features: Features (N, C), with N above ``k``.
        k: Rank of the neighbour, not counting the sample itself.
        tile_size: Side of a tile.

    Returns:
        Float64 squared radii (N, ).

    Raises:
        ValueError: Wrong shape or dtype, ``k`` or ``tile_size`` below 1, too
            few samples, NaN.
    """
    if k < 1 or tile_size < 1:
        raise ValueError('Arguments `k` and `tile_size` must be at least 1, '
                         f'but got {k} and {tile_size}.')
    check_features('features', features, min_num=k + 1)
    num = len(features)
    num_kept = min(k + _SPARE_NEIGHBOURS, num - 1)
    nearest = features.new_full((num, num_kept), math.inf)
    index = torch.zeros_like(nearest, dtype=torch.long)

    def update(rows: slice, columns: slice, distances: Tensor) -> None:
        ids = torch.arange(
            columns.start, columns.stop, device=features.device)
        kept = min(num_kept, distances.shape[1])
        values, places = distances.topk(kept, largest=False)
        values = torch.cat([nearest[rows], values], dim=1)
        ids = torch.cat([index[rows], ids[places]], dim=1)
        nearest[rows], places = values.topk(num_kept, largest=False)
        index[rows] = ids.gather(1, places)

    points = _Points(features, _centre(features), tile_size)
    tiles = list(_tiles(num, tile_size))
    for i, rows in enumerate(tiles):
        x = points[rows]
        for columns in tiles[i:]:
            distances = _squared_distances(x, points[columns])
            if rows == columns:
                distances.fill_diagonal_(math.inf)
            else:
                update(columns, rows, distances.T.contiguous())
            update(rows, columns, distances)
    return _remeasured(features, index, k)


def _remeasured(features: Tensor, index: Tensor, k: int) -> Tensor:
    """The k-th smallest float64 distance to the candidates in ``index``."""
    radii = torch.empty(
        len(features), dtype=torch.float64, device=features.device)
    for rows in _tiles(len(features), 32):  # small enough for a cache
        difference = features[index[rows]].double()
        difference -= features[rows, None].double()
        distances = difference.square_().sum(dim=-1)
        radii[rows] = distances.kthvalue(k, dim=1).values
    return radii


def _share_inside(depth: Tensor, probes: _Points, manifold: _Points,
                  radii: Tensor, tile_size: int) -> float:
    """Fraction of probes inside a manifold, given their depths in it."""
    # Bound on the rounding error of a squared distance from a matrix product.
    width, dtype = probes.features.shape[1], probes.features.dtype
    eps = 4 * math.sqrt(width) * torch.finfo(dtype).eps
    bound = eps * (probes.norms.sqrt() + manifold.norms.max().sqrt())**2
    inside = depth > bound
    unsure = ~inside & (depth >= -bound)
    if not unsure.any():
        return float(inside.double().mean())
    probes = _Points(probes.features[unsure], probes.centre, tile_size)
    inside[unsure] = _inside_exactly(probes, manifold, radii, bound[unsure],
                                     tile_size)
    return float(inside.double().mean())


def _inside_exactly(probes: _Points, manifold: _Points, radii: Tensor,
                    bound: Tensor, tile_size: int) -> Tensor:
    """Whether each probe lies in a ball; doubtful pairs in float64.

    Precondition: no pair is inside by more than ``bound``.
    """
    inside = torch.zeros_like(bound, dtype=torch.bool)
    for columns in _tiles(len(radii), tile_size):
        y = manifold[columns]
        for rows in _tiles(len(inside), tile_size):
            depth = radii[columns] - _squared_distances(probes[rows], y)
            doubt = (depth >= -bound[rows, None]) & ~inside[rows, None]
            for pairs in doubt.nonzero().split(1024):
                row, column = pairs.T
                row, column = row + rows.start, column + columns.start
                difference = (probes.features[row].double() -
                              manifold.features[column].double())
                hit = difference.square_().sum(dim=-1) <= radii[column]
                inside[row[hit]] = True
    return inside


def precision_recall(real: Tensor,
                     fake: Tensor,
                     k: int = 3,
                     tile_size: int = 1024) -> Tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al., NeurIPS 2019).

    A manifold is the union of balls around its samples that reach to their
    k-th nearest neighbours. Precision is the fraction of fakes inside the
    manifold of the reals, recall the fraction of reals inside that of the
    fakes; a collapsed generator has high precision and low recall.

    Each distance between the sets is computed once, in tiles, and used for
    both figures. Samples within rounding of a ball's surface are decided in
    float64.

    Args:
        real, fake: Features (N, C) and (M, C), more than ``k`` each.
        k: Rank of the neighbour that sets a radius.
        tile_size: Side of the tiles, the largest blocks of distances.

    Returns:
        Precision and recall, in [0, 1].

    Raises:
        ValueError: Wrong shape or dtype, ``k`` or ``tile_size`` below 1, too
            few samples, NaN.
    """
    check_features('real', real, min_num=k + 1)
    check_features('fake', fake, min_num=k + 1)
    check_same_width(real, fake)
    dtype = torch.promote_types(real.dtype, fake.dtype)
    real, fake = real.to(dtype), fake.to(dtype)
    real_radii = neighbour_radii(real, k, tile_size)
    fake_radii = neighbour_radii(fake, k, tile_size)
    centre = _centre(real)
    reals = _Points(real, centre, tile_size)
    fakes = _Points(fake, centre, tile_size)
    real_depth, fake_depth = _depths(reals, fakes, real_radii.to(dtype),
                                     fake_radii.to(dtype), tile_size)
    return (_share_inside(fake_depth, fakes, reals, real_radii, tile_size),
            _share_inside(real_depth, reals, fakes, fake_radii, tile_size))


def _depths(reals: _Points, fakes: _Points, real_radii: Tensor,
            fake_radii: Tensor, tile_size: int) -> Tuple[Tensor, Tensor]:
    """Depth of each sample in the other set's manifold.

    The depth in a ball is its squared radius minus the squared distance,
    negative outside; that in a manifold is the largest over its balls.
    """
    real_depth = torch.full_like(real_radii, -math.inf)
    fake_depth = torch.full_like(fake_radii, -math.inf)
    for rows in _tiles(len(fake_radii), tile_size):
        x = fakes[rows]
        for columns in _tiles(len(real_radii), tile_size):
            distances = _squared_distances(x, reals[columns])
            depth = (real_radii[columns] - distances).amax(dim=1)
            fake_depth[rows] = fake_depth[rows].maximum(depth)
            depth = (fake_radii[rows, None] - distances).amax(dim=0)
            real_depth[columns] = real_depth[columns].maximum(depth)
    return real_depth, fake_depth
