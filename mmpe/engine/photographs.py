"""SinGAN trainings, one for each photograph, each in a folder of its own.

A folder holds ``config.py``, checkpoints, and ``result.json`` once the
training is finished; ``mmpe.inference.load(folder / 'config.py', checkpoint)``
is all that it takes to sample it.
"""
import csv
import hashlib
import json
import os.path as osp
import sys
import time
from collections import Counter
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH

from mmpe.checkpoint import latest_checkpoint
from mmpe.datasets import read_photograph
from mmpe.inference import load
from mmpe.models import SinGAN
from mmpe.registry import (DATASETS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS,
                           build_from)
from mmpe.utils.command_line import open_config
from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.images import save_image
from mmpe.utils.parallel import (RESULT, Progress, end_with_parent,
                                 train_in_folder, train_in_folders,
                                 workers_of)
from mmpe.utils.tables import markdown_table
from .distributed import Runner
from .hooks.singan_time_hooks import (TRAINED, SayingHook, Work,
                                      measure_scales, scale_costs)
from .runner import fit_to_photograph

__all__ = [
    'Training', 'TrainingResult', 'bundled_photograph', 'estimate_seconds',
    'finished', 'plan_training', 'run_training', 'run_trainings',
    'summary_table', 'train_photograph', 'train_photographs', 'training_in',
    'write_config'
]

CONFIG = 'config.py'
# Arguments of Python that train in a folder.
_COMMAND = '-m', __name__
# Seconds between reports of the part that is done.
_REPORT_EVERY = 0.5
BUNDLED = 'coins'
# Long side of the pictures on which a training is tried for its time.
_TRIED_SIZE = 64
# The parts of a config that decide what is learnt.
_DECISIVE = ('photograph_sha256', 'model', 'train_dataloader',
             'optim_wrapper', 'train_cfg', 'randomness')


@dataclass(frozen=True)
class Training:
    """A training that has been checked and may start.

    Attributes:
        photograph: Path of the photograph.
        folder: Where everything is written.
        config: Complete config, with photograph, folder and seed in it.
    """

    photograph: str
    folder: Path
    config: Config


