"""Linear probes that read positions from features."""
from typing import Dict, NamedTuple, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from .measures import border_distance

__all__ = [
    'TARGETS', 'ZONES', 'ProbeResult', 'posenet', 'posenet_targets',
    'read_place', 'shuffled_places'
]

TARGETS = ('x', 'y', 'border')
ZONES = ('all', 'near', 'middle')
# Relative to the mean variance of the features; the largest one predicts
# little more than the mean.
_RIDGES = (1e-4, 1e-2, 1e-1, 1., 1e1, 1e3)
# PosENet resizes all features to this size.
_POSENET_SIZE = 28
_POSENET_CHANNELS = 64
_STRIPES = 4


class ProbeResult(NamedTuple):
    """Accuracy of a probe on held-out latents.

    Attributes:
        r2: Coefficient of determination: 1 is exact, 0 as good as the mean of
            the targets.
        r2_error: Standard error of ``r2`` over latents.
        cells: Mean absolute error in cells.
        guess: Mean absolute error of always predicting the mean target.
    """

    r2: float
    r2_error: float
    cells: float
    guess: float


class _Ridge:
    """Ridge regression with an intercept.

    The ridge is chosen by two-fold cross-validation over latents, not places:
    features of one latent are similar, so few latents are easily memorised.

    Args:
        features: Features (N, K, P) of N latents at P places.
        targets: (T, P).
    """

    def __init__(self, features: Tensor, targets: Tensor) -> None:
        self.mean = features.mean(dim=(0, 2))
        self.offset = targets.mean(dim=1)
        x, targets = self._centred(features), targets - self.offset[:, None]
        moments = [self._moments(half, targets) for half in (x[0::2], x[1::2])]
        gram = (moments[0][0] + moments[1][0]) / 2
        cross = (moments[0][1] + moments[1][1]) / 2
        scale = gram.diagonal().mean() + 1e-30
        errors = [sum(
            (self._error(other, self._solve(*fitted, ridge * scale))
             for fitted, other in (moments, moments[::-1])),
            torch.zeros(()))
            for ridge in _RIDGES]
        ridge = _RIDGES[torch.stack(errors).sum(1).argmin()]
        self.weight = self._solve(gram, cross, ridge * scale).to(x)

    @staticmethod
    def _moments(x: Tensor, targets: Tensor) -> Tuple[Tensor, Tensor]:
        """Second moments of features (K, K), and with the targets (K, T)."""
        rows = x.transpose(0, 1).flatten(1)
        count = rows.shape[1]
        gram, cross = rows @ rows.t(), x.sum(0) @ targets.t()
        return gram.double() / count, cross.double() / count

    @staticmethod
    def _solve(gram: Tensor, cross: Tensor, ridge: Tensor) -> Tensor:
        return torch.linalg.solve(
            gram + ridge * torch.eye(len(gram), dtype=gram.dtype), cross)

    @staticmethod
    def _error(moments: Tuple[Tensor, Tensor], weight: Tensor) -> Tensor:
        """Mean squared errors (T, ), minus the variance of the targets."""
        gram, cross = moments
        return (weight * (gram @ weight - 2 * cross)).sum(0)

    def _centred(self, features: Tensor) -> Tensor:
        return features - self.mean[:, None]

    def __call__(self, features: Tensor) -> Tensor:
        """Predictions (N, T, P)."""
        read = self.weight.t() @ self._centred(features)
        return read + self.offset[:, None]


def _halves(features: Tensor) -> Tuple[Tensor, Tensor]:
    """Training and held-out latents."""
    if len(features) < 4:
        raise ValueError('Argument `features` must have at least 4 latents, '
                         f'but got {len(features)}.')
    half = len(features) // 2
    return features[:half], features[half:]


def zone_cells(zone: str, height: int, width: int) -> Tensor:
    """Mask (H, W) of a zone: 'all', 'near' the border, or 'middle'.

    The middle has half the height and width of the map.
    """
    near = border_distance(height, width) < min(height, width) / 4
    return {'all': near | True, 'near': near, 'middle': ~near}[zone]


