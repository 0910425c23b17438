"""Results of trainings, and tables of them."""
import csv
import json
import os.path as osp
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Optional, Sequence, Tuple

from mmpe.utils.files import atomic_write
from mmpe.utils.parallel import RESULT
from mmpe.utils.tables import markdown_table
from .plan import CONFIG, Training

__all__ = [
    'TrainingResult', 'finished', 'make_result', 'summary_table',
    'write_summary'
]


@dataclass(frozen=True)
class TrainingResult:
    """Result of a training.

    Attributes:
        photograph: Path of the photograph.
        status: 'trained', 'reused' (finished earlier) or 'failed'.
        size: (H, W) of the finest scale in pixels.
        scales: Number of scales.
        seconds: Training time, including interrupted runs.
        psnr: PSNR of the reconstruction in dB.
        config, checkpoint: Paths for :func:`mmpe.inference.load`.
        error: Why the training failed, and the log file.
    """

    photograph: str
    status: str
    size: Optional[Tuple[int, int]] = None
    scales: Optional[int] = None
    seconds: Optional[float] = None
    psnr: Optional[float] = None
    config: Optional[str] = None
    checkpoint: Optional[str] = None
    error: Optional[str] = None


def finished(training: Training) -> Optional[TrainingResult]:
    """Result of a training that was finished earlier, or None.

    Args:
        training: The training.
    """
    path = training.folder / RESULT
    if not path.is_file():
        return None
    result = make_result(training, json.loads(path.read_text()), 'reused')
    is_there = result.checkpoint and osp.isfile(result.checkpoint)
    return result if is_there else None


def make_result(training: Training,
            outcome: dict,
            status: str = 'trained') -> TrainingResult:
    """Make a result.

    Args:
        training: The training.
        outcome: Content of its ``result.json``, or its error.
        status: As in :class:`TrainingResult`, unless it failed.
    """
    if 'error' in outcome:
        return TrainingResult(training.photograph, 'failed', **outcome)
    folder = training.folder
    paths = dict(
        size=tuple(outcome['size']),
        config=str(folder / CONFIG),
        checkpoint=str(folder / outcome['checkpoint']))
    return TrainingResult(training.photograph, status, **{**outcome, **paths})


def summary_table(results: Sequence[TrainingResult]) -> str:
    """Results as a table.

    Args:
        results: Result of :func:`.train_photographs`.

    Returns:
        A Markdown table, and a line for each failed training.
    """
    rows = [[
        'photograph', 'status', 'size', 'scales', 'seconds', 'PSNR',
        'checkpoint'
    ]]
    for x in results:
        figures = ['', '', '', ''] if x.size is None else [
            f'{x.size[0]}x{x.size[1]}', f'{x.scales}', f'{x.seconds:.0f}',
            f'{x.psnr:.1f}'
        ]
        rows.append([
            osp.basename(x.photograph), x.status, *figures, x.checkpoint or ''
        ])
    errors = [f'{x.photograph}: {x.error}' for x in results if x.error]
    return '\n'.join([markdown_table(rows), *errors])


def write_summary(folder: Path, results: Sequence[TrainingResult]) -> None:
    """Write ``summary.json`` and ``summary.csv``.

    Args:
        folder: Folder of the files.
        results: The results.

    Raises:
        OSError: A file cannot be written.
    """
    rows = [asdict(result) for result in results]
    with atomic_write(folder / 'summary.json') as temporary:
        temporary.write_text(json.dumps(rows, indent=2) + '\n')
    for row in rows:
        row['size'] = 'x'.join(map(str, row['size'] or ()))
    with atomic_write(folder / 'summary.csv') as temporary, \
            open(temporary, 'w', newline='') as file:
        writer = csv.DictWriter(file, [x.name for x in fields(TrainingResult)])
        writer.writeheader()
        writer.writerows(rows)