@dataclass(frozen=True)
class TrainingResult:
    """What has become of a training.

    Attributes:
        photograph: Path of the photograph.
        status: 'trained', 'reused' (it was finished before) or 'failed'.
        size: (H, W) of the finest scale in pixels.
        scales: Number of scales.
        seconds: Time in training, that of interrupted runs included.
        psnr: PSNR of the reconstruction of the photograph in dB.
        config, checkpoint: What :func:`mmpe.inference.load` needs.
        error: Why it has failed, and the file that tells more.
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


def bundled_photograph(folder: PathLike) -> str:
    """Write the photograph that scikit-image ships to a file.

    Args:
        folder: Where ``photograph.png`` is written.

    Returns:
        Path of the file.

    Raises:
        ImportError: scikit-image is not installed.
    """
    try:
        import skimage.data
    except ImportError:
        raise ImportError(
            'Without a photograph one of scikit-image is used, which is not '
            'installed: `pip install scikit-image`.') from None
    image = getattr(skimage.data, BUNDLED)()
    image = np.stack([image] * 3, axis=2)  # it is grey
    return str(save_image(Path(folder, 'photograph.png'), image))


def plan_training(config: Config,
                  image: PathLike,
                  folder: PathLike,
                  seed: int = 0) -> Training:
    """Check that a SinGAN can be trained; nothing is written yet.

    Args:
        config: Config of a SinGAN; not changed. ``model.num_scales=None`` is
            computed from the photograph.
        image: Path of the photograph.
        folder: Folder of this training; new, or one that this very training
            was begun or finished in.
        seed: Random seed.

    Returns:
        The training.

    Raises:
        FileNotFoundError: There is no such photograph.
        ValueError: The photograph cannot be read or is too small, the config
            is not one of SinGAN, or the folder holds a training with another
            photograph or other settings.
    """
    config, image = deepcopy(config), osp.abspath(image)
    pixels = read_photograph(image)
    config.photograph_sha256 = hashlib.sha256(
        str(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    config.train_dataloader.dataset.data_root = image
    config.work_dir = str(folder)
    config.randomness = dict(seed=seed)
    if fit_to_photograph(config) is None:
        raise ValueError('Argument `config` must be a config of SinGAN, but '
                         f'got one of {config.model.type!r}.')
    training = Training(image, Path(folder), config)
    _check_folder(training)
    return training


def _check_folder(training: Training) -> None:
    """See that a folder is new, or of the same training."""
    folder = training.folder
    if not (folder / CONFIG).is_file():
        if latest_checkpoint(folder):
            raise ValueError(f'The folder {str(folder)!r} holds checkpoints '
                             f'without {CONFIG!r}: use another folder.')
        return
    old = _settings(Config.fromfile(folder / CONFIG))
    new = _settings(training.config)
    for key in [*new, *old]:
        if old.get(key) == new.get(key):
            continue
        what = ('another photograph' if key == 'photograph_sha256' else
                f'{key}={old.get(key)!r} instead of {new.get(key)!r}')
        raise ValueError(f'The folder {str(folder)!r} holds a training with '
                         f'{what}: use another folder.')


def _settings(config: Config) -> Dict[str, object]:
    """What decides about the result, by dotted names."""
    settings: Dict[str, object] = {}

    def walk(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(f'{name}.{key}', item)
        else:
            settings[name] = list(value) if isinstance(value, tuple) else value

    for key in _DECISIVE:
        walk(key, config.get(key))
    # the same photograph may lie elsewhere now
    settings.pop('train_dataloader.dataset.data_root', None)
    settings.pop('train_cfg.rollbacks', None)  # a second try may have more
    return settings


def finished(training: Training) -> Optional[TrainingResult]:
    """Result of a training that was finished before, or None.

    Args:
        training: The training.
    """
    path = training.folder / RESULT
    if not path.is_file():
        return None
    result = _result(training, json.loads(path.read_text()), 'reused')
    return result if osp.isfile(result.checkpoint) else None


def _result(training: Training,
            outcome: dict,
            status: str = 'trained') -> TrainingResult:
    """Result from what a training has written, or from its error."""
    if 'error' in outcome:
        return TrainingResult(training.photograph, 'failed', **outcome)
    folder = training.folder
    paths = dict(
        size=tuple(outcome['size']),
        config=str(folder / CONFIG),
        checkpoint=str(folder / outcome['checkpoint']))
    return TrainingResult(training.photograph, status, **{**outcome, **paths})


def train_photograph(config: Config,
                     image: PathLike,
                     folder: PathLike,
                     seed: int = 0) -> Path:
    """Train a SinGAN on one photograph, in this process.

    A finished training is recognised, and an interrupted one goes on from its
    last checkpoint. The device is mmengine's choice: a GPU if there is one.

    Args:
        config: As for :func:`plan_training`.
        image: As there.
        folder: As there.
        seed: As there.

    Returns:
        The last checkpoint. ``mmpe.inference.load(folder / 'config.py',
        checkpoint)`` samples it.

    Raises:
        FileNotFoundError: See :func:`plan_training`.
        ValueError: See :func:`plan_training`.
        OSError: A file cannot be written.
    """
    training = plan_training(config, image, folder, seed)
    if not finished(training):
        write_config(training)
        _train(training.folder)
    return Path(finished(training).checkpoint)


def write_config(training: Training) -> None:
    """Write all that a training needs to begin.

    Args:
        training: What :func:`plan_training` gave.

    Raises:
        OSError: The file cannot be written.
    """
    with atomic_write(training.folder / CONFIG) as temporary:
        training.config.dump(temporary)


def _train(folder: Path, with_report: bool = False) -> None:
    """Train as a folder's config says; write its result.

    Args:
        folder: The folder.
        with_report: Tell the parent of this process what hooks say and which
            part is done, in place of a progress bar.
    """
    config = Config.fromfile(folder / CONFIG)
    config.work_dir = str(folder)
    # mmengine keeps logs by name and second, and all configs are `config.py`
    config.experiment_name = folder.name
    latest = latest_checkpoint(folder)
    if latest:
        config.resume, config.load_from = True, str(latest)
    if with_report:
        config.custom_hooks = [
            hook for hook in config.get('custom_hooks', [])
            if hook['type'] != 'SinGANProgressHook'
        ]
    runner = Runner.from_cfg(config)
    if with_report:
        report = _ReportHook(folder)
        for hook in runner.hooks:
            if isinstance(hook, SayingHook):
                hook.say = report.say
        runner.register_hook(report)
    runner.train()
    _write_result(folder, runner.message_hub.get_info(TRAINED, 0.))


def _write_result(folder: Path, seconds: float) -> None:
    checkpoint = latest_checkpoint(folder)
    sampler = load(folder / CONFIG, checkpoint)
    result = dict(
        size=sampler.size,
        scales=sampler.model.num_scales + 1,
        seconds=round(seconds, 1),
        psnr=round(cv2.PSNR(sampler.photograph, sampler.reconstruct()), 2),
        checkpoint=checkpoint.name)
    with atomic_write(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + '\n')


def train_photographs(config: Config,
                      images: Sequence[PathLike],
                      folder: PathLike,
                      seed: int = 0,
                      jobs: int = 1,
                      dask: Optional[str] = None) -> List[TrainingResult]:
    """Train a SinGAN on each of several photographs.

    Each has a folder that is named after it, as :func:`train_photograph`
    leaves it; photographs of the same name get a code that follows from their
    paths. ``summary.json`` and ``summary.csv`` list what
    :func:`summary_table` shows.

    Args:
        config: As for :func:`plan_training`.
        images: Paths of the photographs.
        folder: Folder of the folders.
        seed: Random seed of each training.
        jobs: As for :func:`run_trainings`.
        dask: As there.

    Returns:
        One result for each photograph, in their order; look for the status
        'failed', which does not stop the others.

    Raises:
        ValueError: Photographs cannot be trained on (all of them are named,
            before any training starts), there are none or one is given twice,
            or see :func:`run_trainings`.
        ImportError: See there.
        OSError: See there.
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
    _write_summary(Path(folder), results)
    return results


