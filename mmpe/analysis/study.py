"""Trainings, records and figures of the claims, in one folder."""
import json
import os
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, cast

import numpy as np

from mmpe.datasets import read_photograph
from mmpe.engine.photographs import bundled_photograph
from mmpe.utils.files import PathLike, atomic_write, check_folder
from mmpe.utils.progress import ProgressBar
from mmpe.version import __version__
from .claim_figures import draw_claim
from .claims import CLAIMS, Row, table
from .patches import measure_patches
from .records import Folder, Pictures, Record, measure
from .trainings import Trained, config_of, train_all

__all__ = ['study', 'trainings_of']

BUNDLED = 'photograph.png'
# Samples of all seeds, by name of the training.
Samples = Dict[str, List[Pictures]]


def trainings_of(letters: Sequence[str]) -> List[str]:
    """Trainings that claims need, without duplicates.

    Args:
        letters: Keys of :data:`mmpe.analysis.claims.CLAIMS`.

    Returns:
        Names of configs in ``configs/analysis``.
    """
    return list(
        dict.fromkeys(name for letter in letters
                      for name in CLAIMS[letter].trainings))


def study(letters: Sequence[str],
          seeds: Sequence[int],
          data_root: Optional[PathLike],
          photograph: Optional[PathLike],
          folder: PathLike,
          options: Optional[Record] = None) -> str:
    """Train, measure and draw everything that claims need.

    Finished trainings and figures of earlier calls in the same folder are
    reused.

    Args:
        letters: Keys of :data:`mmpe.analysis.claims.CLAIMS`.
        seeds: Random seeds of trainings and samples.
        data_root: Folder of images; None if no training needs one.
        photograph: Photograph for SinGANs and patch diffusion; None for one
            of scikit-image.
        folder: Output folder, for ``trainings``, ``records``, ``claims.md``,
            ``claims.json`` and a PNG file per claim.
        options: Settings that override those of all trainings.

    Returns:
        Table in Markdown.

    Raises:
        FileNotFoundError: The folder or the photograph does not exist.
        ValueError: The folder has no images, the photograph cannot be read,
            or a folder has another training.
        OSError: A training failed, or a file cannot be written.
    """
    folder = Path(folder)
    check_folder(folder)
    names = trainings_of(letters)
    # Check the inputs before any long work.
    if photograph is not None:
        read_photograph(str(photograph))
    images = None
    for name in names:
        if 'singan' not in name and images is None:
            images = Folder(str(data_root), config_of(name))
    bundled = folder / BUNDLED  # written once and reused by later calls
    if photograph is None:
        photograph = bundled if bundled.is_file() else \
            bundled_photograph(folder)
    trained = train_all(names, seeds, str(data_root), photograph,
                        folder / 'trainings', options)
    records, samples = _measured(trained, images, folder / 'records')
    if 'i' in letters:
        _add_patches(records, samples, seeds, photograph, folder / 'records')
    rows = {letter: CLAIMS[letter].rows(records) for letter in letters}
    for letter in letters:
        with atomic_write(folder / f'claim_{letter}.png') as temporary:
            draw_claim(letter, rows[letter], records, samples, temporary)
    text = table(rows)
    with atomic_write(folder / 'claims.md') as temporary:
        temporary.write_text(text + '\n')
    with atomic_write(folder / 'claims.json') as temporary:
        temporary.write_text(json.dumps(_as_json(rows), indent=1) + '\n')
    return text


def _measured(trained: Sequence[Trained], images: Optional[Folder],
              folder: Path) -> Tuple[Dict[str, List[Record]], Samples]:
    """Records and samples of all trainings."""
    records: Dict[str, List[Record]] = {}
    samples: Samples = {}
    for x in ProgressBar(trained, 'Measures'):
        state = os.stat(x.checkpoint)
        record, pictures = _kept(
            folder / f'{x.name}-{x.seed}',
            [__version__, state.st_size, state.st_mtime_ns],
            partial(measure, x, images))
        records.setdefault(x.name, []).append(record)
        samples.setdefault(x.name, []).append(pictures)
    return records, samples


def _add_patches(records: Dict[str, List[Record]], samples: Samples,
                 seeds: Sequence[int], photograph: PathLike,
                 folder: Path) -> None:
    state = os.stat(photograph)
    for seed in ProgressBar(seeds, 'Patch diffusion'):
        record, pictures = _kept(
            folder / f'patches-{seed}',
            [__version__, str(photograph), state.st_size, state.st_mtime_ns],
            partial(measure_patches, photograph, seed))
        records.setdefault('patches', []).append(record)
        samples.setdefault('patches', []).append(pictures)


def _kept(path: Path, settings: List[Any],
          compute: Callable[[], Tuple[Record, Pictures]]
          ) -> Tuple[Record, Pictures]:
    """Compute a record and images, or read those of an earlier call."""
    table, arrays = path.with_suffix('.json'), path.with_suffix('.npz')
    if table.is_file() and arrays.is_file():
        found = json.loads(table.read_text())
        if found['settings'] == settings:
            with np.load(arrays) as file:
                return found['record'], dict(file)
    record, pictures = compute()
    with atomic_write(arrays) as temporary, open(temporary, 'wb') as file:
        np.savez_compressed(file, **cast(Record, pictures))
    with atomic_write(table) as temporary:
        temporary.write_text(
            json.dumps(dict(settings=settings, record=record)) + '\n')
    return record, pictures


def _as_json(rows: Dict[str, List[Row]]) -> Dict[str, List[Record]]:
    return {
        letter: [dict(row._asdict(), holds=row.holds) for row in mine]
        for letter, mine in rows.items()
    }
