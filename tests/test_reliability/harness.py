"""Ends trainings at any moment, and compares what becomes of them.

Commands are started as a user would; only their imports are shared, by
processes that are forked from one that has them.
"""
import json
import multiprocessing
import os
import random
import shutil
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any, Callable, List, NamedTuple, Optional, Sequence

import numpy as np
import psutil
import torch

from mmpe.checkpoint import latest_checkpoint, read_checkpoint

from . import mortal
from .trainings import ROOT, Training

# A process that does not end in this time hangs.
_SECONDS = 180
_PARTS = ('state_dict', 'optimizer', 'random_states')
# Bytes after which a file is cut off.
_CUTS = (0, 1, 10, 1000, 30_000)


class Death(NamedTuple):
    """How a training ends.

    Attributes:
        seconds: Signal 9 to all its processes after this time, or None.
        kind, number, action: As for :class:`mortal.FileEvents`.
    """

    seconds: Optional[float] = None
    kind: Optional[str] = None
    number: int = 0
    action: str = 'kill'

    def __str__(self) -> str:
        if self.kind is None:
            return 'signal 9 at a random moment'
        when = 'within' if self.action.isdecimal() else 'signal 9 before'
        return f'{when} {self.kind}'


@dataclass
class Ended:
    """What a process has left.

    Attributes:
        code: Its exit code; negative after a signal.
        output: All that it has printed.
        seconds: How long it ran.
    """

    code: int
    output: str
    seconds: float

    @property
    def last_line(self) -> str:
        """The last line, where an error is told."""
        lines = self.output.strip().splitlines()
        return lines[-1] if lines else ''


class Starter:
    """Starts a training's command.

    Args:
        folder: Folder for notes; the training's own is never touched.
        num_processes: 1, or how many torchrun shall start.
    """

    def __init__(self, folder: Path, num_processes: int = 1) -> None:
        self.trace = folder / 'trace.txt'
        self._output = folder / 'output.txt'
        self._num_processes = num_processes
        self._context = multiprocessing.get_context('forkserver')
        self._context.set_forkserver_preload(
            ['mmpe.engine.photographs', 'mmpe.evaluation', 'mmpe.models'])
        first = self._context.Process(target=os.getpid)
        first.start()  # waits for the imports
        first.join()

    def run(self,
            training: Training,
            resume: bool = False,
            death: Death = Death()) -> Ended:
        """Run the command until it ends or has been killed.

        Args:
            training: The training.
            resume: Whether it goes on.
            death: How it ends.

        Returns:
            What it has left.

        Raises:
            TimeoutError: It hangs.
        """
        for path in (self.trace, self._output):
            path.write_text('')
        options = training.resume if resume else []
        events = dict(
            folder=str(training.folder),
            trace=str(self.trace),
            kind=death.kind,
            number=death.number,
            action=death.action)
        order = dict(
            script=training.script,
            args=[*training.args[:1], *options, *training.args[1:]],
            events=events)
        start = time.monotonic()
        if self._num_processes == 1:
            code = self._fork(order, death.seconds)
        else:
            code = self._torchrun(order, death.seconds)
        seconds = time.monotonic() - start
        return Ended(code, self._output.read_text(errors='replace'), seconds)

    def _fork(self, order: dict, seconds: Optional[float]) -> int:
        process = self._context.Process(
            target=mortal.run_forked, args=(order, str(self._output)))
        process.start()
        process.join(seconds or _SECONDS)
        hangs = process.is_alive() and seconds is None
        _end(process.pid)
        process.join()
        if hangs:
            raise TimeoutError(f'{order} hangs.')
        return process.exitcode

    def _torchrun(self, order: dict, seconds: Optional[float]) -> int:
        command = [
            sys.executable, '-m', 'torch.distributed.run',
            '--rdzv-backend=c10d', '--rdzv-endpoint=127.0.0.1:0',
            '--local-addr=127.0.0.1',
            f'--nproc-per-node={self._num_processes}', mortal.__file__,
            json.dumps(order), '--launcher', 'pytorch'
        ]
        env = dict(os.environ, PYTHONPATH=ROOT, OMP_NUM_THREADS='1')
        with open(self._output, 'w') as output:
            process = Popen(command, stdout=output, stderr=output, env=env,
                            start_new_session=True)
        try:
            return process.wait(seconds or _SECONDS)
        except TimeoutExpired:
            if seconds is None:
                raise
            return -9
        finally:
            _end(process.pid)


