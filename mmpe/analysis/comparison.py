"""Figures of models at several sizes: stored, averaged and drawn."""
import json
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import numpy as np

from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.tables import markdown_table

__all__ = ['Measurements', 'curve_sizes', 'draw_curves', 'tables']

_KEYS = ('row', 'run', 'checkpoint', 'iteration', 'minutes', 'seconds',
         'trained', 'distances', 'similarity')
_COLOURS = ('#2e86ab', '#d1495b', '#3a9d5d', '#b08040', '#8d6cab', '#555555',
            '#e08e45', '#47a8a0', '#111111', '#d98cb3')
_DRAWN = ('SWD', 'EffLite0-KID x 1000')
Entry = Dict[str, Any]
# For each figure, its values for all runs of a row.
Values = Dict[str, List[float]]


class Measurements:
    """Measurements of checkpoints, stored in a JSON file.

    Stored figures are not measured again, even on a machine without the
    checkpoints. Each of ``entries`` is a dict:

    - ``row``, ``run``, ``checkpoint``, ``iteration``: the checkpoint; runs of
      a row differ in the seed;
    - ``minutes``, ``seconds``: duration of training and evaluation;
    - ``trained``: labels of the sizes in training;
    - ``distances``: figures by name, by label of the size ('48x64', height
      first);
    - ``similarity``: SelfSSIM by pair of sizes.

    Args:
        path: The file, read if it exists; None stores nothing.
        settings: Settings that figures depend on besides the checkpoint; None
            takes the file's.

    Raises:
        ValueError: The file is not such a file, or has other settings.
    """

    def __init__(self, path: Optional[PathLike],
                 settings: Optional[Dict[str, Any]]) -> None:
        self.path = path
        self.settings = settings
        self.entries: List[Entry] = []
        if path is None or not Path(path).is_file():
            return
        kept = _read(Path(path))
        if settings not in (None, kept['settings']):
            raise ValueError(f'{str(path)!r} was measured with '
                             f'{kept["settings"]} instead of {settings}: use '
                             'another file.')
        self.settings, self.entries = kept['settings'], kept['checkpoints']

    def entry(self, row: str, run: str, checkpoint: str) -> Entry:
        """Entry of a checkpoint, created empty if it is missing.

        Args:
            row: Name of the row.
            run: Name of the run.
            checkpoint: Name of the checkpoint.
        """
        for entry in self.entries:
            if (entry['row'], entry['run'],
                    entry['checkpoint']) == (row, run, checkpoint):
                return entry
        self.entries.append(
            dict(
                row=row,
                run=run,
                checkpoint=checkpoint,
                iteration=None,
                minutes=None,
                seconds=0.,
                trained=[],
                distances={},
                similarity={}))
        return self.entries[-1]

    def save(self) -> None:
        """Write the file atomically."""
        if self.path is not None:
            text = json.dumps(
                dict(settings=self.settings, checkpoints=self.entries),
                indent=1)
            with atomic_write(self.path) as temporary:
                temporary.write_text(text + '\n')

    def rows(self) -> Dict[str, Dict[str, List[Entry]]]:
        """Entries by row and run, sorted by iteration."""
        rows: Dict[str, Dict[str, List[Entry]]] = {}
        for entry in sorted(self.entries, key=_iteration):
            rows.setdefault(entry['row'], {}).setdefault(
                entry['run'], []).append(entry)
        return {row: rows[row] for row in dict.fromkeys(
            entry['row'] for entry in self.entries)}


def _iteration(entry: Entry) -> int:
    return entry['iteration'] or 0


def _read(path: Path) -> Dict[str, Any]:
    try:
        kept = json.loads(path.read_text())
        if not all(set(entry) == set(_KEYS) for entry in kept['checkpoints']):
            raise KeyError
        kept['settings']
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError(f'{str(path)!r} has no measurements of this '
                         'command.') from None
    return kept


def tables(measured: Measurements, last: int) -> List[str]:
    """Tables of distances, similarities and times.

    Args:
        measured: The measurements.
        last: Number of last checkpoints of each run to average. Runs are
            averaged afterwards; half of their range follows the mean.

    Returns:
        Lines of text.
    """
    rows = {row: list(_last(runs, last).values())
            for row, runs in measured.rows().items()}
    labels = {label for runs in rows.values() for run in runs
              for entry in run for label in entry['distances']}
    distances = {}
    for label in sorted(labels, key=_area):
        for row, runs in rows.items():
            values = _averages(runs, _distances_at(label))
            if values:
                distances[f'{label} {row}{_how(runs, label)}'] = values
    settings = measured.settings or {}
    lines = [
        f'Distances of {settings.get("num")} images to '
        f'{settings.get("num")} real ones:',
        _table('size', distances)
    ]
    similar = {row: values for row, runs in rows.items() if (
        values := _averages(runs, lambda x: x['similarity']))}
    if similar:
        lines += ['\nSimilarity of one latent at two sizes (SelfSSIM):',
                  _table('row', similar)]
    times = {row: _averages(runs, _times) for row, runs in rows.items()}
    lines += ['\nMinutes of a run, and of the evaluation of a checkpoint:',
              _table('row', times)]
    return lines


