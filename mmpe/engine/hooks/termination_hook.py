"""Termination by a cluster."""
import signal
import sys
import threading
from types import FrameType
from typing import Any, Optional, Tuple

import torch
import torch.distributed as dist
from mmengine.dist import barrier, is_distributed, is_main_process
from mmengine.runner import Runner

from mmpe.registry import HOOKS
from .checkpoint_hook import CheckpointHook
from .iteration_hook import IterationHook

__all__ = ['Terminated', 'TerminationHook']

# EX_TEMPFAIL of sysexits.h, "try again later". 143, the usual code after
# SIGTERM, would not tell that a checkpoint was written.
EXIT_CODE = 75


class Terminated(SystemExit):
    """SIGTERM ended a training, after a checkpoint was written.

    The exit code of Python is 75.
    """

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


@HOOKS.register_module()
class TerminationHook(IterationHook):
    """Writes a checkpoint and ends the training after SIGTERM.

    Clusters send SIGTERM some seconds before they kill a job (Slurm at the
    time limit and at preemption). The current iteration or validation is
    finished first. The checkpoint is a regular one: the resumed training ends
    with the same weights as an uninterrupted one.

    The signal may reach processes at different times, so they agree on the
    iteration to stop after. The result of their communication is read one
    iteration later, so that no GPU has to wait for it.

    Raises:
        Terminated: After the checkpoint, in all processes; the exit code of
            Python is 75.
    """

    priority = 'LOWEST'  # after the CheckpointHook

    def __init__(self) -> None:
        self._asked = self._is_on = False
        self._group: Any = None
        self._sent: Optional[Tuple[torch.Tensor, dist.Work]] = None

    def before_train(self, runner: Runner) -> None:
        """Install the signal handler."""
        self._saver = next(
            (hook for hook in runner.hooks
             if isinstance(hook, CheckpointHook) and not hook.by_epoch), None)
        self._is_on = (
            self._saver is not None
            and threading.current_thread() is threading.main_thread())
        if not self._is_on:
            return
        if is_distributed() and self._group is None:
            self._group = dist.new_group(backend='gloo')
        self._previous = signal.signal(signal.SIGTERM, self._note)

    def _note(self, number: int, frame: Optional[FrameType]) -> None:
        self._asked = True

    def after_iteration(self, runner: Runner, outputs: dict) -> None:
        """Write a checkpoint and end the training after the signal."""
        # The training ends after the last iteration anyway.
        if (not self._is_on or self._saver is None
                or self.is_last_train_iter(runner) or not self._is_agreed()):
            return
        self._saver.save(runner)
        if is_main_process():
            print(
                f'SIGTERM: stopped after iteration {runner.iter + 1}. The '
                f'training can be resumed from {self._saver.last_ckpt}',
                file=sys.stderr)
        # Wait for the file: the launcher kills the other processes when one
        # ends.
        barrier()
        raise Terminated

    def _is_agreed(self) -> bool:
        """Whether a process had got the signal an iteration ago."""
        if self._group is None:
            return self._asked
        sent = self._sent
        asked = torch.tensor(int(self._asked))
        self._sent = asked, dist.all_reduce(
            asked, dist.ReduceOp.MAX, group=self._group, async_op=True)
        if sent is None:
            return False
        asked, work = sent
        work.wait()
        return bool(asked)

    def after_train(self, runner: Runner) -> None:
        """Restore the previous signal handler."""
        self.after_loop(runner)

    def after_loop(self, runner: Runner) -> None:
        """Restore the previous signal handler, after failures, too."""
        if self._is_on:
            signal.signal(signal.SIGTERM, self._previous)
            self._is_on = False
