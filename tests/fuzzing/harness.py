"""Inputs are read in child processes, which may crash, hang or be killed."""
import contextlib
import io
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import (Any, Callable, Dict, Iterator, List, NamedTuple, Optional,
                    Sequence, Tuple, Type)

import cv2

from mmpe.utils.command_line import one_line_errors
from mmpe.utils.tables import markdown_table

__all__ = ['LIMITS', 'MARK', 'Kind', 'Outcome', 'attempt', 'run', 'table']

# Name of the file that exists if anything in an input was executed.
MARK = 'executed'
RESULTS = ('result', 'clear error')
FAULTS = ('crash', 'hang', 'code run', 'left behind', 'memory')
# A child reads so many inputs.
_BATCH = 200


class Limits(NamedTuple):
    """Bounds of one input.

    Args:
        seconds: Of the processor; a child that is silent for three times as
            long by the clock (other programs may run, too) is killed.
        num_bytes: Memory of the whole process.
    """

    seconds: float = 20
    num_bytes: int = 2 * 2**30


LIMITS = Limits()


class Kind(NamedTuple):
    """A kind of input.

    Args:
        name: What it is called.
        make: Writes an input to an empty folder; returns its path or address.
        read: Reads it as the package does.
        errors: What it may raise.
        share: How many there are, compared with other kinds.
    """

    name: str
    make: Callable[[Random, Path], Any]
    read: Callable[[Any], object]
    errors: Tuple[Type[Exception], ...]
    share: int


class Outcome(NamedTuple):
    """What became of an input.

    Args:
        name: One of RESULTS or FAULTS.
        detail: The error.
        seconds: Of the processor.
        peak: Peak memory of the process so far, in bytes.
    """

    name: str
    detail: str = ''
    seconds: float = 0
    peak: int = 0


def attempt(kind: Kind, random: Random, folder: Path) -> Outcome:
    """Make an input and read it, in this process.

    Args:
        kind: Its kind.
        random: What it is made from.
        folder: An empty folder.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        source = kind.make(random, folder)
        before = _files(folder)
        start = time.process_time()
        name, detail = _read(kind, source)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    after = _files(folder)
    if (folder / MARK).exists() or before - after:
        name = 'code run'
    elif name == 'clear error' and after - before:
        name, detail = 'left behind', ', '.join(map(str, after - before))
    elif seconds > LIMITS.seconds:
        name = 'hang'
    return Outcome(name, detail, seconds, peak)


def _files(folder: Path) -> set:
    return {path for path in folder.rglob('*') if not path.is_dir()}


def _read(kind: Kind, source: Any) -> Tuple[str, str]:
    """Read an input behind what turns errors into lines."""
    try:
        with one_line_errors():
            try:
                kind.read(source)
            except Exception as error:
                if isinstance(error, kind.errors) and str(error).strip():
                    raise
                return ('memory' if isinstance(error, MemoryError) else
                        'crash'), traceback.format_exc()
    except SystemExit as line:
        text = str(line.code)
        return ('crash' if '\n' in text else 'clear error'), text
    return 'result', ''


def _generator(seed: int, kind: Kind, index: int) -> Random:
    return Random(f'{seed} {kind.name} {index}')


def _work(kind: Kind, seed: int, indices: Sequence[int], folder: Path,
          connection: Connection) -> None:
    """Read inputs, and tell before and after each of them."""
    size = int(Path('/proc/self/statm').read_text().split()[0])
    size = size * resource.getpagesize() + LIMITS.num_bytes
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    cv2.setNumThreads(0)  # threads do not live on in a child
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # of libraries in C, too
        os.dup2(silence, stream)
    for index in indices:
        connection.send(index)
        place = folder / f'{kind.name}-{index}'
        place.mkdir()
        with contextlib.redirect_stderr(io.StringIO()):
            try:
                outcome = attempt(kind, _generator(seed, kind, index), place)
            except Exception:  # it could not be made
                outcome = Outcome('crash', traceback.format_exc(), peak=1)
        if outcome.peak > LIMITS.num_bytes:
            outcome = outcome._replace(name='memory')
        if outcome.name not in FAULTS:
            shutil.rmtree(place)
        connection.send(outcome)


def _outcomes(kind: Kind, seed: int, number: int,
              folder: Path) -> Iterator[Tuple[int, Outcome]]:
    """The outcome of each input; a child that ends or hangs is replaced."""
    context = multiprocessing.get_context('fork')
    index = 0
    while index < number:
        batch = range(index, min(number, index + _BATCH))
        ours, theirs = context.Pipe(duplex=False)
        child = context.Process(
            target=_work, args=(kind, seed, batch, folder, theirs))
        child.start()
        theirs.close()
        try:
            for index in batch:
                outcome = _outcome(ours, child)
                yield index, outcome
                if not outcome.peak:  # the child is gone
                    break
        finally:
            child.kill()
            child.join()
            ours.close()
        index += 1


def _outcome(connection: Connection,
             child: multiprocessing.Process) -> Outcome:
    try:
        connection.recv()  # the input is begun
        # Making it takes time, too.
        if connection.poll(3 * LIMITS.seconds):
            return connection.recv()
        child.kill()
        child.join()
        return Outcome('hang', seconds=3 * LIMITS.seconds)
    except EOFError:
        child.join()  # by a signal where the code is negative
        return Outcome('crash', f'exit code {child.exitcode}')


class Summary:
    """What became of the inputs of one kind."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts: Counter = Counter()
        self.slowest: float = 0
        self.peak = 0

    def add(self, outcome: Outcome) -> None:
        """Count an outcome."""
        self.counts[outcome.name] += 1
        self.slowest = max(self.slowest, outcome.seconds)
        self.peak = max(self.peak, outcome.peak)

    @property
    def num_faults(self) -> int:
        """How many inputs did not end as they should."""
        return sum(self.counts[name] for name in FAULTS)


