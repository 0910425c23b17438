"""Rows of figures: what a claim expects, and whether it holds."""
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np

__all__ = [
    'HOLDS', 'NOT', 'PARTLY', 'Claim', 'Row', 'get', 'spread', 'verdict'
]

HOLDS, PARTLY, NOT = 'holds', 'holds partly', 'does not hold here'
Record = Dict[str, Any]
# One record per seed, by name of the training.
Records = Dict[str, List[Record]]


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