def _end(pid: int) -> None:
    """Signal 9 to a process, its descendants, and all of its session."""
    victims = []
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        victims = [process, *process.children(recursive=True)]
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == pid:
                victims.append(process)
    for process in victims:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(victims, timeout=10)


def differences(first: Any, second: Any, name: str = '') -> List[str]:
    """Names of what is not equal to the last bit in two nested states.

    Args:
        first, second: Dicts, lists, tensors, arrays, numbers, ...
        name: What they are called.
    """
    if isinstance(first, torch.Tensor):
        first, second = first.numpy(), second.numpy()
    if isinstance(first, np.ndarray):
        equal = (first.dtype == second.dtype and first.shape == second.shape
                 and first.tobytes() == second.tobytes())
        return [] if equal else [name]
    if isinstance(first, (list, tuple)):
        first, second = (dict(enumerate(x)) for x in (first, second))
    if isinstance(first, dict):
        if first.keys() != second.keys():
            return [name]
        return [
            found for key in first for found in differences(
                first[key], second[key], f'{name}.{key}')
        ]
    return [] if first == second else [name]


def _failure(ended: Ended, deaths: Sequence[Death]) -> str:
    return f'exit code {ended.code} after {deaths}: {ended.last_line}'


class Campaign:
    """Deaths of one training, each compared with an undisturbed run.

    Args:
        make: Makes the training from the folder of its files.
        folder: Folder of all files.
        num_processes: As for :class:`Starter`.

    Attributes:
        events: How often each kind of event comes in the undisturbed run;
            see :class:`mortal.FileEvents`.
        final: The last checkpoint of the undisturbed run.
    """

    def __init__(self,
                 make: Callable[[Path], Training],
                 folder: Path,
                 num_processes: int = 1) -> None:
        folder.mkdir()
        self._folder = folder
        self._make = make
        self._num_processes = num_processes
        self.starter = Starter(folder, num_processes)
        training = make(folder / 'whole')
        ended = self.starter.run(training)
        if ended.code:
            raise RuntimeError(ended.output)
        self.seconds = ended.seconds
        self.final = latest_checkpoint(training.folder)
        self.events = Counter(self.starter.trace.read_text().splitlines())

    def random_moment(self, rng: random.Random) -> Death:
        """Signal 9 at a random moment."""
        return Death(seconds=rng.uniform(0.05, self.seconds))

    def death_at(self, rng: random.Random, kind: str) -> Death:
        """A death before or, if it is a write, within one of ``events``."""
        number = rng.randrange(self.events[kind])
        action = 'kill'
        if kind.startswith('open'):
            action = rng.choice(['kill', *map(str, _CUTS)])
        return Death(kind=kind, number=number, action=action)

    def new_training(self) -> Training:
        """The training, of which nothing is there yet."""
        folder = self._folder / 'killed'
        shutil.rmtree(folder, ignore_errors=True)
        return self._make(folder)

    def try_deaths(self, deaths: Sequence[Death]) -> 'Outcome':
        """Let a training die, go on, die ...; then let it end.

        Args:
            deaths: How it dies, one after the other.

        Returns:
            What has become of it.
        """
        training, died = self.new_training(), 0
        for number, death in enumerate(deaths):
            ended = self.starter.run(training, number > 0, death)
            if (ended.code > 0 and self._num_processes == 1
                    and not death.action.isdecimal()):
                # Neither done nor killed: it says that something is wrong.
                # (Processes that it starts do not die at a limit of sizes, but
                # report it.)
                return Outcome(died, [_failure(ended, deaths)])
            died += ended.code != 0
            for path in training.folder.glob('iter_*.pth'):
                read_checkpoint(path)  # whole
        ended = self.starter.run(training, resume=True)
        if ended.code:
            return Outcome(died, [_failure(ended, deaths)])
        return Outcome(died, self.compare(training))

    def compare(self, training: Training) -> List[str]:
        """What differs between a training and the undisturbed one."""
        path = training.folder / self.final.name
        states = [read_checkpoint(x) for x in (self.final, path)]
        return differences(*({part: state[part] for part in _PARTS}
                             for state in states))


class Outcome(NamedTuple):
    """What has become of a training.

    Attributes:
        died: How often it died.
        problems: What is wrong in the end; empty if nothing is.
    """

    died: int
    problems: List[str]