def _folder_names(images: Sequence[PathLike]) -> List[str]:
    """Names of files without suffix, and with a code where two are equal."""
    if not images:
        raise ValueError('Argument `images` must not be empty.')
    paths = [osp.abspath(image) for image in images]
    twice = [path for path, num in Counter(paths).items() if num > 1]
    if twice:
        raise ValueError(f'The photograph {twice[0]!r} is given twice.')
    # 'A' and 'a' are the same folder on some systems
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
    """Work through trainings in processes of their own, with one bar.

    Args:
        trainings: What :func:`plan_training` gave.
        jobs: How many run at the same time; they share the threads of this
            process.
        dask: Run them on a cluster instead, see
            :func:`mmpe.utils.parallel.workers_of`; its workers decide how
            many run, and with how many threads.

    Returns:
        One result for each training, in their order.

    Raises:
        ValueError: ``jobs`` is below 1, or see ``workers_of``.
        ImportError: Dask is needed and not installed.
        OSError: A file cannot be written, or the cluster cannot be reached or
            gives up.
    """
    if jobs < 1:
        raise ValueError('Argument `jobs` must be at least 1, but got '
                         f'{jobs}.')
    results = {x.folder: finished(x) for x in trainings}
    waiting = [x for x in trainings if results[x.folder] is None]
    jobs = max(1, min(jobs, len(waiting)))
    threads = None if dask else max(1, torch.get_num_threads() // jobs)
    with workers_of(dask) as client:  # before anything is written
        for training in waiting:
            write_config(training)
        outcomes = train_in_folders([x.folder for x in waiting], _COMMAND,
                                    jobs, threads, client,
                                    len(trainings) - len(waiting))
    for training, outcome in zip(waiting, outcomes):
        results[training.folder] = _result(training, outcome)
    return [results[x.folder] for x in trainings]


def run_training(training: Training,
                 is_stopped: Callable[[], bool]) -> Optional[TrainingResult]:
    """Train in a process of its own, in silence, unless it is stopped.

    Args:
        training: What :func:`plan_training` gave, after
            :func:`write_config`.
        is_stopped: Asked again and again; once it says so, a checkpoint is
            written, from which the next call goes on.

    Returns:
        The result; None if it was stopped.

    Raises:
        OSError: A file cannot be written.
    """
    result = finished(training)
    if result is None:
        outcome = train_in_folder(training.folder, _COMMAND,
                                  torch.get_num_threads(), is_stopped)
        result = outcome and _result(training, outcome)
    return result


def training_in(folder: PathLike) -> Training:
    """The training that a folder was begun with.

    Args:
        folder: The folder of a training.

    Raises:
        FileNotFoundError: The folder holds none.
        ValueError: Its config cannot be read.
    """
    config = open_config(str(Path(folder, CONFIG)))
    try:
        photograph = config.train_dataloader.dataset.data_root
    except AttributeError:
        raise ValueError(f'The folder {str(folder)!r} holds no training of a '
                         'photograph.') from None
    return Training(photograph, Path(folder), config)


def estimate_seconds(config: Config, image: PathLike) -> float:
    """How long a training will take on this machine.

    The coarse scales are tried, and the fine ones follow from the work they
    are; it takes about a second. ``SinGANEstimateHook`` knows better, when
    the training begins.

    Args:
        config: As for :func:`plan_training`.
        image: As there.

    Returns:
        Seconds.

    Raises:
        FileNotFoundError: See :func:`plan_training`.
        ValueError: See :func:`plan_training`.
    """
    tried = deepcopy(config)
    dataset = tried.train_dataloader.dataset
    dataset.max_size = min(dataset.max_size, _TRIED_SIZE)
    tried.model.iters_per_scale = max(2, tried.model.iters_per_scale)
    model, data = _untrained(tried, image)
    options = dict(config.optim_wrapper)
    constructor = build_from(
        OPTIM_WRAPPER_CONSTRUCTORS,
        dict(type=options.pop('constructor'), optim_wrapper_cfg=options))
    seconds = measure_scales(model, constructor(model), data, 1)
    rate = sum(seconds) / sum(scale_costs(model))
    whole, _ = _untrained(deepcopy(config), image)
    return rate * sum(scale_costs(whole)) * whole.iters_of_scale


def _untrained(config: Config, image: PathLike) -> Tuple[SinGAN, dict]:
    """A model that knows its pyramid, and a batch."""
    dataset = config.train_dataloader.dataset
    dataset.data_root = osp.abspath(image)
    fit_to_photograph(config)
    model = build_from(MODELS, config.model)
    data = pseudo_collate([build_from(DATASETS, dataset)[0]])
    inputs = model.data_preprocessor(data, True)['inputs']
    model.reals = [
        inputs[f'real_scale{i}'] for i in range(model.num_scales + 1)
    ]
    model.construct_fixed_noises()
    return model, data


class _ReportHook(Hook):
    """Tells the parent which part of the work is done, and what is said."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._progress = Progress.read(folder)
        self._work: Optional[Work] = None
        self._next = 0.

    def say(self, line: str) -> None:
        """Pass a line on.

        Args:
            line: What people are to read.
        """
        self._progress.said.append(line)
        self._progress.write(self._folder)

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Write a number from 0 to 1, now and then."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _REPORT_EVERY
        self._work = self._work or Work(runner)
        self._progress.part = (
            self._work.until(runner.iter + 1) / self._work.total)
        self._progress.write(self._folder)


def summary_table(results: Sequence[TrainingResult]) -> str:
    """Results for people to read.

    Args:
        results: What :func:`train_photographs` gave.

    Returns:
        A table in Markdown, and a line for each training that has failed.
    """
    rows = [[
        'photograph', 'status', 'size', 'scales', 'seconds', 'PSNR',
        'checkpoint'
    ]]
    for x in results:
        figures = ['', '', '', ''] if x.status == 'failed' else [
            f'{x.size[0]}x{x.size[1]}', f'{x.scales}', f'{x.seconds:.0f}',
            f'{x.psnr:.1f}'
        ]
        rows.append([
            osp.basename(x.photograph), x.status, *figures, x.checkpoint or ''
        ])
    errors = [f'{x.photograph}: {x.error}' for x in results if x.error]
    return '\n'.join([markdown_table(rows), *errors])


def _write_summary(folder: Path, results: Sequence[TrainingResult]) -> None:
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


def _main() -> None:
    """Train in the folder that the command line names, for a parent."""
    end_with_parent()
    _train(Path(sys.argv[1]), with_report=True)


if __name__ == '__main__':
    _main()
