"""Rows of the table, and the table as Markdown."""
from typing import Dict, List, NamedTuple, Optional, Sequence

from .core import SIDES, Derived
from .measure import Seconds

__all__ = ['Row', 'derive', 'markdown']

_UNITS = ((3600, 'h'), (60, 'min'), (1, 's'), (1e-3, 'ms'))


class Row(NamedTuple):
    """Measurements of a workload; dicts have a value for each side.

    Args:
        name: Name of the workload.
        seconds: Time.
        flops: FLOPs of mmpe's convolutions and matrix products; MMagic's
            useful ones are the same.
        shares: Share of the machine's convolution rate.
        memory: Peak memory in bytes; empty if not measured.
        difference: Largest difference between the results.
        worst: Name of the result with this difference.
        tolerance: Largest difference allowed.
        notes: Remarks.
    """

    name: str
    seconds: Dict[str, Seconds]
    flops: int
    shares: Dict[str, float]
    memory: Dict[str, Optional[int]]
    difference: float
    worst: str
    tolerance: float
    notes: Sequence[str] = ()

    @property
    def agrees(self) -> bool:
        """Whether the results agree within the tolerance."""
        return self.difference <= self.tolerance

    @property
    def ratio(self) -> Optional[float]:
        """MMagic's time divided by mmpe's; None if the results differ."""
        if not self.agrees:
            return None
        return self.seconds['mmagic'].wall / self.seconds['mmpe'].wall


def derive(workload: Derived, rows: Dict[str, Row],
           rates: Dict[str, float]) -> Row:
    """Row of a workload whose time is derived from others."""
    parts = [(rows[name], factor) for name, factor in workload.parts.items()]
    seconds = {
        side: Seconds(
            *(sum(factor * getattr(row.seconds[side], kind)
                  for row, factor in parts) for kind in ('wall', 'cpu')), [])
        for side in SIDES
    }
    flops = sum(factor * row.flops for row, factor in parts)
    worst = max((row for row, _ in parts),
                key=lambda row: (not row.agrees, row.difference))
    memory = {
        side: max((row.memory.get(side) or 0 for row, _ in parts))
        for side in SIDES
    }
    return Row(workload.name, seconds, flops, shares(flops, seconds, rates),
               memory, worst.difference, worst.worst, worst.tolerance,
               sorted({note for row, _ in parts for note in row.notes}))


def shares(flops: float, seconds: Dict[str, Seconds],
           rates: Dict[str, float]) -> Dict[str, float]:
    """Share of the convolution rate that each side reaches."""
    return {
        side: flops / value.wall / rates[side]
        for side, value in seconds.items()
    }


def _time(seconds: float) -> str:
    factor, unit = next((unit for unit in _UNITS if seconds >= unit[0]),
                        _UNITS[-1])
    return f'{seconds / factor:.3g} {unit}'


def _memory(value: Optional[int]) -> str:
    return f'{value / 2**20:.0f} MiB' if value else '-'


def _cells(row: Row) -> List[str]:
    cells = [row.name]
    cells += [_time(row.seconds[side].wall) for side in SIDES]
    ratio = row.ratio
    cells.append('differs' if ratio is None else f'{ratio:.2f}')
    for side in SIDES:
        cells.append(f'{row.shares[side]:.0%}' if row.flops else '-')
    cells += [_memory(row.memory.get(side)) for side in SIDES]
    cells.append(f'{row.difference:.1e}')
    return cells


def markdown(rows: Sequence[Row], machine: Dict[str, object],
             rates: Dict[str, float], settings: str) -> str:
    """The table, below a line about the machine."""
    lines = [
        '{device}, {cores} cores, {threads} threads, {instructions}, '
        'torch {torch}; '.format(**machine) + settings + '; convolutions: ' +
        ', '.join(f'{rates[side] / 1e9:.0f} GFLOP/s ({side})'
                  for side in SIDES), '',
        '| Workload | MMagic | mmpe | Ratio | Rate, MMagic | Rate, mmpe | '
        'Memory, MMagic | Memory, mmpe | Difference |',
        '| :- | -: | -: | -: | -: | -: | -: | -: | -: |'
    ]
    lines += [f'| {" | ".join(_cells(row))} |' for row in rows]
    notes = [f'{row.name}: {note}' for row in rows for note in row.notes]
    return '\n'.join(lines + [''] * bool(notes) + notes)
