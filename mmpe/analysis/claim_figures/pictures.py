"""Figures of samples, with a bar for each: claims (a), (b) and (h)."""
from typing import Any, NamedTuple, Sequence, Tuple, Union

import numpy as np

from ..claims.networks import GANS
from ..claims.rows import Records, get, spread
from .style import CSG, NONE, REFLECT, SPE, WIDTH, ZERO, Samples

__all__ = ['PICTURES']

# (N, H, W, 3), or of several sizes.
Images = Union[np.ndarray, Sequence[np.ndarray]]


class _Variant(NamedTuple):
    """A row of images with its bars."""

    label: str
    colour: str
    images: Images
    bars: Sequence[Sequence[float]]  # for each bar, one figure per seed
    pale: bool = False


def _montage(images: Images, gap: int = 2) -> np.ndarray:
    """Images side by side on white, aligned at the top."""
    height = max(x.shape[0] for x in images)
    parts = []
    for x in images:
        tall = np.full((height, x.shape[1] + gap, 3), 255, np.uint8)
        tall[:x.shape[0], :x.shape[1]] = x
        parts.append(tall)
    return np.concatenate(parts, axis=1)[:, :-gap]


def _picture_rows(figure: Any,
                  title: str,
                  axis: str,
                  variants: Sequence[_Variant],
                  height: float,
                  limits: Tuple[float, float] = (0, 1),
                  names: Sequence[str] = ('', ),
                  pictures: float = 1.6) -> None:
    """Samples on the left, bars of means over seeds on the right."""
    figure.set_size_inches(WIDTH, height * len(variants) + 1)
    grid = figure.subplots(
        len(variants), 2, squeeze=False, width_ratios=(pictures, 1))
    for index, (variant, (left, right)) in enumerate(zip(variants, grid)):
        left.imshow(_montage(variant.images), interpolation='nearest')
        left.set_xticks([])
        left.set_yticks([])
        for spine in left.spines.values():
            spine.set_visible(False)
        left.set_ylabel(
            variant.label,
            fontsize=8,
            rotation=0,
            ha='right',
            va='center',
            color=variant.colour)
        _bars(right, variant, names)
        right.set_xlim(*limits)
        if index < len(variants) - 1:
            right.set_xticklabels([])
    grid[-1, 1].set_xlabel(axis, fontsize=8)
    figure.suptitle(title, fontsize=11)


def _bars(ax: Any, variant: _Variant, names: Sequence[str]) -> None:
    for place, values in enumerate(variant.bars):
        mean = float(np.mean(values))
        ax.barh(
            place,
            mean,
            .7,
            color=variant.colour,
            alpha=.4 if variant.pale or place else .9)
        ax.plot(values, [place] * len(values), 'o', color='k', ms=3)
        name = names[place] if len(names) > place else ''
        ax.text(
            max(mean, *values, 0) + .02,
            place,
            f'{spread([mean], 2)} {name}',
            va='center',
            fontsize=8)
    ax.set_ylim(len(variant.bars) - .4, -.6)
    ax.set_yticks([])
    ax.tick_params(labelsize=7)
    ax.axvline(0, color='k', lw=.6)
    for side in ('top', 'right', 'left'):
        ax.spines[side].set_visible(False)


def _draw_singan(figure: Any, records: Records, samples: Samples) -> None:
    zero, none = 'singan_zero-pad_80', 'singan_no-pad_80'

    def variant(label: str, colour: str, name: str, key: str = '1.0',
                pale: bool = False) -> _Variant:
        path = ('unpadded', 'layout_data') if key == 'unpadded' else (
            'layout_data', )
        return _Variant(label, colour, samples[name][0][key][:4],
                        [get(records, name, *path)], pale)

    photograph = samples[zero][0]['photograph'][:1]
    _picture_rows(
        figure,
        'SinGAN: what the layout comes from (four samples each; dots are '
        'seeds)',
        "layout: correlation with the\nphotograph's, 1 is the same", [
            _Variant('the photograph', 'k', photograph, [[1.]]),
            variant('zero padding', ZERO, zero),
            variant('the same networks,\nlarger input, cropped', ZERO, zero,
                    'unpadded', True),
            variant('trained without\npadding', NONE, none),
            variant('CSG, no padding', CSG, 'singan_csg_no-pad_80'),
            variant('SPE, no padding', SPE, 'singan_spe_no-pad_80')
        ],
        .85,
        limits=(-.1, 1.15))


def _draw_gans(figure: Any, records: Records, samples: Samples) -> None:
    variants = []
    for key, network in GANS.items():
        for cues, text, colour in (('zero-pad', 'zero padding', ZERO),
                                   ('reflect', 'reflection', REFLECT),
                                   ('flat', 'flat first map,\nzero padding',
                                    ZERO)):
            name = f'{key}_{cues}_32'
            variants.append(
                _Variant(f'{network}: {text}', colour,
                         samples[name][0]['1.0'],
                         [get(records, name, 'layout_data')]))
            if cues != 'reflect':
                variants.append(
                    _Variant('the same, larger input', colour,
                             samples[name][0]['unpadded'],
                             [get(records, name, 'unpadded', 'layout_data')],
                             True))
    _picture_rows(
        figure, 'What tells a generator the layout of faces: the first map, '
        'or zero padding (ten samples; dots are seeds)',
        'layout: agreement with that of the\nphotographs '
        f'(their own: {records["dcgan_flat_32"][0]["data_layout"]:.2f})',
        variants,
        .55,
        limits=(-.2, 1),
        pictures=2)


def _draw_resizing(figure: Any, records: Records, samples: Samples) -> None:
    variants = []
    for name, label, colour in (
        ('singan_zero-pad_80', 'zero padding', ZERO),
        ('singan_no-pad_80', 'no padding', NONE),
        ('singan_csg_zero-pad_80', 'CSG,\nzero padding', CSG),
        ('singan_csg_no-pad_80', 'CSG, no padding', CSG),
        ('singan_spe_zero-pad_80', 'SPE,\nzero padding', SPE),
        ('singan_spe_no-pad_80', 'SPE, no padding', SPE),
        ('context-singan_csg_80', 'ContextSinGAN,\nCSG', CSG),
        ('context-singan_spe_80', 'ContextSinGAN,\nSPE', SPE)):
        first = samples[name][0]
        variants.append(
            _Variant(
                label, colour,
                [first['1.0'][0], first['1.5'][0], first['2.0'][0]], [
                    get(records, name, 'sizes', '2.0', kind)
                    for kind in ('stretched', 'kept')
                ]))
    _picture_rows(
        figure, 'SinGAN at 1, 1.5 and 2 times the size of its training (dots '
        'are seeds)', 'layout at twice the size:\ncorrelation with the '
        "photograph's",
        variants,
        .95,
        limits=(-.4, 1.7),
        names=('all of it, stretched', 'its first part'))


PICTURES = dict(a=_draw_singan, b=_draw_gans, h=_draw_resizing)
