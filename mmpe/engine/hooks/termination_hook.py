"""An end that a cluster asks for."""
import signal
import sys
import threading
from types import FrameType
from typing import Optional, Tuple

import torch
import torch.distributed as dist
from mmengine.dist import barrier, is_distributed, is_main_process
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmpe.registry import HOOKS
from .checkpoint_hook import CheckpointHook

__all__ = ['Terminated', 'TerminationHook']

# EX_TEMPFAIL of sysexits.h: "try again later". 143, what a shell says of a
# process that SIGTERM has killed, would not tell that a checkpoint is written.
EXIT_CODE = 75


class Terminated(SystemExit):
    """SIGTERM has ended a training whose state is in a checkpoint.

    Python then ends with the code 75.
    """

    def __init__(self) -> None:
        super().__init__(EXIT_CODE)


@HOOKS.register_module()
class TerminationHook(Hook):
    """Writes a checkpoint and ends the training after SIGTERM.

    Clusters send it some seconds before they kill (Slurm at the time limit
    and at preemption). The iteration is finished, the checkpoint is one like
    all others, and the training that goes on from it ends in the same weights
    as one that was not interrupted. A validation is finished, too.

    Processes agree on the iteration although the signal may come to one
    earlier than to another. What they tell each other in an iteration is
    looked at in the next one: it has come by then, and no GPU waits for it.

    Raises:
        Terminated: After the checkpoint, in all processes; the exit code of
            Python is 75.
    """

    priority = 'LOWEST'  # after the CheckpointHook

    def __init__(self) -> None:
        self._asked = self._is_on = False
        self._group: Optional[dist.ProcessGroup] = None
        self._sent: Optional[Tuple[torch.Tensor, dist.Work]] = None

    def before_train(self, runner: Runner) -> None:
        """Wait for the signal from now on."""
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

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Save and end, if that is asked for."""
        # After the last iteration the training ends anyway.
        if (not self._is_on or self.is_last_train_iter(runner)
                or not self._is_agreed()):
            return
        self._saver.save(runner)
        if is_main_process():
            print(
                f'SIGTERM: stopped after iteration {runner.iter + 1}. The '
                f'training can go on from {self._saver.last_ckpt}',
                file=sys.stderr)
        # No process ends before the file is there: a launcher would kill
        # the others.
        barrier()
        raise Terminated

    def _is_agreed(self) -> bool:
        """Whether a process had the signal an iteration ago."""
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
        """Leave the signal to others again."""
        self.after_loop(runner)

    def after_loop(self, runner: Runner) -> None:
        """The same after a training that has failed, in a loop of ours."""
        if self._is_on:
            signal.signal(signal.SIGTERM, self._previous)
            self._is_on = False
