"""All measures of all layers of a network."""
import math
from fractions import Fraction
from typing import Any, Callable, Dict, List, Sequence, Tuple

from torch import Tensor

from .features import collect, feature_layers
from .inputs import change_inputs
from .measures import (decibel, eq_t, jackknife, layout_agreement,
                       location_share, padding_part, padding_reach,
                       shift_error)
from .padding import pad_with
from .probes import ZONES, posenet, read_place, shuffled_places
from .subjects import Subject

__all__ = ['OUTPUT', 'analyse', 'decibels', 'plain']

# Name of the network's output in tables.
OUTPUT = 'output'
Size = Tuple[int, int]
Figures = Dict[str, Any]


def analyse(subject: Subject,
            modes: Sequence[str] = ('zeros', 'none'),
            num: int = 64,
            seed: int = 0,
            min_size: int = 4,
            done: Callable[[], None] = lambda: None
            ) -> Dict[str, Dict[str, Figures]]:
    """Measure how a network's features depend on position, and why.

    Args:
        subject: The network.
        modes: Paddings, see :func:`mmpe.analysis.padding.pad_with`.
        num: Number of latents, at least 8.
        seed: Seed of the latents, the same for all paddings.
        min_size: Smallest height and width of a layer's map.
        done: Called after each padding.

    Returns:
        Figures by padding and layer, in JSON types: None for missing figures,
        '-inf' and 'inf' as strings. ``_error`` is a standard error over
        latents, ``_profile`` a profile over the distance to the border.

        - ``size`` (H, W) and ``channels`` of the layer;
        - ``location_share`` with its map, without the means of phases of
          ``period`` cells, whose share is ``phase_share``;
        - ``probe``: by zone and target, see :func:`read_place`, and
          ``probe_shuffled``, a control;
        - ``posenet``: by target, see :func:`posenet`;
        - ``padding_snr_db``: signal-to-noise ratio of the contribution of
          padding (:func:`padding_part`), and ``padding_db``: its power
          relative to the variance of the features;
        - ``shift_error_db``: see :func:`shift_error`, for the smallest shift
          by whole cells in all layers;
        - for the output, ``layout``: agreement of samples, and ``eq_t_db``.

    Raises:
        ValueError: There are too few latents, or the network has no padding
            or does not support one of the modes.
    """
    if num < 8:
        raise ValueError(f'Argument `num` must be at least 8, but got {num}.')
    if not subject.margin:
        raise ValueError('A ContextSinGAN has no padding to compare with.')
    sizes = feature_layers(subject.model, lambda: subject.run(2, seed),
                           min_size)
    ratios = _ratios(subject, seed, sizes)
    # Without layers whose size does not depend on the input.
    sizes = {name: size for name, size in sizes.items() if ratios[name]}
    ratios = {name: ratios[name] for name in sizes}
    # Smallest shift by whole cells in all layers.
    step = math.lcm(*(ratio.denominator for ratio in ratios.values()))
    unpadded = _features(subject, 'none', num, seed, sizes)
    results = {}
    for mode in modes:
        features = unpadded if mode == 'none' else _features(
            subject, mode, num, seed, sizes)
        shifted = _shifted(subject, mode, num, seed, sizes, step)
        results[mode] = {
            name or OUTPUT:
            _figures(x, unpadded[name], shifted[name],
                     int(step * ratios[name]), mode)
            for name, x in features.items()
        }
        if '' in features:
            output, cells = features[''], int(step * ratios[''])
            results[mode][OUTPUT].update(
                plain(
                    dict(
                        layout=layout_agreement(output),
                        eq_t_db=eq_t(output, shifted[''], (cells, cells)))))
        done()
    return results


def _features(subject: Subject, mode: str, num: int, seed: int,
              sizes: Dict[str, Size]) -> Dict[str, Tensor]:
    with pad_with(subject.model, mode, subject.margin, subject.first_map):
        return collect(subject.model, lambda: subject.run(num, seed),
                       list(sizes), sizes)


def _ratios(subject: Subject, seed: int,
            sizes: Dict[str, Size]) -> Dict[str, Fraction]:
    """Cells of each layer per cell of the smallest input or first map."""
    heights: List[int] = []

    def note(x: Tensor, ratio: int) -> Tensor:
        heights.append(x.shape[2])
        return x

    with change_inputs(subject.model, note, subject.first_map):
        subject.run(1, seed)
    if not heights:
        raise ValueError('The network has no map to shift or to extend.')
    with pad_with(subject.model, 'none', subject.margin, subject.first_map):
        larger = feature_layers(subject.model, lambda: subject.run(1, seed),
                                min_size=1)
    # Layers may have a border; the network's output is already cropped.
    return {
        name: Fraction(larger[name][0] - height, 2 * subject.margin)
        if name else Fraction(height, min(heights))
        for name, (height, _) in sizes.items()
    }


def _shifted(subject: Subject, mode: str, num: int, seed: int,
             sizes: Dict[str, Size], step: int) -> Dict[str, Tensor]:
    """Features of inputs shifted by ``step`` cells of the smallest input."""

    def shift(x: Tensor, ratio: int) -> Tensor:
        return x.roll((step * ratio, ) * 2, dims=(2, 3))

    with pad_with(subject.model, mode, subject.margin, subject.first_map), \
            change_inputs(subject.model, shift, subject.first_map):
        return collect(subject.model, lambda: subject.run(num, seed),
                       list(sizes), sizes)


def _figures(x: Tensor, unpadded: Tensor, shifted: Tensor, cells: int,
             mode: str) -> Figures:
    """Figures of one layer."""
    figures: Figures = dict(size=list(x.shape[2:]), channels=x.shape[1])
    # Phases are undefined in maps with a border.
    period = 1 if any(side % cells for side in x.shape[2:]) else cells
    share = location_share(x, period)
    figures['location_share'], figures['location_share_error'] = jackknife(
        lambda x: location_share(x, period).ratio, x)
    figures['period'] = period
    figures['phase_share'] = location_share(x).ratio - share.ratio
    figures['location_share_profile'] = share.profile.tolist()
    figures['location_share_map'] = share.part.float().tolist()
    figures['probe'] = {zone: _probe(x, zone) for zone in ZONES}
    figures['probe_shuffled'] = _probe(shuffled_places(x), 'all')
    figures['posenet'] = {
        name: dict(spearman=spearman, mae=mae)
        for name, (spearman, mae) in posenet(x).items()
    }
    if mode != 'none':
        reach = padding_reach(x, unpadded)
        figures['padding_snr_db'] = decibel(padding_part(x, unpadded).ratio)
        figures['padding_db'] = decibel(reach.ratio)
        figures['padding_db_profile'] = decibels(reach.profile)
    error = shift_error(x, shifted, (cells, cells))
    figures['shift_error_db'] = decibel(error.ratio)
    figures['shift_error_db_profile'] = decibels(error.profile)
    return plain(figures)


def _probe(x: Tensor, zone: str) -> Figures:
    return {
        target: result and result._asdict()
        for target, result in read_place(x, zone).items()
    }


def decibels(ratios: Tensor) -> List[float]:
    """Ratios of powers in :func:`mmpe.analysis.measures.decibel`."""
    return [decibel(float(ratio)) for ratio in ratios]


def plain(value: Any) -> Any:
    """Convert to JSON types: five digits, None for NaN, inf as strings."""
    if isinstance(value, dict):
        return {key: plain(x) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(x) for x in value]
    if isinstance(value, float):
        return float(f'{value:.5g}') if math.isfinite(value) else \
            None if math.isnan(value) else str(value)
    return value
