"""The child's side of a training in its own process."""
import json
import os
import threading
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Callable, List

from .files import atomic_write

__all__ = ['PROGRESS', 'Progress', 'end_with_parent', 'end_worker_with']

PROGRESS = 'progress.json'
# Seconds between checks of the parent.
_PAUSE = 0.5


@dataclass
class Progress:
    """Progress of a child, in a file of its folder.

    Attributes:
        part: Fraction of the training that is done, in [0, 1].
        said: Messages to show.
        starts: Number of children that were killed or are running.
    """

    part: float = 0.
    said: List[str] = field(default_factory=list)
    starts: int = 0

    @classmethod
    def read(cls, folder: Path) -> 'Progress':
        """Read the file of a folder.

        Args:
            folder: The folder.

        Raises:
            OSError: The file does not exist.
        """
        return cls(**json.loads((folder / PROGRESS).read_text()))

    def write(self, folder: Path) -> None:
        """Write the file of a folder.

        Args:
            folder: The folder.

        Raises:
            OSError: The file cannot be written.
        """
        with atomic_write(folder / PROGRESS) as temporary:
            temporary.write_text(json.dumps(asdict(self)))


def end_with_parent() -> None:
    """Exit this process when its worker, the parent, is gone."""
    _exit_after(partial(os.read, 0, 1))  # nothing is ever written


def end_worker_with(parent: int) -> None:
    """Exit this worker of joblib with its parent, even when idle."""

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(_PAUSE)

    _exit_after(wait)


def _exit_after(wait: Callable[[], object]) -> None:

    def run() -> None:
        wait()
        os._exit(1)

    threading.Thread(target=run, daemon=True).start()