def run(kinds: Sequence[Kind],
        number: int,
        seed: int = 0,
        seconds: Optional[float] = None,
        keep: Optional[Path] = None,
        advance: Callable[[], object] = lambda: None) -> List[Summary]:
    """Read many inputs.

    Args:
        kinds: Their kinds.
        number: How many inputs of all kinds.
        seed: Random seed; the same inputs follow from it.
        seconds: When to stop, if not at the end; each kind has its share.
        keep: Folder in which inputs that were read wrongly are kept.
        advance: Called after each input.

    Returns:
        What became of them, by kind.
    """
    end = time.monotonic() if seconds else float('inf')
    shares = sum(kind.share for kind in kinds)
    summaries = []
    for kind in kinds:
        summary = Summary(kind.name)
        summaries.append(summary)
        end += (seconds or 0) * kind.share / shares
        count = max(1, round(number * kind.share / shares))
        with tempfile.TemporaryDirectory() as temporary, contextlib.closing(
                _outcomes(kind, seed, count, Path(temporary))) as outcomes:
            for index, outcome in outcomes:
                summary.add(outcome)
                if outcome.name in FAULTS and keep:
                    _keep(Path(temporary, f'{kind.name}-{index}'), outcome,
                          keep)
                advance()
                if time.monotonic() > end:
                    break
    return summaries


def _keep(folder: Path, outcome: Outcome, keep: Path) -> None:
    target = keep / folder.name
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    (target / 'outcome.txt').write_text(f'{outcome.name}\n{outcome.detail}\n')


def table(summaries: Sequence[Summary]) -> str:
    """The outcomes for people to read."""
    rows = [['input', 'number', *RESULTS, *FAULTS, 'slowest', 'peak memory']]
    for x in summaries:
        rows.append([
            x.name,
            str(sum(x.counts.values())),
            *(str(x.counts[name]) for name in (*RESULTS, *FAULTS)),
            f'{x.slowest:.1f} s', f'{x.peak / 2**20:.0f} MiB'
        ])
    total: Dict[str, int] = sum((x.counts for x in summaries), Counter())
    rows.append([
        'all',
        str(sum(total.values())),
        *(str(total[name]) for name in (*RESULTS, *FAULTS)),
        f'{max(x.slowest for x in summaries):.1f} s',
        f'{max(x.peak for x in summaries) / 2**20:.0f} MiB'
    ])
    return markdown_table(rows)
