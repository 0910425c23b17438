"""Many trainings by joblib, on this machine or on a Dask cluster.

Each has a folder and a process of its own, the child, in which nothing is left
of another training. A worker of joblib or of Dask starts it and waits; so this
module, which workers import, takes little time and memory. A folder is all
that child, worker and parent have in common.
"""
import contextlib
import json
import logging
import os
import os.path as osp
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing import TimeoutError
from pathlib import Path
from typing import (TYPE_CHECKING, Callable, Dict, Iterator, List, Optional,
                    Sequence, TextIO, Tuple)

from joblib import Parallel, delayed, parallel_config
from joblib.parallel import ParallelBackendBase

from .files import atomic_write
from .progress import WORK_FORMAT, ProgressBar

if TYPE_CHECKING:
    from distributed import Client

__all__ = [
    'Progress', 'end_with_parent', 'train_in_folder', 'train_in_folders',
    'workers_of'
]

LOG = 'training.log'
PROGRESS = 'progress.json'
RESULT = 'result.json'
# How often a training is started, as long as it or its worker is killed. With
# the next one, a Dask scheduler would give up by itself.
STARTS = 3
# Exit code of a child that was asked to end, and may be started once more
# (EX_TEMPFAIL).
_TRY_AGAIN = 75
# Seconds between looks at what has changed.
_PAUSE = 0.5
# Seconds in which a scheduler must answer.
_TIMEOUT = 10


@dataclass
class Progress:
    """What a child tells its parent, in a file of its folder.

    Attributes:
        part: The part of the training that is done, in [0, 1].
        said: Lines that people are to read.
        starts: How many children have been killed or still run.
    """

    part: float = 0.
    said: List[str] = field(default_factory=list)
    starts: int = 0

    @classmethod
    def read(cls, folder: Path) -> 'Progress':
        """Read what is known of a folder.

        Args:
            folder: The folder.

        Raises:
            OSError: There is no such file.
        """
        return cls(**json.loads((folder / PROGRESS).read_text()))

    def write(self, folder: Path) -> None:
        """Write it.

        Args:
            folder: The folder.

        Raises:
            OSError: The file cannot be written.
        """
        with atomic_write(folder / PROGRESS) as temporary:
            temporary.write_text(json.dumps(asdict(self)))


def end_with_parent() -> None:
    """Let a child end as soon as its worker is gone."""
    _exit_after(partial(os.read, 0, 1))  # nothing is ever written


def _end_worker_with(parent: int) -> None:
    """Let a worker of joblib end with its parent, also an idle one."""

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(_PAUSE)

    _exit_after(wait)


def _exit_after(wait: Callable[[], object]) -> None:

    def run() -> None:
        wait()
        os._exit(1)

    threading.Thread(target=run, daemon=True).start()


@contextlib.contextmanager
def workers_of(dask: Optional[str]) -> Iterator[Optional['Client']]:
    """Let joblib use the workers of a Dask cluster, once there is one.

    Args:
        dask: Address of a Dask scheduler, or the file that it has written; by
            default joblib's own processes are the workers.

    Yields:
        The connection to the cluster, if there is one.

    Raises:
        ImportError: Dask is needed and not installed.
        ValueError: ``dask`` is neither an address nor such a file.
        OSError: The scheduler does not answer.
    """
    if dask is None:
        yield None
        return
    try:
        import distributed
    except ImportError:
        raise ImportError('A Dask cluster needs the package Dask: `pip '
                          "install 'mmpe[dask]'`.") from None
    # what it says with a traceback is said below in one line
    logging.getLogger('distributed').setLevel(logging.CRITICAL)
    address = _scheduler_address(dask)
    try:
        client = distributed.Client(
            address, timeout=_TIMEOUT, set_as_default=False)
    except (OSError, RuntimeError, TypeError, ValueError,
            distributed.TimeoutError) as error:
        raise ConnectionError(
            f'There is no Dask scheduler at {address} that can be used: '
            f'{error}.') from None
    with client, parallel_config(_dask_backend(client)):
        if not client.ncores():
            print(f'Waiting for a worker of {address}', flush=True)
            client.wait_for_workers(1)
        yield client


def _scheduler_address(dask: str) -> str:
    if osp.isfile(dask):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return json.loads(Path(dask).read_text())['address']
    elif re.fullmatch(r'(\w+://)?\S+:\d+', dask):
        return dask
    raise ValueError('Argument `dask` must be the address of a Dask scheduler '
                     f'or a file that it has written, but got {dask!r}.')


