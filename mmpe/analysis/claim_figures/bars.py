"""Figure of the distances to the data: claim (c)."""
from typing import Any

import numpy as np

from ..claims.networks import GANS, SINGAN
from ..claims.rows import Records, get
from .style import NONE, REFLECT, WIDTH, ZERO, Samples

__all__ = ['BARS']


def _draw_fidelity(figure: Any, records: Records, samples: Samples) -> None:
    figure.set_size_inches(WIDTH, 4.2)
    networks = [(name, [(f'{key}_zero-pad_32', 'zero', ZERO),
                        (f'{key}_reflect_32', 'reflect', REFLECT),
                        (f'{key}_flat_32', 'flat', ZERO)])
                for key, name in GANS.items()]
    networks += [('MS-PIE, SPE', [('mspie_spe_32-48', 'zero', ZERO),
                                  ('mspie_spe_no-pad_32-48', 'none', NONE)]),
                 (SINGAN, [('singan_zero-pad_80', 'zero', ZERO),
                           ('singan_no-pad_80', 'none', NONE)])]
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


BARS = dict(c=_draw_fidelity)
