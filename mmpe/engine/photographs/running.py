"""Trainings on photographs in their own processes."""
import hashlib
import os.path as osp
from collections import Counter
from pathlib import Path
from typing import Callable, List, Optional, Sequence

import torch
from mmengine.config import Config

from mmpe.utils.cluster import workers_of
from mmpe.utils.files import PathLike
from mmpe.utils.parallel import train_in_folder, train_in_folders
from .plan import Training, plan_training, write_config
from .results import TrainingResult, finished, make_result, write_summary

__all__ = ['run_training', 'run_trainings', 'train_photographs']

# Arguments of Python to train in a folder.
_COMMAND = '-m', __package__


def train_photographs(config: Config,
                      images: Sequence[PathLike],
                      folder: PathLike,
                      seed: int = 0,
                      jobs: int = 1,
                      dask: Optional[str] = None) -> List[TrainingResult]:
    """Train a SinGAN on each of several photographs.

    Each training has a folder named after its photograph; if names are equal,
    a hash of the path is appended. ``summary.json`` and ``summary.csv``
    contain what :func:`.summary_table` shows.

    Args:
        config: As for :func:`.plan_training`.
        images: Paths of the photographs.
        folder: Parent of the folders.
        seed: Random seed of each training.
        jobs, dask: As for :func:`run_trainings`.

    Returns:
        A result for each photograph, in order. Check for the status 'failed':
        a failed training does not stop the others.

    Raises:
        ValueError: Some photographs cannot be trained on (before any training
            starts), there are none, or one is given twice; or see
            :func:`run_trainings`.
        ImportError, OSError: See :func:`run_trainings`.
    """
    trainings, problems = [], []
    for image, name in zip(images, _folder_names(images)):
        try:
            trainings.append(
                plan_training(config, image, Path(folder, name), seed))
        except (OSError, ValueError) as error:
            problems.append(str(error))
    if problems:
        raise ValueError(f'{len(problems)} of {len(images)} photographs '
                         f'cannot be trained on: {" ".join(problems)}')
    results = run_trainings(trainings, jobs, dask)
    write_summary(Path(folder), results)
    return results


def _folder_names(images: Sequence[PathLike]) -> List[str]:
    """File names without suffix, with a hash where two are equal."""
    if not images:
        raise ValueError('Argument `images` must not be empty.')
    paths = [osp.abspath(image) for image in images]
    twice = [path for path, num in Counter(paths).items() if num > 1]
    if twice:
        raise ValueError(f'The photograph {twice[0]!r} is given twice.')
    # 'A' and 'a' are the same folder on some systems.
    counts = Counter(Path(path).stem.lower() for path in paths)
    names = []
    for path in paths:
        name = Path(path).stem
        if counts[name.lower()] > 1:
            name += '-' + hashlib.sha256(path.encode()).hexdigest()[:8]
        names.append(name)
    return names


def run_trainings(trainings: Sequence[Training],
                  jobs: int = 1,
                  dask: Optional[str] = None) -> List[TrainingResult]:
    """Run trainings in their own processes, with one progress bar.

    Args:
        trainings: Results of :func:`.plan_training`.
        jobs: Number of trainings at the same time; they share the threads of
            this process.
        dask: Run on a cluster instead, see
            :func:`mmpe.utils.cluster.workers_of`. Its workers determine the
            number of trainings at the same time, and of threads.

    Returns:
        A result for each training, in order.

    Raises:
        ValueError: ``jobs`` is below 1, or see ``workers_of``.
        ImportError: Dask is required but not installed.
        OSError: A file cannot be written, or the cluster cannot be reached or
            gives up.
    """
    if jobs < 1:
        raise ValueError('Argument `jobs` must be at least 1, but got '
                         f'{jobs}.')
    found = ((x.folder, finished(x)) for x in trainings)
    results = {folder: result for folder, result in found if result}
    waiting = [x for x in trainings if x.folder not in results]
    jobs = max(1, min(jobs, len(waiting)))
    threads = None if dask else max(1, torch.get_num_threads() // jobs)
    with workers_of(dask) as client:  # fails before anything is written
        for training in waiting:
            write_config(training)
        outcomes = train_in_folders([x.folder for x in waiting], _COMMAND,
                                    jobs, threads, client,
                                    len(trainings) - len(waiting))
    for training, outcome in zip(waiting, outcomes):
        results[training.folder] = make_result(training, outcome)
    return [results[x.folder] for x in trainings]


def run_training(training: Training,
                 is_stopped: Callable[[], bool]) -> Optional[TrainingResult]:
    """Run a training in its own process without output, until it is stopped.

    Args:
        training: Result of :func:`.plan_training`, after
            :func:`.write_config`.
        is_stopped: Polled; once it returns True, the training ends with a
            checkpoint, from which the next call resumes.

    Returns:
        The result, or None if the training was stopped.

    Raises:
        OSError: A file cannot be written.
    """
    result = finished(training)
    if result is None:
        outcome = train_in_folder(training.folder, _COMMAND,
                                  torch.get_num_threads(), is_stopped)
        if outcome:
            result = make_result(training, outcome)
    return result
