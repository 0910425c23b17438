"""Claims of the paper's abstract, as rows of figures with a verdict."""
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np
import torch

from mmpe.models.layers.positional_encoding import (
    CartesianGrid, SinusoidalPositionalEmbedding)
from mmpe.utils.tables import markdown_table

__all__ = [
    'CLAIMS', 'Claim', 'Row', 'encoding_relations', 'get', 'table', 'verdict'
]

HOLDS, PARTLY, NOT = 'holds', 'holds partly', 'does not hold here'
Record = Dict[str, Any]
# One record per seed, by name of the training.
Records = Dict[str, List[Record]]
# Distances between codes, by size and offset.
Relations = Dict[str, List[Dict[str, float]]]

SINGAN = 'SinGAN'
_NOTHING = -100.  # in dB; anything below is rounding
GANS = dict(dcgan='DCGAN', pggan='PGGAN', stylegan2='StyleGAN2')
_SINGANS = [
    f'singan_{name}_80' for name in
    ('zero-pad', 'no-pad', 'csg_no-pad', 'spe_no-pad', 'csg_zero-pad',
     'spe_zero-pad')
] + ['context-singan_csg_80', 'context-singan_spe_80']
_GANS = [f'{name}_{cues}_32' for name in GANS
         for cues in ('zero-pad', 'reflect', 'flat')]
_MSPIES = ['mspie_spe_32-48', 'mspie_spe_no-pad_32-48']


class Row(NamedTuple):
    """Two sets of figures, and which one the claim expects to be larger.

    Attributes:
        architecture: The compared networks.
        measure: Name of the figure.
        first, second: Names of the two sets.
        a, b: One figure per seed in each set.
        expects: Expected relation of ``a`` to ``b``, '>' or '<'.
        digits: Number of decimals.
    """

    architecture: str
    measure: str
    first: str
    a: Sequence[float]
    second: str
    b: Sequence[float]
    expects: str = '>'
    digits: int = 2

    @property
    def holds(self) -> bool:
        """Whether the relation holds for all pairs of seeds."""
        if self.expects == '>':
            return min(self.a) > max(self.b)
        return max(self.a) < min(self.b)


class Claim(NamedTuple):
    """A claim, its trainings and its rows."""

    text: str
    trainings: Sequence[str]
    rows: Callable[[Records], List[Row]]


def get(records: Records, name: str, *path: str) -> List[float]:
    """Values of a figure for all seeds.

    Args:
        records: Records of all seeds, by name of the training.
        name: Name of the training.
        path: Keys to the figure in a record.
    """
    values = []
    for record in records[name]:
        value: Any = record
        for key in path:
            value = value[key]
        values.append(float('nan') if value is None else float(value))
    return values


# --- (a) to (c): where layout comes from, and what it is worth ---------------


def _layout_of_singan(records: Records) -> List[Row]:
    zero, none = 'singan_zero-pad_80', 'singan_no-pad_80'
    return [
        Row(SINGAN, 'layout, correlation with the photograph', 'zero padding',
            get(records, zero, 'layout_data'), 'trained without padding',
            get(records, none, 'layout_data')),
        Row(SINGAN, 'layout, correlation with the photograph', 'zero padding',
            get(records, zero, 'layout_data'),
            'the same network on a larger input, cropped',
            get(records, zero, 'unpadded', 'layout_data')),
        Row(SINGAN, 'location share of the image', 'zero padding',
            get(records, zero, 'output', 'share'), 'trained without padding',
            get(records, none, 'output', 'share')),
        *(Row(SINGAN, 'layout, correlation with the photograph',
              f'{code.upper()}, no padding',
              get(records, f'singan_{code}_no-pad_80', 'layout_data'),
              'no padding, no encoding', get(records, none, 'layout_data'))
          for code in ('csg', 'spe'))
    ]


def _layout_of_gans(records: Records) -> List[Row]:
    rows = []
    for key, name in GANS.items():
        zero, reflect, flat = (f'{key}_{cues}_32'
                               for cues in ('zero-pad', 'reflect', 'flat'))
        measure = 'layout, agreement with the data'
        rows += [
            Row(name, 'part of the way from the border to the middle that '
                'zero padding reaches', 'flat first map',
                [_reach(x) for x in records[flat]], 'bound', [0.99]),
            Row(name, measure, 'flat first map, zero padding',
                get(records, flat, 'layout_data'),
                'the same network on a larger input, cropped',
                get(records, flat, 'unpadded', 'layout_data')),
            Row(name, measure, 'zero padding',
                get(records, zero, 'layout_data'),
                'the same network on a larger input, cropped',
                get(records, zero, 'unpadded', 'layout_data')),
            Row(name, measure, 'zero padding',
                get(records, zero, 'layout_data'), 'trained with reflection',
                get(records, reflect, 'layout_data'))
        ]
    return rows