def _dask_backend(client: 'Client') -> ParallelBackendBase:
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):

        def effective_n_jobs(self, n_jobs: int) -> int:
            # joblib would not use the cluster for a single job at a time,
            # which only means that other workers have not joined it yet
            return max(2, super().effective_n_jobs(n_jobs))

    return Backend(client=client)


def train_in_folders(folders: Sequence[Path],
                    command: Sequence[str],
                    jobs: int = 1,
                    threads: Optional[int] = None,
                    client: Optional['Client'] = None,
                    num_done: int = 0) -> List[dict]:
    """Run a command in each folder, with one bar for all.

    The command should call :func:`end_with_parent`, write a :class:`Progress`
    now and then, and ``result.json`` in the end; what it prints is in
    ``training.log``. If it is killed, or its worker, it is run again.

    Args:
        folders: The folders, which exist.
        command: Arguments of Python; the folder is added as the last one.
        jobs: How many run at the same time; on a cluster its workers decide.
        threads: Number of threads of each; by default what the environment of
            the worker says.
        client: What :func:`workers_of` gave, inside of it.
        num_done: How many others are done already, for the bar.

    Returns:
        For each folder what is in its ``result.json``, or a dict with the
        reason as 'error'.

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
        initializer=_end_worker_with,
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
                continue  # one killed worker of joblib ends all of them
            except (CancelledError, TimeoutError):
                raise ConnectionError(
                    f'The Dask cluster has given up: {display.problem}; '
                    'the same call goes on from here.') from None
            break
    for folder in folders:
        (folder / PROGRESS).unlink(missing_ok=True)
    return [results.get(x, _failure(x)) for x in folders]


def train_in_folder(folder: Path, command: Sequence[str],
                    threads: Optional[int],
                    is_stopped: Callable[[], bool]) -> Optional[dict]:
    """Run a command in one folder, in silence, unless it is stopped.

    Args:
        folder: The folder, which exists.
        command: As for :func:`train_in_folders`.
        threads: As there.
        is_stopped: Asked again and again; once it says so, the command gets
            SIGTERM. ``progress.json`` then stays.

    Returns:
        As there; None if it was stopped.

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
    """A thread that shows what is done and what children say.

    Attributes:
        problem: Why the cluster does not go on.
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
                    self._check()
            self._show(bar)

    def _show(self, bar: ProgressBar) -> None:
        done, names = self._num_done, []
        for folder in self._folders:
            try:
                progress = Progress.read(folder)
            except (OSError, ValueError):  # for a moment, over a network
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

    def _check(self) -> None:
        """Stop waiting where joblib would wait for ever."""
        for future in list(self._client.futures.values()):
            if future.status == 'error' and future.exception:
                error = future.exception.__cause__ or future.exception
                self.problem = f'{error}'.split('. ')[0]
                self._parallel.timeout = 0


def _work(folder: str, command: Sequence[str], threads: Optional[int],
          on_dask: bool) -> Tuple[str, dict]:
    """What a worker does: the folder, and what comes of its training."""
    try:
        is_unwanted = _is_released if on_dask else bool  # which is False
        result = _train(Path(folder), command, threads, is_unwanted)
        return folder, result or dict(error='no longer wanted')
    except (OSError, ValueError) as error:
        return folder, dict(error=str(error))


def _train(folder: Path, command: Sequence[str], threads: Optional[int],
           is_unwanted: Callable[[], bool]) -> Optional[dict]:
    if not (folder / PROGRESS).is_file():
        raise FileNotFoundError(
            f'The machine {socket.gethostname()} does not see {folder}: it '
            'must be on a file system that all share.')
    code = -1
    while code < 0 or code == _TRY_AGAIN:
        if _count_start(folder, 1) > STARTS:
            return _failure(folder)
        with open(folder / LOG, 'a') as log:
            code = _run([*command, str(folder)], log, threads, is_unwanted)
            if code is None:
                return None
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
    """Run Python; its exit code, or None if it was ended as unwanted."""
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
            process.wait()  # it may write a checkpoint before


def _is_released() -> bool:
    """Whether this task of Dask is no longer wanted, or must go elsewhere."""
    from distributed import get_worker
    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return (task is None or task.state != 'executing'
            or worker.status.name in ('closing', 'closed'))


def _environment(threads: Optional[int]) -> Dict[str, str]:
    """Variables of a child; it finds the same package as its worker."""
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