def read_place(features: Tensor,
               zone: Union[str, Tensor] = 'all'
               ) -> Dict[str, Optional[ProbeResult]]:
    """Predict x, y and the distance to the border from features of a cell.

    Ridge regression with an intercept, fitted on the first half of the
    latents and tested on the other half.

    Args:
        features: (N, C, H, W), N at least 4.
        zone: Cells to use: 'all', 'near' the border (less than a quarter of
            the map away) or 'middle'; or a mask (H, W).

    Returns:
        A result for each of :data:`TARGETS`, or None if the target is
        constant in the zone.

    Raises:
        ValueError: There are too few latents, or the zone is unknown.
    """
    if isinstance(zone, str) and zone not in ZONES:
        raise ValueError(f'Argument `zone` must be one of {ZONES}, but got '
                         f'{zone!r}.')
    height, width = features.shape[2:]
    mask = zone_cells(zone, height, width) if isinstance(zone, str) else zone
    y, x = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing='ij')
    targets = torch.stack((x, y, border_distance(height, width)))
    targets = targets[:, mask].float()
    train, test = _halves(features[..., mask].float())
    error = _Ridge(train, targets)(test) - targets
    results: Dict[str, Optional[ProbeResult]] = {}
    for index, name in enumerate(TARGETS):
        spread = targets[index].var(unbiased=False)
        if not spread > 0:
            results[name] = None
            continue
        parts = 1 - error[:, index].square().mean(-1) / spread
        guess = (targets[index] - targets[index].mean()).abs().mean()
        results[name] = ProbeResult(
            float(parts.mean()), float(parts.std() / len(parts)**0.5),
            float(error[:, index].abs().mean()), float(guess))
    return results


def shuffled_places(features: Tensor, seed: int = 0) -> Tensor:
    """Shuffle the places of features (N, C, H, W), for each latent.

    A control: the result has no positional information.
    """
    generator = torch.Generator().manual_seed(seed)
    n, _, height, width = features.shape
    order = torch.rand(n, 1, height * width, generator=generator).argsort(-1)
    x = features.flatten(2)
    return x.gather(2, order.expand_as(x).to(x.device)).view_as(features)


def posenet_targets(size: int = _POSENET_SIZE) -> Dict[str, Tensor]:
    """Target maps (size, size) in [0, 1] of PosENet.

    Horizontal and vertical gradient, Gaussian, horizontal and vertical
    stripes (Islam et al., ICLR 2020). Their widths are this package's choice:
    a standard deviation of a quarter of the map, and four ramps.
    """
    ramp = torch.linspace(0, 1, size)
    stripes = torch.arange(size) * _STRIPES / size % 1
    stripes = stripes / stripes.max()
    bell = torch.exp(-8 * (ramp - 0.5).square())
    ones = torch.ones(size)
    gaussian = torch.outer(bell, bell)
    gaussian = (gaussian - gaussian.min()) / (gaussian.max() - gaussian.min())
    return dict(
        H=torch.outer(ones, ramp),
        V=torch.outer(ramp, ones),
        G=gaussian,
        HS=torch.outer(stripes, ones),
        VS=torch.outer(ones, stripes))


def posenet(features: Tensor) -> Dict[str, Tuple[float, float]]:
    """PosENet's protocol on one layer.

    A 3 x 3 convolution without padding predicts a position map from features
    resized to 28 x 28 (How Much Position Information Do Convolutional Neural
    Networks Encode?, Islam et al., ICLR 2020). Convolution and kinds of
    targets are the paper's. Deviations: it is fitted in closed form instead
    of by gradient descent, on the first half of the latents, and tested on
    the other half; it takes one layer, not several at once; and of more than
    64 channels it takes their first 64 principal components.

    Args:
        features: (N, C, H, W), N at least 4.

    Returns:
        For each of :func:`posenet_targets`, Spearman's rank correlation (1 is
        exact, 0 is chance) and the mean absolute error of the map in [0, 1];
        both as means over held-out latents.

    Raises:
        ValueError: There are too few latents.
    """
    size = (_POSENET_SIZE, ) * 2
    x = F.interpolate(
        _principal(features.float()), size, mode='bilinear')
    x = F.unfold(x, 3)  # [N, 9 C, 26 * 26]
    targets = posenet_targets()
    inner = torch.stack([y[1:-1, 1:-1].flatten() for y in targets.values()])
    train, test = _halves(x)
    read = _Ridge(train, inner)(test)
    ranks, target_ranks = _ranks(read), _ranks(inner)
    correlation = (ranks * target_ranks).mean(-1).mean(0)
    error = (read - inner).abs().mean(dim=(0, 2))
    return {
        name: (float(correlation[index]), float(error[index]))
        for index, name in enumerate(targets)
    }


def _principal(features: Tensor) -> Tensor:
    """Reduce channels to principal components of the training latents."""
    if features.shape[1] <= _POSENET_CHANNELS:
        return features
    rows = _halves(features)[0].transpose(0, 1).flatten(1)
    vectors = torch.linalg.eigh(rows.cov())[1][:, -_POSENET_CHANNELS:]
    return torch.einsum('nchw,ck->nkhw', features, vectors)


def _ranks(x: Tensor) -> Tensor:
    """Ranks along the last axis, ties averaged, normalised to variance 1."""
    ordered = x.sort(dim=-1).values.contiguous()
    ranks = torch.searchsorted(ordered, x.contiguous()) + torch.searchsorted(
        ordered, x.contiguous(), right=True)
    ranks = ranks.float()
    ranks = ranks - ranks.mean(-1, keepdim=True)
    return ranks / ranks.square().mean(-1, keepdim=True).sqrt().clamp(
        min=1e-12)