def _reach(record: Record) -> float:
    """Fraction of distances to the border where padding changes the image."""
    profile = record['output']['padding_db_profile']
    return float(np.mean([float(x) > _NOTHING for x in profile]))


def _fidelity(records: Records) -> List[Row]:
    rows = []
    pairs = [(name, f'{key}_zero-pad_32', f'{key}_reflect_32', 'reflection')
             for key, name in GANS.items()]
    pairs.append(('MS-PIE, SPE', 'mspie_spe_32-48', 'mspie_spe_no-pad_32-48',
                  'no padding'))
    for name, zero, other, label in pairs:
        for key, measure in (('swd', 'SWD'), ('kid', 'EffLite0-KID x 1000')):
            rows.append(
                Row(name, measure, 'zero padding', get(records, zero, key),
                    label, get(records, other, key), '<', 0))
    for key, measure in (('swd', 'SWD'), ('sifid', 'SIFID-EffLite0')):
        rows.append(
            Row(SINGAN, measure, 'zero padding',
                get(records, 'singan_zero-pad_80', key), 'no padding',
                get(records, 'singan_no-pad_80', key), '<', 0))
    return rows


# --- (d) to (f): balance -----------------------------------------------------


# The location share of a linear ramp, the most balanced of all codes, is
# largest at the border. So balance is measured by the change per step.


def _at_border(record: Record) -> float:
    return record['deepest']['relation_profile'][0]


