"""Training on a photograph in this process."""
import json
import sys
import time
from pathlib import Path
from typing import Any, Optional

import cv2
from mmengine.config import Config
from mmengine.runner import Runner as BaseRunner

from mmpe.checkpoint import latest_checkpoint
from mmpe.inference import load
from mmpe.utils.child import Progress, end_with_parent
from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.parallel import RESULT
from ..distributed import Runner
from ..hooks.iteration_hook import IterationHook
from ..hooks.singan_time_hooks import TRAINED, SayingHook, Work
from .plan import CONFIG, plan_training, write_config
from .results import finished

__all__ = ['ReportHook', 'main', 'train_in', 'train_photograph']

# Seconds between reports of the progress.
_REPORT_EVERY = 0.5


def train_photograph(config: Config,
                     image: PathLike,
                     folder: PathLike,
                     seed: int = 0) -> Path:
    """Train a SinGAN on one photograph, in this process.

    Skips a finished training, and resumes an interrupted one from its last
    checkpoint. Uses a GPU if there is one.

    Args:
        config: As for :func:`plan_training`.
        image, folder, seed: As for :func:`plan_training`.

    Returns:
        The last checkpoint, for ``mmpe.inference.load(folder / 'config.py',
        checkpoint)``.

    Raises:
        FileNotFoundError: See :func:`plan_training`.
        ValueError: See :func:`plan_training`.
        OSError: A file cannot be written.
    """
    training = plan_training(config, image, folder, seed)
    result = finished(training)
    if result and result.checkpoint:
        return Path(result.checkpoint)
    write_config(training)
    return train_in(training.folder)


def train_in(folder: Path, with_report: bool = False) -> Path:
    """Train with the config in a folder; write the result.

    Args:
        folder: The folder.
        with_report: Whether to report messages and progress to the parent
            process instead of showing a progress bar.

    Returns:
        The last checkpoint.
    """
    config = Config.fromfile(folder / CONFIG)
    config.work_dir = str(folder)
    # mmengine tells loggers apart by name and time; all configs have one name.
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
        report = ReportHook(folder)
        for hook in runner.hooks:
            if isinstance(hook, SayingHook):
                hook.say = report.say
        runner.register_hook(report)
    runner.train()
    return _write_result(folder, runner.message_hub.get_info(TRAINED, 0.))


def _write_result(folder: Path, seconds: float) -> Path:
    checkpoint = latest_checkpoint(folder)
    if checkpoint is None:
        raise FileNotFoundError(f'There is no checkpoint in {str(folder)!r}.')
    sampler: Any = load(folder / CONFIG, checkpoint)
    result = dict(
        size=sampler.size,
        scales=sampler.model.num_scales + 1,
        seconds=round(seconds, 1),
        psnr=round(cv2.PSNR(sampler.photograph, sampler.reconstruct()), 2),
        checkpoint=checkpoint.name)
    with atomic_write(folder / RESULT) as temporary:
        temporary.write_text(json.dumps(result, indent=2) + '\n')
    return checkpoint


class ReportHook(IterationHook):
    """Reports progress and messages to the parent process.

    Args:
        folder: Folder of the training.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._progress = Progress.read(folder)
        self._work: Optional[Work] = None
        self._next = 0.

    def say(self, line: str) -> None:
        """Report a message.

        Args:
            line: The message.
        """
        self._progress.said.append(line)
        self._progress.write(self._folder)

    def after_iteration(self, runner: BaseRunner, outputs: dict) -> None:
        """Report the progress at intervals."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _REPORT_EVERY
        self._work = self._work or Work(runner)
        self._progress.part = (
            self._work.until(runner.iter + 1) / self._work.total)
        self._progress.write(self._folder)


def main() -> None:
    """Train in the folder given on the command line, for a parent process."""
    end_with_parent()
    train_in(Path(sys.argv[1]), with_report=True)
