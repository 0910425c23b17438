"""Values for the log, fetched from the device all at once."""
import math
from collections import deque
from typing import Any, Deque, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
import torch
from mmengine.hooks import LoggerHook
from mmengine.hooks import RuntimeInfoHook as BaseRuntimeInfoHook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.runner import LogProcessor, Runner
from torch import Tensor

from mmpe.engine.finite import at_scale, check_together, problem_of_state
from mmpe.registry import HOOKS

__all__ = ['RuntimeInfoHook']

# Values of a history that are kept, unless the log looks further back.
# mmengine keeps a million, and copies all of them for each new value and,
# several times, for each checkpoint.
_LENGTH = 1000
# How many iterations the host may be ahead of a GPU. The GPU always has work,
# and times and signals do not lose touch with what it does.
_LEAD = 4


class _Values(NamedTuple):
    """What an iteration gave; `waiting` holds numbers that are not here yet.

    `here` has None in their places.
    """

    iteration: int
    names: Tuple[str, ...]
    here: List[Any]
    waiting: Optional[Tensor]


@HOOKS.register_module()
class RuntimeInfoHook(BaseRuntimeInfoHook):
    """mmengine's hook, which does not wait for the device in each iteration.

    mmengine puts the values of each iteration into the message hub at once,
    and so waits for the GPU several times in each of them. Here they stay
    where they are until somebody wants to know: the logger, a checkpoint, the
    validation, the end; and at the latest after ``interval`` iterations. The
    histories in the message hub are then those of mmengine, but of the
    training's only as much is kept as the log needs, and at least the last
    1,000 values.

    With them it is known whether all losses are finite. One that is not ends
    the training, in all processes at the same iteration. So does, whenever
    the logger or ``interval`` asks for values, a weight or a number of an
    optimiser, which is what a gradient that is not finite leaves.

    A hook that reads losses from the message hub in every iteration sees old
    ones: ``default_hooks.runtime_info.type=mmengine.RuntimeInfoHook`` is for
    it.

    Args:
        interval: Iterations after which values are fetched at the latest.

    Raises:
        NotFiniteError: A value with ``loss`` in its name, a weight or a number
            of an optimiser is NaN or infinite.
        ValueError: ``interval`` is below 1.
    """

    def __init__(self, interval: int = 100) -> None:
        if interval < 1:
            raise ValueError('Argument `interval` must be at least 1, but '
                             f'got {interval}.')
        self.interval = interval
        self._kept: List[_Values] = []
        self._events: Deque[torch.cuda.Event] = deque()

    def before_train(self, runner: Runner) -> None:
        """Find out when the logger wants values, and how many of them."""
        super().before_train(runner)
        self._length = _needed_length(runner.log_processor)
        self._intervals = [self.interval] + [
            hook.interval
            for hook in runner.hooks if isinstance(hook, LoggerHook)
        ]

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Keep the values, or fetch them if it is time."""
        outputs = outputs or {}
        self._keep(runner.iter, outputs)
        # What is new gets its place in the log in its first iteration.
        known = runner.message_hub.log_scalars
        logs = any(
            (batch_idx + 1) % interval == 0 for interval in self._intervals)
        if (logs or any(f'train/{name}' not in known for name in outputs)
                or self._is_due(runner, batch_idx)):
            self.fetch(runner)
        if logs:
            check_together(runner, problem_of_state(runner, runner.iter + 1))

    def _is_due(self, runner: Runner, batch_idx: int) -> bool:
        return (self.end_of_epoch(runner.train_dataloader, batch_idx)
                or self.is_last_train_iter(runner)
                or runner.val_loop is not None
                and self.every_n_train_iters(runner,
                                             runner.train_loop.val_interval))

    def before_checkpoint(self, runner: Runner) -> None:
        """Fetch the values before a checkpoint is written.

        mmpe's CheckpointHook calls this in all processes.
        """
        self.fetch(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Complete a checkpoint that another hook writes."""
        if self._kept:
            self._move(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def before_val(self, runner: Runner) -> None:
        """Fetch the values before a validation."""
        self.fetch(runner)
        super().before_val(runner)

    def after_train(self, runner: Runner) -> None:
        """Fetch what is left."""
        self.fetch(runner)
        super().after_train(runner)

    def after_rollback(self, runner: Runner) -> None:
        """Forget what came after the checkpoint."""
        self._kept.clear()

    def _keep(self, iteration: int, outputs: Dict[str, Any]) -> None:
        here, waiting = [], []
        for value in outputs.values():
            if _waits(value):
                waiting.append(value.detach().reshape(()))
                value = None
            elif isinstance(value, (Tensor, np.ndarray, np.number)):
                value = value.item()
            here.append(value)
        # Stacking is copying: a CUDA graph writes to the same place again.
        self._kept.append(
            _Values(iteration, tuple(outputs), here,
                    torch.stack(waiting) if waiting else None))
        if waiting and waiting[0].is_cuda:
            self._limit_lead()

    def _limit_lead(self) -> None:
        """Wait for an earlier iteration if the host is far ahead."""
        event = torch.cuda.Event(blocking=True)
        event.record()
        self._events.append(event)
        if len(self._events) > _LEAD:
            self._events.popleft().synchronize()

    def fetch(self, runner: Runner) -> None:
        """Put the values that were kept into the message hub.

        Where there are several processes, all have to call this.

        Args:
            runner: The runner of the training.

        Raises:
            NotFiniteError: A loss is NaN or infinite.
        """
        check_together(runner, self._move(runner))

    def _move(self, runner: Runner) -> Optional[str]:
        """Fetch the values; say which loss is the first that is not finite."""
        kept, self._kept = self._kept, []
        waiting = [x.waiting for x in kept if x.waiting is not None]
        numbers = iter(torch.cat(waiting).tolist() if waiting else ())
        problem, histories = None, {}
        for values in kept:
            outputs = {}
            for name, here in zip(values.names, values.here):
                outputs[name] = next(numbers) if here is None else here
                histories.setdefault(name, []).append(outputs[name])
            problem = problem or _problem(values.iteration, outputs)
        for name, history in histories.items():
            _extend(runner.message_hub, f'train/{name}', history)
        for name, history in runner.message_hub.log_scalars.items():
            if self._length and name.startswith('train/'):
                history.max_length = self._length
        return problem


def _needed_length(processor: LogProcessor) -> Optional[int]:
    """How much of a history the log needs; None for all of it."""
    windows = [processor.window_size] + [
        x.get('window_size') for x in processor.custom_cfg
    ]
    if not all(isinstance(x, int) for x in windows):
        return None
    return max(_LENGTH, *windows)


def _extend(hub: MessageHub, name: str, values: List[float]) -> None:
    """Add values to a history, which is copied once for all of them."""
    if name not in hub.log_scalars:
        hub.update_scalar(name, values[0])
        values = values[1:]
    if not values:
        return
    old = hub.get_scalar(name)
    length, (history, counts) = old.max_length, old.data
    hub.log_scalars[name] = HistoryBuffer(
        np.append(history, values)[-length:],
        np.append(counts, np.ones(len(values), counts.dtype))[-length:],
        length)


def _waits(value: Any) -> bool:
    """Whether reading a number would wait for a device."""
    return (isinstance(value, Tensor) and value.is_floating_point()
            and value.device.type != 'cpu')


def _problem(iteration: int, outputs: Dict[str, Any]) -> Optional[str]:
    for name, value in outputs.items():
        if 'loss' in name and not math.isfinite(value):
            return (f'`{name}` is {float(value)} in iteration '
                    f'{iteration + 1}' + at_scale(outputs.get('curr_stage')))
    return None
