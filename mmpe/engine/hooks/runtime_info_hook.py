"""Losses for the log, without synchronising in each iteration."""
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

# Length of a history, unless the log needs more. mmengine keeps a million
# values, and copies them all for each new value and, several times, for each
# checkpoint.
_LENGTH = 1000
# Iterations that the host may be ahead of a GPU: enough to keep the GPU busy,
# and few enough for times and signals to match what it does.
_LEAD = 4


class _Values(NamedTuple):
    """Values of an iteration.

    Attributes:
        iteration: Index of the iteration.
        names: Names of the values.
        here: Values on the host, or None if they are still on the device.
        waiting: Values on the device.
    """

    iteration: int
    names: Tuple[str, ...]
    here: List[Any]
    waiting: Optional[Tensor]


@HOOKS.register_module()
class RuntimeInfoHook(BaseRuntimeInfoHook):
    """mmengine's hook, without waiting for the device in each iteration.

    mmengine reads the losses of each iteration at once, which synchronises
    with the GPU several times per iteration. This hook keeps them on the
    device until they are needed by the logger, a checkpoint, the validation or
    the end of the training, or for ``interval`` iterations at most. The
    histories in the message hub are then the same as mmengine's, but those of
    the training are limited to the length that the log needs, at least 1,000
    values.

    When the losses are fetched, they are checked: a loss that is not finite
    ends the training, in all processes at the same iteration. At the intervals
    of the logger and of this hook, weights and optimiser states are checked,
    too, which reveals gradients that are not finite.

    Hooks that read losses from the message hub in every iteration get outdated
    values; use ``default_hooks.runtime_info.type=mmengine.RuntimeInfoHook``
    with them.

    Args:
        interval: Maximum number of iterations between fetches.

    Raises:
        NotFiniteError: A value with ``loss`` in its name, a weight or an
            optimiser state is NaN or infinite.
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
        """Look up the intervals and the window sizes of the logger."""
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
        """Keep the values; fetch them if they are due."""
        outputs = outputs or {}
        self._keep(runner.iter, outputs)
        # New values are logged from their first iteration on.
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
                or (runner.val_loop is not None and self.every_n_train_iters(
                    runner, runner.train_loop.val_interval)))

    def before_checkpoint(self, runner: Runner) -> None:
        """Fetch the values before a checkpoint is written.

        Called by mmpe's CheckpointHook, in all processes.
        """
        self.fetch(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the values to a checkpoint that another hook writes."""
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
        """Drop the values after the checkpoint."""
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
        # Stacking copies the values, which a CUDA graph would overwrite.
        self._kept.append(
            _Values(iteration, tuple(outputs), here,
                    torch.stack(waiting) if waiting else None))
        if waiting and waiting[0].is_cuda:
            self._limit_lead()

    def _limit_lead(self) -> None:
        """Wait for the device if the host is too far ahead."""
        event = torch.cuda.Event(blocking=True)
        event.record()
        self._events.append(event)
        if len(self._events) > _LEAD:
            self._events.popleft().synchronize()

    def fetch(self, runner: Runner) -> None:
        """Move the values to the message hub.

        In distributed training, all processes must call this.

        Args:
            runner: The runner of the training.

        Raises:
            NotFiniteError: A loss is NaN or infinite.
        """
        check_together(runner, self._move(runner))

    def _move(self, runner: Runner) -> Optional[str]:
        """Move the values; return the first loss that is not finite."""
        kept, self._kept = self._kept, []
        waiting = [x.waiting for x in kept if x.waiting is not None]
        numbers = iter(torch.cat(waiting).tolist() if waiting else ())
        problem = None
        histories: Dict[str, List[float]] = {}
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
    """Length of the histories that the log needs; None for all."""
    windows = [processor.window_size] + [
        x.get('window_size') for x in processor.custom_cfg
    ]
    if not all(isinstance(x, int) for x in windows):
        return None
    return max(_LENGTH, *windows)


def _extend(hub: MessageHub, name: str, values: List[float]) -> None:
    """Append values to a history, copying it only once."""
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
    """Whether reading a value would synchronise with a device."""
    return (isinstance(value, Tensor) and value.is_floating_point()
            and value.device.type != 'cpu')


def _problem(iteration: int, outputs: Dict[str, Any]) -> Optional[str]:
    for name, value in outputs.items():
        if 'loss' in name and not math.isfinite(value):
            return (f'`{name}` is {float(value)} in iteration '
                    f'{iteration + 1}' + at_scale(outputs.get('curr_stage')))
    return None