def _in_middle(record: Record) -> float:
    """Mean over the inner half of the distances to the border."""
    values = record['deepest']['relation_profile']
    return float(np.mean(values[len(values) // 2:]))


def _zero_padded() -> Dict[str, str]:
    """Networks with zero padding as their only spatial cue."""
    return dict({'singan_zero-pad_80': SINGAN}, **{
        f'{key}_flat_32': f'{name}, flat first map'
        for key, name in GANS.items()
    })


def _unbalanced(records: Records) -> List[Row]:
    return [
        Row(label, 'what a step to the neighbour changes, in deviations',
            'at the border',
            [_at_border(x) for x in records[name]], 'inner half',
            [_in_middle(x) for x in records[name]])
        for name, label in _zero_padded().items()
    ]


def _vague(records: Records) -> List[Row]:
    return [
        Row(label, 'error of a place that is read from one cell, in parts of '
            'that of guessing', 'inner half',
            [float(np.mean(x)) for x in _inner_errors(records[name])],
            'at the border',
            [x['deepest']['ring_errors'][0] for x in records[name]])
        for name, label in _zero_padded().items()
    ]


def _inner_errors(records: List[Record]) -> List[List[float]]:
    """Errors in the inner half of the distances to the border."""
    rings = [x['deepest']['ring_errors'] for x in records]
    return [[x for x in errors[len(errors) // 2:] if x is not None]
            for errors in rings]


def imbalance(record: Record) -> float:
    """Absolute log2 of the ratio of the steps at the border and inside."""
    return float(
        abs(np.log2(max(_at_border(record), 1e-3) /
                    max(_in_middle(record), 1e-3))))


def _balanced(records: Records) -> List[Row]:
    zero = records['singan_zero-pad_80']
    rows = []
    for code in ('csg', 'spe'):
        explicit = records[f'singan_{code}_no-pad_80']
        label = f'{code.upper()}, no padding'
        rows += [
            Row(SINGAN, 'imbalance of what a step changes, log2 of border to '
                'inner half', label, [imbalance(x) for x in explicit],
                'zero padding', [imbalance(x) for x in zero], '<'),
            Row(SINGAN, 'its variation over the distances to the border, '
                'deviation over mean', label,
                [_variation(x) for x in explicit], 'zero padding',
                [_variation(x) for x in zero], '<')
        ]
    for code, x in encoding_relations().items():
        rows.append(
            Row(f'{code} itself', 'variation over places of what a step to '
                'the neighbour changes', code, [x['1.0'][0]['variation']],
                'bound', [1e-3], '<', 3))
    return rows


def _variation(record: Record) -> float:
    """Coefficient of variation of the profile of steps."""
    values = np.array(record['deepest']['relation_profile'], float)
    return float(values.std() / max(values.mean(), 1e-9))


# --- (g), (h): relations and sizes -------------------------------------------


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


def _relations(records: Records) -> List[Row]:
    relations = encoding_relations()
    spe, csg = relations['SPE'], relations['CSG']

    def variation(codes: Relations) -> float:
        return max(x['variation'] for x in codes['1.0'])

    def stretch(codes: Relations) -> float:
        return codes['2.0'][0]['distance'] / codes['1.0'][0]['distance']

    same = 'largest variation over places of the distance of codes'
    step = 'step to the neighbour at twice the size, in parts of that before'
    return [
        Row('SPE itself', same, 'SPE', [variation(spe)], 'bound', [1e-3], '<',
            3),
        Row('CSG itself', same, 'CSG', [variation(csg)], 'bound', [1e-3], '<',
            3),
        Row('SPE itself', step, 'SPE', [stretch(spe)], 'bound', [0.99]),
        Row('CSG itself', step, 'CSG', [stretch(csg)], 'SPE', [stretch(spe)],
            '<')
    ]


def _resizing(records: Records) -> List[Row]:
    rows = []
    for factor in ('1.5', '2.0'):
        for code, kind, other in (('csg', 'stretched', 'kept'),
                                  ('spe', 'kept', 'stretched')):
            for label, name in (
                (f'{SINGAN}, {code.upper()}, zero padding',
                 f'singan_{code}_zero-pad_80'),
                (f'{SINGAN}, {code.upper()}, no padding',
                 f'singan_{code}_no-pad_80'),
                (f'ContextSinGAN, {code.upper()}',
                 f'context-singan_{code}_80')):
                path = name, 'sizes', factor
                rows.append(
                    Row(label,
                        f'layout at {factor} times the size', _KINDS[kind],
                        get(records, *path, kind), _KINDS[other],
                        get(records, *path, other)))
    return rows


_KINDS = dict(
    stretched='all of it like the photograph, stretched',
    kept='its first part like the photograph')


# --- (i) ---------------------------------------------------------------------


def _patches(records: Records) -> List[Row]:
    """Rows of patch diffusion: a small spread against no positions."""
    rows = []
    for code in ('CSG', 'SPE'):
        told, none = (
            [run[name] for run in records['patches']]
            for name in (f'{code} 0.06', 'none'))
        for key, expects, digits in (('layout', '>', 2), ('swd', '<', 0),
                                     ('coverage', '>', 2)):
            rows.append(
                Row('patch diffusion', {
                    'swd': 'SWD'
                }.get(key, key), f'{code}, τ = 0.06', [x[key] for x in told],
                    'no positions', [x[key] for x in none], expects, digits))
    return rows


_ABSTRACT_C = ('"Indispensable for generating images with high fidelity": '
               'trained alike without zero padding, images are worse')
CLAIMS: Dict[str, Claim] = {
    'a':
    Claim('Zero padding is where SinGAN has its layout from', _SINGANS[:4],
          _layout_of_singan),
    'b':
    Claim('The same in StyleGAN2, DCGAN and PGGAN', _GANS, _layout_of_gans),
    'c':
    Claim(_ABSTRACT_C,
          _GANS + _SINGANS[:2] + _MSPIES, _fidelity),
    'd':
    Claim('What zero padding says is unbalanced: much at the border, little '
          'in the middle', list(_zero_padded()), _unbalanced),
    'e':
    Claim('It is vague: the farther from the border, the less exact is the '
          'place', list(_zero_padded()), _vague),
    'f':
    Claim('CSG and SPE are balanced',
          [_SINGANS[0], *_SINGANS[2:4]], _balanced),
    'g':
    Claim("SPE's relation between places is the same everywhere, CSG's "
          'stretches with the size', [], _relations),
    'h':
    Claim('At another size CSG stretches the structure, and SPE goes on',
          _SINGANS, _resizing),
    'i':
    Claim('Beyond the abstract: positions alone make the layout, without '
          'padding and training', [], _patches)
}


def verdict(rows: Sequence[Row]) -> str:
    """Verdict of all rows: 'holds', 'holds partly' or 'does not hold here'."""
    kept = [row.holds for row in rows]
    return HOLDS if all(kept) else PARTLY if any(kept) else NOT


def spread(values: Sequence[float], digits: int) -> str:
    """Mean over seeds, and the largest deviation from it."""
    mean = float(np.mean(values))
    text = f'{round(mean, digits) + 0.:.{digits}f}'  # no -0
    if len(values) > 1:
        text += f' ± {np.abs(np.array(values) - mean).max():.{digits}f}'
    return text


def table(rows: Dict[str, List[Row]]) -> str:
    """Markdown table of the claims.

    Args:
        rows: Rows of each claim.

    Returns:
        A line per claim with its verdict, followed by a line per row.
    """
    lines = [[
        'claim', 'architecture', 'measure', 'figure', 'beside', 'seeds',
        'verdict'
    ]]
    for letter, mine in rows.items():
        lines.append([f'**({letter})** {CLAIMS[letter].text}', '', '', '', '',
                      '', f'**{verdict(mine)}**'])
        for row in mine:
            lines.append([
                '', row.architecture, row.measure,
                f'{row.first}: {spread(row.a, row.digits)}',
                f'{row.second}: {spread(row.b, row.digits)}',
                str(len(row.a)) if len(row.a) > 1 else '-',
                HOLDS if row.holds else NOT
            ])
    return markdown_table(lines)
