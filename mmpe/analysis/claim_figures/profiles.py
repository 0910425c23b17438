"""Figures of curves: claims (d) to (g) and (i)."""
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from ..claims.codes import encoding_relations
from ..claims.networks import zero_padded
from ..claims.rows import Records
from ..patches import SPREADS
from .style import CODES, CSG, GREY, NONE, SPE, WIDTH, ZERO, Samples

__all__ = ['PROFILES']


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
    figure.set_size_inches(WIDTH, height * len(labels) + .9)
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
    """Titles of panels, by training."""
    return {
        name: label.replace(', ', ',\n')
        for name, label in zero_padded().items()
    }


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
            _line(ax, range(len(runs[0])), runs, ZERO)
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
        _line(ax, x, _of_deepest(records, name, 'ring_errors'), ZERO)
        ax.axhline(1, color=GREY, ls='--', lw=1)
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
        ('singan_zero-pad_80', 'zero padding', ZERO),
        ('singan_csg_no-pad_80', 'CSG, no padding', CSG),
        ('singan_spe_no-pad_80', 'SPE, no padding', SPE)):
        runs = _of_deepest(records, name, 'relation_profile')
        _line(grid[0], range(len(runs[0])), runs, colour, label)
        _line(grid[1], rings, _of_deepest(records, name, 'ring_errors'),
              colour)
    for ax in grid:
        ax.set_ylim(0, None)
    grid[1].axhline(1, color=GREY, ls='--', lw=1)
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
            ax.plot(offsets, mean, style, color=CODES[code], lw=1.8,
                    label=f'{float(factor):g} x the size')
            ax.fill_between(offsets, mean - band, mean + band,
                            color=CODES[code], alpha=.2, lw=0)
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
        for code, colour in CODES.items():
            _line(ax, SPREADS,
                  [[run[f'{code} {x}'][key] for x in SPREADS]
                   for run in runs], colour, f'told by {code}')
        none = [run['none'][key] for run in runs]
        ax.axhspan(min(none), max(none), color=NONE, alpha=.3, lw=0)
        ax.axhline(np.mean(none), color=NONE, label='told nothing')
        ax.set_xscale('log')
        ax.set_xticks(SPREADS, [f'{x:g}' for x in SPREADS])
        ax.minorticks_off()
        ax.title.set_fontweight('normal')
        ax.set_xlabel('spread τ, parts of the short side', fontsize=8)
    grid[1].legend(fontsize=8, frameon=False)
    figure.suptitle(
        'Patch diffusion: nothing is trained or padded, places are told their '
        'position (small τ: exactly)', fontsize=11)


PROFILES = dict(
    d=_draw_balance, e=_draw_vague, f=_draw_encodings, g=_draw_relations,
    i=_draw_patches)
