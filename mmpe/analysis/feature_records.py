"""Measurements of a network's features, for the claims."""
from typing import Any, Dict, List, Tuple

import numpy as np
import torch
from torch import Tensor

from .analyse import decibels, plain
from .features import collect, feature_layers
from .measures import (border_distance, decibel, jackknife, location_share,
                       padding_part, padding_reach, profile, without_phases)
from .padding import pad_with
from .probes import read_place, shuffled_places
from .subject import Subject

__all__ = ['collect_unpadded', 'measure_features']

Record = Dict[str, Any]
_LATENTS = 64


def measure_features(subject: Subject,
                     num: int = _LATENTS,
                     seed: int = 0) -> Record:
    """Measure positional information in the features of a network.

    Args:
        subject: The network.
        num: Number of latents.
        seed: Seed of the latents.

    Returns:
        ``layers``: location share of each layer with its error. For the
        ``deepest`` layer and the ``output``: ``share`` with its profile; the
        probe in zones (``near``, ``middle``) and in ``rings`` of equal
        distance to the border, relative to the error of guessing;
        ``relation_profile``, the change of the mean over latents between
        neighbours; and, with padding, ``ppp_snr_db`` and
        ``padding_db_profile``. Phases of upsampling, which repeat with the
        cells of the smallest map, are excluded.
    """
    sizes = feature_layers(subject.model, lambda: subject.run(2, seed))
    features = collect(subject.model, lambda: subject.run(num, seed),
                       list(sizes), sizes)
    padded = dict(features)
    layers = []
    for name, x in features.items():
        x = features[name] = without_phases(x, _period(sizes, name))
        share, error = jackknife(lambda x: location_share(x).ratio, x)
        layers.append(
            dict(name=name, size=list(x.shape[2:]), share=share, error=error))
    deep = [name for name, x in features.items() if name and x.shape[1] > 4]
    named = dict(deepest=deep[-1], output='')
    record: Record = dict(layers=layers)
    unpadded = collect_unpadded(subject, num, seed, {
        name: sizes[name] for name in named.values()
    })
    for key, name in named.items():
        padding = {}
        if name in unpadded:
            padding = _padding(padded[name], unpadded[name])
        record[key] = dict(
            _of_layer(features[name]),
            relation_profile=_relation(padded[name], _period(sizes, name)),
            **padding)
    return plain(record)


def _period(sizes: Dict[str, Tuple[int, int]], name: str) -> int:
    """Cells of a layer per cell of the smallest map, or 1 if fractional."""
    ratios = {side / least
              for side, least in zip(sizes[name], min(sizes.values()))}
    ratio = ratios.pop()
    return int(ratio) if not ratios and ratio == int(ratio) else 1


def collect_unpadded(subject: Subject, num: int, seed: int,
                     sizes: Dict[str, Tuple[int, int]]) -> Dict[str, Tensor]:
    """Collect features of a network without its padding.

    Args:
        subject: The network.
        num: Number of latents.
        seed: Seed of the latents.
        sizes: Names of the layers, '' for the output, and (H, W) to crop
            their maps to.

    Returns:
        Float32 (N, C, H, W) of each layer; empty for a network without
        padding.
    """
    if not subject.margin:
        return {}
    try:
        with pad_with(subject.model, 'none', subject.margin,
                      subject.first_map):
            return collect(subject.model, lambda: subject.run(num, seed),
                           list(sizes), sizes)
    except ValueError:  # maps have their own borders, so nothing is padded
        return {}


def _padding(padded: Tensor, unpadded: Tensor) -> Record:
    """Figures of the contribution of padding to a layer."""
    reach = padding_reach(padded, unpadded)
    return dict(
        ppp_snr_db=decibel(padding_part(padded, unpadded).ratio),
        padding_db_profile=decibels(reach.profile))


def _of_layer(x: Tensor) -> Record:
    """Figures of one layer."""
    share = location_share(x)
    record: Record = dict(
        size=list(x.shape[2:]),
        share_profile=share.profile.tolist(),
        share_map=share.part.float().tolist())
    record['share'], record['share_error'] = jackknife(
        lambda x: location_share(x).ratio, x)
    for zone in ('near', 'middle'):
        record[zone] = _reading(x, zone)
    record['shuffled'] = _reading(shuffled_places(x), 'all')
    distance = border_distance(*x.shape[2:])
    # The innermost rings have too few cells.
    last = max(1, min(x.shape[2:]) // 2 - 1)
    rings = range(0, last, max(1, last // 10))
    record['rings'] = list(rings)
    record['ring_errors'] = [
        _reading(x, distance == ring)['error'] for ring in rings
    ]
    return record


def _reading(x: Tensor, zone: Any) -> Record:
    """Accuracy of reading x and y: R2, and error relative to guessing."""
    results = [result for target, result in read_place(x, zone).items()
               if target != 'border' and result]
    return dict(
        r2=float(np.mean([result.r2 for result in results])),
        r2_error=float(max(result.r2_error for result in results)),
        cells=float(np.mean([result.cells for result in results])),
        error=float(
            np.mean([result.cells / result.guess for result in results])))


def _relation(x: Tensor, period: int) -> List[float]:
    """Distance between mean features of neighbours: profile to the border.

    Neighbours are a period apart, to compare equal phases. Means over even
    and over odd latents are multiplied, so that noise cancels.
    """
    x = x.double()
    x = x / x.var(dim=(0, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
    even, odd = x[0::2].mean(0), x[1::2].mean(0)
    squared = torch.zeros(x.shape[2:], dtype=x.dtype)
    count = torch.zeros_like(squared)
    for axis in (1, 2):
        moved = x.shape[axis + 1] - period
        steps = [mean.narrow(axis, period, moved) - mean.narrow(axis, 0, moved)
                 for mean in (even, odd)]
        step = (steps[0] * steps[1]).mean(0)
        for first in (0, period):
            squared.narrow(axis - 1, first, moved).add_(step)
            count.narrow(axis - 1, first, moved).add_(1)
    return profile(squared / count).clamp(min=0).sqrt().tolist()
