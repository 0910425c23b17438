"""Prior of a photograph's patches at places with positions."""
from typing import Any, Tuple

import torch
from torch import Tensor

from mmpe.functional.patch_diffusion import PatchPrior
from .known import dilate
from .level import PhotographLevel
from .positions import position_features

__all__ = ['position_prior', 'without_taken']

Size = Tuple[int, int]
# Patches within this many pixels of a removed part are excluded from its hole,
# by this logit,
_SHY, _NEVER = 2, 1e9
# unless this fraction of all patches would be.
_MOST = 0.6


def position_prior(encoding: Any, spread: float, positions: Tensor,
                   level: PhotographLevel, coarsest: Size) -> PatchPrior:
    """Log prior of patches whose position is similar to that of a place.

    Args:
        encoding: As for :func:`.position_features`.
        spread: Standard deviation of the prior, as a fraction of the
            photograph's short side.
        positions: Positions (2, H', W') of the places, one per patch, in
            cells of the photograph at the scale.
        level: The photograph at the scale.
        coarsest: (h, w) of the photograph at the coarsest scale.

    Returns:
        The prior.
    """
    half = level.patch_size // 2
    # Positions beyond the photograph are those of its border.
    last = torch.tensor(level.grid)[:, None, None] - 1. + half
    told = positions.clamp(min=torch.full_like(last, half), max=last)
    grid = torch.stack(
        torch.meshgrid(
            *[torch.arange(n) + float(half) for n in level.grid],
            indexing='ij'))
    queries, keys = (
        position_features(encoding, x, level.size, coarsest)
        for x in (told, grid))
    queries, keys = queries.permute(1, 2, 0), keys.flatten(1).t()
    # -|e(q) - e(p_i)|^2 / (2 tau^2) is, up to a constant per place, the
    # product of e(q) / tau^2 and e(p_i), plus a bias per patch.
    scale = (spread * min(coarsest))**-2
    bias = -scale / 2 * keys.square().sum(1)
    return PatchPrior(scale * queries, keys, bias)


def without_taken(prior: PatchPrior, holes: Tensor, taken: Tensor,
                  half: int) -> PatchPrior:
    """Exclude patches from holes, if enough patches are left.

    Args:
        prior: The prior.
        holes: bool (H', W'), true for the places in holes.
        taken: bool (h, w), true for pixels of the photograph that must not
            appear there.
        half: Half of a patch's side, rounded down.

    Returns:
        The prior with one more feature, or the same.
    """
    taken = dilate(taken, _SHY)[half:-half, half:-half]
    if taken.float().mean() < _MOST:  # enough patches are left
        never = -_NEVER * taken.reshape(-1, 1).float()
        return PatchPrior(
            torch.cat((prior.queries, holes[..., None].float()), 2),
            torch.cat((prior.keys, never), 1), prior.bias)
    return prior
