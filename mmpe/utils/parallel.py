"""Trainings in their own processes, here or on a Dask cluster.

Each training runs in a child process that contains nothing of other trainings.
A worker of joblib or Dask starts the child and waits for it. Workers import
this module, so it must stay light. Parent, worker and child share nothing but
the folder of the training.
"""
import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import TimeoutError
from pathlib import Path
from typing import (TYPE_CHECKING, Callable, Dict, List, Optional, Sequence,
                    TextIO, Tuple)

from joblib import Parallel, delayed

from .child import PROGRESS, Progress, end_worker_with
from .cluster import is_released
from .progress import WORK_FORMAT, ProgressBar

if TYPE_CHECKING:
    from distributed import Client

__all__ = ['RESULT', 'train_in_folder', 'train_in_folders']

LOG = 'training.log'
RESULT = 'result.json'
# Number of times that a training is started if it or its worker gets killed.
# After one more start, a Dask scheduler would give up by itself.
STARTS = 3
# Exit code of a child that was asked to end and can be started again
# (EX_TEMPFAIL).
_TRY_AGAIN = 75
# Seconds between updates of the display.
_PAUSE = 0.5


def train_in_folders(folders: Sequence[Path],
                    command: Sequence[str],
                    jobs: int = 1,
                    threads: Optional[int] = None,
                    client: Optional['Client'] = None,
                    num_done: int = 0) -> List[dict]:
    """Run a command in each folder, with one progress bar.

    The command should call :func:`.end_with_parent`, write its
    :class:`.Progress` from time to time, and ``result.json`` at the end. Its
    output is in ``training.log``. It is run again if it or its worker gets
    killed.

    Args:
        folders: The folders, which must exist.
        command: Arguments of Python; the folder is appended.
        jobs: Number of commands at the same time; on a cluster, the workers
            determine it.
        threads: Threads per command; by default set by the worker's
            environment.
        client: Connection to a cluster, see :func:`.workers_of`.
        num_done: Number of other trainings that are done, for the bar.

    Returns:
        Content of each folder's ``result.json``, or a dict with the key
        'error'.

    Raises:
        OSError: A file cannot be written, or the cluster gives up.
    """
    if not folders:
        return []
    folders = [folder.absolute() for folder in folders]
    for folder in folders:
        _prepare(folder)
    results: Dict[Path, dict] = {}
    parallel = Parallel(
        n_jobs=jobs,
        return_as='generator_unordered',
        pre_dispatch='all',
        batch_size=1,
        initializer=end_worker_with,
        initargs=(os.getpid(), ))
    with _Display(folders, num_done, results, parallel, client) as display:
        for _ in range(STARTS):
            calls = [
                delayed(_work)(str(x), command, threads, client is not None)
                for x in folders if x not in results
            ]
            try:
                for folder, result in parallel(calls):
                    results[Path(folder)] = result
            except BrokenProcessPool:
                continue  # a killed worker of joblib ends the others, too
            except (CancelledError, TimeoutError):
                raise ConnectionError(
                    f'The Dask cluster gave up: {display.problem}. Run the '
                    'same call again to continue.') from None
            break
    for folder in folders:
        (folder / PROGRESS).unlink(missing_ok=True)
    return [results.get(x, _failure(x)) for x in folders]


def train_in_folder(folder: Path, command: Sequence[str],
                    threads: Optional[int],
                    is_stopped: Callable[[], bool]) -> Optional[dict]:
    """Run a command in one folder without output, until it is stopped.

    Args:
        folder: The folder, which must exist.
        command, threads: As for :func:`train_in_folders`.
        is_stopped: Polled; once it returns True, the command gets SIGTERM, and
            ``progress.json`` is kept.

    Returns:
        As for :func:`train_in_folders`, or None if it was stopped.

    Raises:
        OSError: A file cannot be written.
    """
    folder = folder.absolute()
    _prepare(folder)
    result = _train(folder, command, threads, is_stopped)
    if result is not None:
        (folder / PROGRESS).unlink(missing_ok=True)
    return result


def _prepare(folder: Path) -> None:
    Progress().write(folder)
    (folder / LOG).unlink(missing_ok=True)


