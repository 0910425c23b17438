"""Groups of checks, each in its own process with a time limit."""
import contextlib
import json
import multiprocessing
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, TextIO

import torch
from mmengine.logging import MMLogger

__all__ = [
    'Check', 'CheckError', 'Group', 'NotHereError', 'Options', 'peak_memory',
    'run_group', 'synchronize'
]

Figures = Dict[str, object]
# Seconds between the interruption of a group at its limit, and its kill.
_GRACE = 5
# Exit code after an interruption.
_OUT_OF_TIME = 3


class Options(NamedTuple):
    """Options of all checks.

    Args:
        device: 'cuda' or 'cpu'.
        small: Whether to shrink networks, images and numbers, for a trial.
        folder: Folder for temporary files.
    """

    device: str
    small: bool
    folder: Path

    @property
    def is_cuda(self) -> bool:
        """Whether a GPU is checked."""
        return self.device != 'cpu'


class Check(NamedTuple):
    """A check.

    Args:
        name: Name in the table.
        run: Returns its figures, further columns of the table.
    """

    name: str
    run: Callable[[], Figures]


class Group(NamedTuple):
    """A group of checks.

    Args:
        name: Name on the command line.
        title: Heading of its table.
        limit: Time limit in seconds.
        make: Makes its checks.
    """

    name: str
    title: str
    limit: float
    make: Callable[[Options], List[Check]]


class CheckError(Exception):
    """A check failed.

    Args:
        reason: What was found, and what was expected.
        figures: Figures that were measured anyway.
    """

    def __init__(self, reason: str, figures: Optional[Figures] = None) -> None:
        super().__init__(reason)
        self.figures = figures or {}


class NotHereError(Exception):
    """The check does not apply to this device."""


class _OutOfTime(BaseException):
    """Raised in a check at the time limit; not to be caught by checks."""


def synchronize(options: Options) -> None:
    """Synchronise with the device."""
    if options.is_cuda:
        torch.cuda.synchronize()


@contextlib.contextmanager
def peak_memory(options: Options, figures: Figures) -> Iterator[None]:
    """Add the peak memory of a block in MiB to figures, on GPUs only."""
    if options.is_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield
    if options.is_cuda:
        figures['peak MiB'] = torch.cuda.max_memory_allocated() // 2**20


def run_group(group: Group, options: Options, limit: float) -> dict:
    """Run a group in its own process.

    Results are written immediately, as a GPU error makes all later work of a
    process fail.

    Args:
        group: The group.
        options: Options of all checks.
        limit: Time limit in seconds.

    Returns:
        Time of the group, and status, figures and note of each check.
    """
    results = options.folder / f'{group.name}.jsonl'
    results.write_text('')
    # A forked process has all imports, but cannot use CUDA.
    method = 'spawn' if options.is_cuda else 'fork'
    process = multiprocessing.get_context(method).Process(
        target=_work, args=(group, options, limit, results))
    start = time.monotonic()
    process.start()
    process.join(limit + _GRACE)
    ended = process.exitcode is not None
    # Also ends its children.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    names, done = lines[0] if lines else [], lines[1:]
    how = f'ended with code {process.exitcode}' \
        if ended and process.exitcode != _OUT_OF_TIME else 'out of time'
    for index, name in enumerate(names[len(done):]):
        done.append(
            dict(
                name=name,
                status='failed' if index == 0 else 'not run',
                note=how if index == 0 else ''))
    if not names:
        done = [dict(name='(preparation)', status='failed', note=how)]
    return dict(
        title=group.title,
        limit=limit,
        seconds=round(time.monotonic() - start, 1),
        checks=done)


def _work(group: Group, options: Options, limit: float, results: Path) -> None:
    """Run all checks, in the child process."""
    os.setsid()
    MMLogger.get_current_instance().setLevel('ERROR')
    end = time.monotonic() + limit
    with open(options.folder / f'{group.name}.log', 'w') as log, open(
            results, 'a') as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(log.fileno(), stream.fileno())
        signal.signal(signal.SIGALRM, _interrupt)
        try:
            checks = group.make(options)
            _say(file, [check.name for check in checks])
            for check in checks:
                signal.setitimer(signal.ITIMER_REAL,
                                 max(0.1, end - time.monotonic()))
                print(f'--- {check.name}', flush=True)
                start = time.monotonic()
                result = _result(check)
                seconds = round(time.monotonic() - start, 2)
                _say(file, dict(result, name=check.name, seconds=seconds))
        except _OutOfTime:
            _leave(_OUT_OF_TIME)
        except BaseException:
            traceback.print_exc()
            _leave(1)
    _leave(0)


def _leave(code: int) -> None:
    """Exit without the cleanup of the parent process."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


def _interrupt(*args) -> None:
    raise _OutOfTime


def _result(check: Check) -> dict:
    try:
        return dict(status='ok', figures=check.run(), note='')
    except CheckError as error:
        return dict(status='failed', figures=error.figures, note=str(error))
    except NotHereError as error:
        return dict(status='not here', figures={}, note=str(error))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        reason = (str(error).strip().splitlines() or [''])[0]
        return dict(
            status='failed',
            figures={},
            note=f'{type(error).__name__}: {reason}')


def _say(file: TextIO, value: object) -> None:
    print(json.dumps(value), file=file, flush=True)