def _last(runs: Dict[str, List[Entry]], num: int) -> Dict[str, List[Entry]]:
    return {run: entries[-num:] for run, entries in runs.items()}


def _area(label: str) -> Tuple[int, ...]:
    height, width = map(int, label.split('x'))
    return height * width, height


def _how(runs: List[List[Entry]], label: str) -> str:
    """Note on a size at which the model was not trained."""
    trained = runs[0][-1]['trained']
    if label in trained:
        return ''
    return ', untrained' if len(trained) > 1 else ', resized'


def _distances_at(label: str) -> Callable[[Entry], Dict[str, float]]:
    return lambda entry: entry['distances'].get(label, {})


def _times(entry: Entry) -> Dict[str, float]:
    times = dict(training=entry['minutes'], evaluation=entry['seconds'] / 60)
    return {name: value for name, value in times.items() if value is not None}


def _averages(runs: List[List[Entry]],
              figures: Callable[[Entry], Dict[str, float]]) -> Values:
    """Means over the checkpoints of each run."""
    values: Values = {}
    for run in runs:
        found = [x for x in map(figures, run) if x]
        for name in dict.fromkeys(name for x in found for name in x):
            values.setdefault(name, []).append(
                float(np.mean([x[name] for x in found if name in x])))
    return values


def _table(head: str, rows: Dict[str, Values]) -> str:
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    return markdown_table([[head, *names]] + [
        [row, *(_cell(values.get(name)) for name in names)]
        for row, values in rows.items()
    ])


def _cell(values: Optional[List[float]]) -> str:
    """Mean over runs, and half of their range if there are several."""
    if not values:
        return ''
    mean = f'{np.mean(values):.4g}'
    return mean if len(values) == 1 else (
        f'{mean} ± {(max(values) - min(values)) / 2:.2g}')


def curve_sizes(measured: Measurements) -> List[str]:
    """Sizes at which curves can be drawn.

    Args:
        measured: The measurements, finished or not.

    Returns:
        Labels of the trained sizes, smallest first.

    Raises:
        ValueError: No run has two checkpoints with known iterations.
    """
    sizes = {
        label for runs in measured.rows().values()
        for entries in runs.values()
        if len([x for x in entries if x['iteration']]) > 1
        for entry in entries for label in entry['trained']
    }
    if not sizes:
        raise ValueError('Curves need at least two checkpoints of a run, '
                         'iter_*.pth.')
    return sorted(sizes, key=_area)


def draw_curves(measured: Measurements, path: PathLike) -> Path:
    """Draw distances over the iterations of training.

    Args:
        measured: The measurements.
        path: PNG file to write.

    Returns:
        The path.

    Raises:
        ValueError: There is nothing to draw; see :func:`curve_sizes`.
    """
    from matplotlib.figure import Figure
    rows, labels = measured.rows(), curve_sizes(measured)
    figure = Figure((3.2 * len(labels) + 1, 5.5), layout='constrained')
    axes = figure.subplots(len(_DRAWN), len(labels), squeeze=False)
    for line, name in zip(axes, _DRAWN):
        for ax, label in zip(line, labels):
            for colour, (row, runs) in zip(_colours(), rows.items()):
                for index, entries in enumerate(runs.values()):
                    _curve(ax, entries, label, name, colour,
                           None if index else row)
            ax.set_yscale('log')
            ax.set_title(f'{name}, {label}', fontsize=9)
            ax.tick_params(labelsize=7, which='both')
            ax.grid(alpha=.25, which='both')
    for ax in axes[-1]:
        ax.set_xlabel('iterations', fontsize=8)
    # Not every row has every size.
    lines = {line.get_label(): line for ax in axes[0][::-1]
             for line in ax.get_legend_handles_labels()[0]}
    handles = [lines[row] for row in rows if row in lines]
    figure.legend(handles=handles, loc='outside lower center', ncols=4,
                  fontsize=8, frameon=False)
    figure.suptitle('Dashed: resized', fontsize=8)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=100)
    return Path(path)


def _colours() -> Iterator[str]:
    while True:
        yield from _COLOURS


def _curve(ax: Any, entries: List[Entry], label: str, name: str, colour: str,
           row: Optional[str]) -> None:
    points = [(x['iteration'], x['distances'][label][name]) for x in entries
              if x['iteration'] and label in x['distances']]
    if points:
        is_resized = label not in entries[-1]['trained']
        ax.plot(*zip(*points), '--' if is_resized else '-', color=colour,
                marker='.', ms=4, lw=1.3, label=row)