class _Display:
    """Thread that shows the progress and messages of the children.

    Attributes:
        problem: Why the cluster gave up.
    """

    def __init__(self, folders: Sequence[Path], num_done: int,
                 results: Dict[Path, dict], parallel: Parallel,
                 client: Optional['Client']) -> None:
        self.problem = 'the connection to its scheduler is lost'
        self._folders, self._num_done = folders, num_done
        self._results, self._parallel = results, parallel
        self._client = client
        self._num_said = dict.fromkeys(folders, 0)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> '_Display':
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with ProgressBar(
                total=self._num_done + len(self._folders),
                initial=self._num_done,
                mininterval=0.5,
                smoothing=0,
                bar_format=WORK_FORMAT) as bar:
            while not self._ended.wait(_PAUSE):
                self._show(bar)
                if self._client:
                    self._check(self._client)
            self._show(bar)

    def _show(self, bar: ProgressBar) -> None:
        done: float = self._num_done
        names = []
        for folder in self._folders:
            try:
                progress = Progress.read(folder)
            except (OSError, ValueError):  # happens on network file systems
                continue
            self._pass_on(bar, folder, progress.said)
            if folder in self._results:
                done += 1
            elif progress.starts:
                done += progress.part
                names.append(folder.name)
        finished = self._num_done + len(self._results)
        bar.set_description_str(
            f'{finished}/{bar.total} photographs' +
            (f', now {", ".join(names)}' if names else ''),
            refresh=False)
        bar.update(done - bar.n)

    def _pass_on(self, bar: ProgressBar, folder: Path,
                 said: List[str]) -> None:
        name = f'{folder.name}: ' if bar.total > 1 else ''
        for line in said[self._num_said[folder]:]:
            bar.write(name + line)
            sys.stdout.flush()
        self._num_said[folder] = len(said)

    def _check(self, client: 'Client') -> None:
        """Stop waiting if joblib would wait forever."""
        for future in list(client.futures.values()):
            if future.status == 'error' and future.exception:
                error = future.exception.__cause__ or future.exception
                self.problem = f'{error}'.split('. ')[0]
                self._parallel.timeout = 0


def _work(folder: str, command: Sequence[str], threads: Optional[int],
          on_dask: bool) -> Tuple[str, dict]:
    """Run a training in a worker; returns the folder and the result."""
    try:
        is_unwanted = is_released if on_dask else bool  # which is False
        result = _train(Path(folder), command, threads, is_unwanted)
        return folder, result or dict(error='cancelled')
    except (OSError, ValueError) as error:
        return folder, dict(error=str(error))


def _train(folder: Path, command: Sequence[str], threads: Optional[int],
           is_unwanted: Callable[[], bool]) -> Optional[dict]:
    if not (folder / PROGRESS).is_file():
        raise FileNotFoundError(
            f'The machine {socket.gethostname()} does not see {folder}: it '
            'must be on a shared file system.')
    code = -1
    while code < 0 or code == _TRY_AGAIN:
        if _count_start(folder, 1) > STARTS:
            return _failure(folder)
        with open(folder / LOG, 'a') as log:
            ended = _run([*command, str(folder)], log, threads, is_unwanted)
            if ended is None:
                return None
            code = ended
            if code < 0:
                log.write(f'Killed by signal {-code}.\n')
        if code == _TRY_AGAIN:
            _count_start(folder, -1)
    if code > 0:
        return _failure(folder, _last_line(folder / LOG))
    return json.loads((folder / RESULT).read_text())


def _count_start(folder: Path, number: int) -> int:
    progress = Progress.read(folder)
    progress.starts += number
    progress.write(folder)
    return progress.starts


def _run(arguments: Sequence[str], log: TextIO, threads: Optional[int],
         is_unwanted: Callable[[], bool]) -> Optional[int]:
    """Run Python; returns the exit code, or None if it was cancelled."""
    with subprocess.Popen([sys.executable, *arguments],
                          env=_environment(threads),
                          stdin=subprocess.PIPE,
                          stdout=log,
                          stderr=log) as process:
        try:
            while process.poll() is None:
                if is_unwanted():
                    return None
                time.sleep(0.1)
            return process.returncode
        finally:
            process.terminate()
            process.wait()  # it may write a checkpoint first


def _environment(threads: Optional[int]) -> Dict[str, str]:
    """Environment of a child, with the same package as its worker."""
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, os.environ.get('PYTHONPATH', '')]
    environment = {
        **os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))
    }
    if threads:
        environment.update(
            OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
    return environment


def _last_line(path: Path) -> str:
    lines = path.read_text(errors='replace').strip().splitlines()
    return lines[-1] if lines else ''


def _failure(folder: Path,
             reason: str = f'killed {STARTS} times') -> Dict[str, str]:
    return dict(error=f'{reason} (see {folder / LOG})')
