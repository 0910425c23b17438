"""Queue of trainings in the background."""
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional

from mmpe.utils.files import PathLike
from mmpe.utils.child import Progress
from .photographs import (CONFIG, Training, TrainingResult, finished,
                          run_training, training_in, write_config)

__all__ = ['TrainingQueue', 'TrainingState']

PREVIEW = 'preview.png'


@dataclass(frozen=True)
class TrainingState:
    """State of a training.

    Attributes:
        training: The training.
        status: 'waiting', 'training', 'stopping', 'stopped', 'trained' or
            'failed'.
        part: Fraction that is done, in [0, 1].
        seconds_left: Estimated remaining time, or None if unknown.
        said: The last message of the training.
        preview: Path of its preview, if there is one.
        result: Its result, once it is finished or has failed.
    """

    training: Training
    status: str
    part: float = 0.
    seconds_left: Optional[float] = None
    said: str = ''
    preview: Optional[Path] = None
    result: Optional[TrainingResult] = None


class TrainingQueue:
    """Runs trainings one after the other.

    Each training runs in its own process, which ends with this one. All state
    is in the folders, so trainings are found again after this process has
    ended or was killed.

    Args:
        folder: The folder; trainings are two levels below, as created by
            ``train --out-dir FOLDER/NAME`` of the demo.
    """

    def __init__(self, folder: PathLike) -> None:
        self.folder = Path(folder)
        self._changed = threading.Condition()
        self._waiting: List[Training] = []
        self._current: Optional[Training] = None
        self._is_stopped = self._is_closed = False
        self._begun = 0., 0.
        self._failed: Dict[Path, TrainingResult] = {}
        self._known: Dict[Path, Training] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, training: Training) -> None:
        """Add a training to the queue, to start or resume it.

        Args:
            training: Result of ``plan_training``; ignored if it is in the
                queue or running already.

        Raises:
            OSError: Its config cannot be written.
        """
        write_config(training)
        with self._changed:
            folders = [x.folder for x in self._waiting]
            is_running = (self._current is not None and not self._is_stopped
                          and self._current.folder == training.folder)
            if training.folder not in folders and not is_running:
                self._failed.pop(training.folder, None)
                self._waiting.append(training)
                self._changed.notify_all()

    def stop(self, folder: PathLike) -> None:
        """Stop a training with a checkpoint, or remove it from the queue.

        Args:
            folder: Folder of the training.
        """
        with self._changed:
            self._waiting = [
                x for x in self._waiting if x.folder != Path(folder)
            ]
            if self._current and self._current.folder == Path(folder):
                self._is_stopped = True

    def close(self) -> None:
        """Stop all trainings, and wait for the last checkpoint."""
        with self._changed:
            self._waiting.clear()
            self._is_closed = self._is_stopped = True
            self._changed.notify_all()
        self._thread.join()

    def states(self) -> List[TrainingState]:
        """States of all trainings in the folder, newest first."""
        for path in self.folder.glob(f'*/*/{CONFIG}'):
            if path.parent not in self._known:
                try:
                    self._known[path.parent] = training_in(path.parent)
                except (OSError, ValueError):  # not a training
                    continue
        states = [
            self._state(training) for folder, training in self._known.items()
            if (folder / CONFIG).is_file()
        ]
        return sorted(states, key=_age)

    # ----------------------------------------------------------------- details
    def _state(self, training: Training) -> TrainingState:
        folder = training.folder
        preview = folder / PREVIEW
        shown = preview if preview.is_file() else None
        with self._changed:
            is_current = (self._current is not None
                          and self._current.folder == folder)
            status = 'stopped'
            if is_current:
                status = 'stopping' if self._is_stopped else 'training'
            elif folder in [x.folder for x in self._waiting]:
                status = 'waiting'
            failed = self._failed.get(folder)
        if status == 'stopped':
            if failed:
                return TrainingState(
                    training, 'failed', result=failed, preview=shown)
            result = _result_of(training)
            if result:
                return TrainingState(
                    training, 'trained', 1., 0., result=result, preview=shown)
        try:
            progress = Progress.read(folder)
        except (OSError, ValueError, TypeError):
            progress = Progress()
        left = self._seconds_left(progress.part) if is_current else None
        said = progress.said[-1] if progress.said else ''
        return TrainingState(
            training, status, progress.part, left, said, preview=shown)

    def _seconds_left(self, part: float) -> Optional[float]:
        with self._changed:
            start, first = self._begun
            if first == 0 and part > 0:
                self._begun = time.monotonic(), part
            elif part > first > 0:
                seconds = time.monotonic() - start
                return seconds / (part - first) * (1 - part)
        return None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
                self._current = training = self._waiting.pop(0)
                self._is_stopped = False
                self._begun = 0., 0.
            result = _train(training, lambda: self._is_stopped)
            with self._changed:
                if result and result.status == 'failed':
                    self._failed[training.folder] = result
                self._current = None


def _train(training: Training,
           is_stopped: Callable[[], bool]) -> Optional[TrainingResult]:
    try:
        return run_training(training, is_stopped)
    except (OSError, ValueError) as error:
        return TrainingResult(
            training.photograph, 'failed', error=str(error))


def _result_of(training: Training) -> Optional[TrainingResult]:
    try:
        return finished(training)
    except (OSError, ValueError, KeyError):  # not written by a training
        return None


def _age(state: TrainingState) -> float:
    try:
        return -(state.training.folder / CONFIG).stat().st_mtime
    except OSError:  # just removed
        return 0
