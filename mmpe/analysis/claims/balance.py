"""Claims (d) to (f): whether each place is told as much as the others.

The location share of a linear ramp, the most balanced of all codes, is largest
at the border. So balance is measured by the change per step.
"""
from typing import Dict, List

import numpy as np

from .codes import encoding_relations
from .networks import SINGAN, SINGANS, zero_padded
from .rows import Claim, Record, Records, Row

__all__ = ['BALANCE']


def _at_border(record: Record) -> float:
    return record['deepest']['relation_profile'][0]


def _in_middle(record: Record) -> float:
    """Mean over the inner half of the distances to the border."""
    values = record['deepest']['relation_profile']
    return float(np.mean(values[len(values) // 2:]))


def _unbalanced(records: Records) -> List[Row]:
    return [
        Row(label, 'what a step to the neighbour changes, in deviations',
            'at the border',
            [_at_border(x) for x in records[name]], 'inner half',
            [_in_middle(x) for x in records[name]])
        for name, label in zero_padded().items()
    ]


def _vague(records: Records) -> List[Row]:
    return [
        Row(label, 'error of a place that is read from one cell, in parts of '
            'that of guessing', 'inner half',
            [float(np.mean(x)) for x in _inner_errors(records[name])],
            'at the border',
            [x['deepest']['ring_errors'][0] for x in records[name]])
        for name, label in zero_padded().items()
    ]


def _inner_errors(records: List[Record]) -> List[List[float]]:
    """Errors in the inner half of the distances to the border."""
    rings = [x['deepest']['ring_errors'] for x in records]
    return [[x for x in errors[len(errors) // 2:] if x is not None]
            for errors in rings]


def _imbalance(record: Record) -> float:
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
                'inner half', label, [_imbalance(x) for x in explicit],
                'zero padding', [_imbalance(x) for x in zero], '<'),
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


BALANCE: Dict[str, Claim] = {
    'd':
    Claim('What zero padding says is unbalanced: much at the border, little '
          'in the middle', list(zero_padded()), _unbalanced),
    'e':
    Claim('It is vague: the farther from the border, the less exact is the '
          'place', list(zero_padded()), _vague),
    'f':
    Claim('CSG and SPE are balanced', [SINGANS[0], *SINGANS[2:4]], _balanced)
}
