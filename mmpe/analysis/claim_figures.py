"""Figures of the claims; colours of paddings are those of ``report``."""
from typing import (Any, Dict, List, NamedTuple, Optional, Sequence, Tuple,
                    Union)

import numpy as np

from mmpe.utils.files import PathLike
from .claims import GANS, SINGAN, Records, Row, encoding_relations, get, spread
from .patches import SPREADS
from .report import COLOURS

__all__ = ['draw_claim']

# (N, H, W, 3), or of several sizes.
Images = Union[np.ndarray, Sequence[np.ndarray]]
Samples = Dict[str, List[Dict[str, np.ndarray]]]

_ZERO, _NONE, _REFLECT = (COLOURS[mode]
                          for mode in ('zeros', 'none', 'reflect'))
_CSG, _SPE, _GREY = '#222222', '#d976a8', '#888888'
_WIDTH = 8.8  # inches, 100 pixels each
_CODES = dict(CSG=_CSG, SPE=_SPE)


class _Variant(NamedTuple):
    """A row of images with its bars."""

    label: str
    colour: str
    images: Images
    bars: Sequence[Sequence[float]]  # for each bar, one figure per seed
    pale: bool = False


def draw_claim(letter: str, rows: Sequence[Row], records: Records,
               samples: Samples, path: PathLike) -> None:
    """Draw the figure of a claim.

    Args:
        letter: Letter of the claim.
        rows: Rows of the claim.
        records: Records of all seeds, by name of the training.
        samples: Samples of all seeds, by name of the training.
        path: PNG file to write.
    """
    from matplotlib.figure import Figure
    figure = Figure(layout='constrained')
    figure.set_size_inches(_WIDTH, 3)
    _DRAW[letter](figure, records, samples)
    figure.savefig(path, dpi=100, format='png')


# --- pictures with bars ------------------------------------------------------


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
    figure.set_size_inches(_WIDTH, height * len(variants) + 1)
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
            variant('zero padding', _ZERO, zero),
            variant('the same networks,\nlarger input, cropped', _ZERO, zero,
                    'unpadded', True),
            variant('trained without\npadding', _NONE, none),
            variant('CSG, no padding', _CSG, 'singan_csg_no-pad_80'),
            variant('SPE, no padding', _SPE, 'singan_spe_no-pad_80')
        ],
        .85,
        limits=(-.1, 1.15))


def _draw_gans(figure: Any, records: Records, samples: Samples) -> None:
    variants = []
    for key, network in GANS.items():
        for cues, text, colour in (('zero-pad', 'zero padding', _ZERO),
                                   ('reflect', 'reflection', _REFLECT),
                                   ('flat', 'flat first map,\nzero padding',
                                    _ZERO)):
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
        ('singan_zero-pad_80', 'zero padding', _ZERO),
        ('singan_no-pad_80', 'no padding', _NONE),
        ('singan_csg_zero-pad_80', 'CSG,\nzero padding', _CSG),
        ('singan_csg_no-pad_80', 'CSG, no padding', _CSG),
        ('singan_spe_zero-pad_80', 'SPE,\nzero padding', _SPE),
        ('singan_spe_no-pad_80', 'SPE, no padding', _SPE),
        ('context-singan_csg_80', 'ContextSinGAN,\nCSG', _CSG),
        ('context-singan_spe_80', 'ContextSinGAN,\nSPE', _SPE)):
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


# --- bars --------------------------------------------------------------------


def _draw_fidelity(figure: Any, records: Records, samples: Samples) -> None:
    figure.set_size_inches(_WIDTH, 4.2)
    networks = [(name, [(f'{key}_zero-pad_32', 'zero', _ZERO),
                        (f'{key}_reflect_32', 'reflect', _REFLECT),
                        (f'{key}_flat_32', 'flat', _ZERO)])
                for key, name in GANS.items()]
    networks += [('MS-PIE, SPE', [('mspie_spe_32-48', 'zero', _ZERO),
                                  ('mspie_spe_no-pad_32-48', 'none', _NONE)]),
                 (SINGAN, [('singan_zero-pad_80', 'zero', _ZERO),
                           ('singan_no-pad_80', 'none', _NONE)])]
    grid = figure.subplots(2, len(networks))
    for (title, bars), column in zip(networks, grid.T):
        column[0].set_title(title, fontsize=9, fontweight='bold')
        second = 'sifid' if title == SINGAN else 'kid'
        for ax, key in zip(column, ('swd', second)):
            for place, (name, label, colour) in enumerate(bars):
                values = get(records, name, key)
                ax.bar(place, np.mean(values), .75, color=colour,
                       alpha=.45 if label == 'flat' else .9)
                ax.plot([place] * len(values), values, 'o', color='k', ms=3)
            ax.set_xticks(
                range(len(bars)), [label for _, label, _ in bars], fontsize=8)
            ax.tick_params(axis='y', labelsize=7)
            ax.set_ylim(0, None)
        column[1].set_ylabel(
            'SIFID-EffLite0' if title == SINGAN else 'EffLite0-KID x 1000',
            fontsize=8)
    grid[0, 0].set_ylabel('SWD', fontsize=8)
    figure.suptitle(
        'Distance to the data, lower is better (dots are seeds; "flat": only '
        'zero padding tells the place)', fontsize=11)


# --- profiles ----------------------------------------------------------------


def _line(ax: Any, x: Sequence[float], runs: Sequence[Sequence[Any]],
          colour: str, label: Optional[str] = None, style: str = '-') -> None:
    """Mean and range over seeds; missing and infinite values are gaps."""
    values = np.array([[np.nan if y is None else float(y) for y in run]
                       for run in runs])
    values[~np.isfinite(values)] = np.nan
    ax.plot(x, values.mean(0), style, color=colour, lw=1.6, marker='.', ms=4,
            label=label)
    ax.fill_between(x, values.min(0), values.max(0), color=colour, alpha=.2,
                    lw=0)


def _of_deepest(records: Records, name: str, key: str) -> List[List[Any]]:
    return [record['deepest'][key] for record in records[name]]


def _panels(figure: Any, titles: Sequence[str], labels: Sequence[str],
            height: float) -> np.ndarray:
    """Axes (rows, columns) with titles and row labels."""
    figure.set_size_inches(_WIDTH, height * len(labels) + .9)
    grid = figure.subplots(len(labels), len(titles), squeeze=False)
    for ax, title in zip(grid[0], titles):
        ax.set_title(title, fontsize=9, fontweight='bold')
    for ax, label in zip(grid[:, 0], labels):
        ax.set_ylabel(label, fontsize=8)
    for ax in grid.flat:
        ax.tick_params(labelsize=7)
        ax.grid(alpha=.25)
    for ax in grid[-1]:
        ax.set_xlabel('cells to the border', fontsize=8)
    return grid


def _padded() -> Dict[str, str]:
    return dict({'singan_zero-pad_80': SINGAN}, **{
        f'{key}_flat_32': f'{name},\nflat first map'
        for key, name in GANS.items()
    })


def _draw_balance(figure: Any, records: Records, samples: Samples) -> None:
    names = _padded()
    grid = _panels(
        figure, list(names.values()),
        ['step of the mean\nfeature, deviations',
         'change by padding,\ndB of the features'], 1.6)
    for name, (step, change) in zip(names, grid.T):
        for ax, key in ((step, 'relation_profile'),
                        (change, 'padding_db_profile')):
            runs = _of_deepest(records, name, key)
            _line(ax, range(len(runs[0])), runs, _ZERO)
        change.set_xlim(step.get_xlim())  # even if nothing changes
        step.set_ylim(0, None)
    figure.suptitle(
        'Zero padding alone: how far the deepest layer tells a place from its '
        'neighbour, from the border (0)\nto the middle, and what padding '
        'changes', fontsize=11)


def _draw_vague(figure: Any, records: Records, samples: Samples) -> None:
    names = _padded()
    grid = _panels(figure, list(names.values()),
                   ['error of the place read,\nin parts of guessing'], 2.2)
    for name, ax in zip(names, grid[0]):
        x = records[name][0]['deepest']['rings']
        _line(ax, x, _of_deepest(records, name, 'ring_errors'), _ZERO)
        ax.axhline(1, color=_GREY, ls='--', lw=1)
        ax.set_ylim(0, 1.1)
    figure.suptitle(
        'Zero padding alone: places read from one cell by a linear probe (1, '
        'dashed: nothing is known)', fontsize=11)


def _draw_encodings(figure: Any, records: Records, samples: Samples) -> None:
    grid = _panels(
        figure, [
            'what a step to the neighbour changes',
            'the place that is read from one cell'
        ], ['step of the mean feature, deviations'], 2.6)[0]
    grid[1].set_ylabel('error, in parts of guessing', fontsize=8)
    rings = records['singan_zero-pad_80'][0]['deepest']['rings']
    for name, label, colour in (
        ('singan_zero-pad_80', 'zero padding', _ZERO),
        ('singan_csg_no-pad_80', 'CSG, no padding', _CSG),
        ('singan_spe_no-pad_80', 'SPE, no padding', _SPE)):
        runs = _of_deepest(records, name, 'relation_profile')
        _line(grid[0], range(len(runs[0])), runs, colour, label)
        _line(grid[1], rings, _of_deepest(records, name, 'ring_errors'),
              colour)
    for ax in grid:
        ax.set_ylim(0, None)
    grid[1].axhline(1, color=_GREY, ls='--', lw=1)
    grid[0].legend(fontsize=8, frameon=False)
    figure.suptitle(
        "SinGAN's deepest layer: is each place told as much as the border? "
        '(1, dashed: nothing is known)',
        fontsize=11)


def _draw_relations(figure: Any, records: Records, samples: Samples) -> None:
    offsets = tuple(range(1, 13))
    relations = encoding_relations(offsets=offsets)
    grid = _panels(
        figure, [f'{code} itself' for code in relations],
        ['distance of the codes'], 2.6)[0]
    for ax, (code, factors) in zip(grid, relations.items()):
        for factor, style in zip(factors, ('-', '--', ':')):
            mean = np.array([x['distance'] for x in factors[factor]])
            band = mean * [x['variation'] for x in factors[factor]]
            ax.plot(offsets, mean, style, color=_CODES[code], lw=1.8,
                    label=f'{float(factor):g} x the size')
            ax.fill_between(offsets, mean - band, mean + band,
                            color=_CODES[code], alpha=.2, lw=0)
        ax.set_xlabel('distance of the places, cells', fontsize=8)
        ax.set_ylim(0, None)
        ax.legend(fontsize=8, frameon=False)
    figure.suptitle(
        'How far apart two places are told to be, wherever they are (the '
        'lines of SPE coincide)',
        fontsize=11)


def _draw_patches(figure: Any, records: Records, samples: Samples) -> None:
    keys = dict(
        layout='layout: correlation with\nthe photograph, higher',
        swd='SWD, lower',
        coverage="coverage: part of the photo's\npatches found, higher")
    grid = _panels(figure, list(keys.values()), [''], 2.5)[0]
    runs = records['patches']
    for ax, key in zip(grid, keys):
        for code, colour in _CODES.items():
            _line(ax, SPREADS,
                  [[run[f'{code} {x}'][key] for x in SPREADS]
                   for run in runs], colour, f'told by {code}')
        none = [run['none'][key] for run in runs]
        ax.axhspan(min(none), max(none), color=_NONE, alpha=.3, lw=0)
        ax.axhline(np.mean(none), color=_NONE, label='told nothing')
        ax.set_xscale('log')
        ax.set_xticks(SPREADS, [f'{x:g}' for x in SPREADS])
        ax.minorticks_off()
        ax.title.set_fontweight('normal')
        ax.set_xlabel('spread τ, parts of the short side', fontsize=8)
    grid[1].legend(fontsize=8, frameon=False)
    figure.suptitle(
        'Patch diffusion: nothing is trained or padded, places are told their '
        'position (small τ: exactly)', fontsize=11)


_DRAW = dict(
    a=_draw_singan,
    b=_draw_gans,
    c=_draw_fidelity,
    d=_draw_balance,
    e=_draw_vague,
    f=_draw_encodings,
    g=_draw_relations,
    h=_draw_resizing,
    i=_draw_patches)
