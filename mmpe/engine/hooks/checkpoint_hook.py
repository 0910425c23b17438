"""Checkpoints for exact resumption."""
import random
from typing import Any, List, Optional

import numpy as np
import torch
from mmengine.dist import all_gather_object, get_rank, is_main_process
from mmengine.hooks import CheckpointHook as BaseCheckpointHook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.logging import print_log
from mmengine.runner import Runner, set_random_seed

# Registers the file backend 'atomic'.
import mmpe.utils.files  # noqa: F401
from mmpe.engine.finite import (ROLLBACKS, check_together, problem_of_state,
                                seed_after)
from mmpe.registry import HOOKS

__all__ = ['CheckpointHook', 'random_state', 'set_random_state']


def random_state() -> dict:
    """Random states of Python, NumPy and PyTorch in this process.

    Returns:
        Tensors and plain values, which load with ``weights_only=True``.
    """
    numpy_state: Any = np.random.get_state()
    name, keys, *rest = numpy_state
    state = dict(
        python=random.getstate(),
        numpy=[name, torch.from_numpy(keys.astype(np.int64)), *rest],
        torch=torch.get_rng_state())
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict) -> None:
    """Restore random states.

    Args:
        state: Result of :func:`random_state`.
    """
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state['numpy']
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


@HOOKS.register_module()
class CheckpointHook(BaseCheckpointHook):
    """mmengine's hook, with random states and atomic writes.

    Checkpoints contain the random states of all processes. They are restored
    right before the first iteration of a resumed run, which then continues as
    if it had not been interrupted.

    A checkpoint with weights or optimiser states that are not finite is not
    written; instead, the training ends in all processes, and older checkpoints
    are kept. Old checkpoints are removed only after the new one is complete.

    Args:
        args: As for ``mmengine.hooks.CheckpointHook``.
        backend_args: As for ``mmengine.hooks.CheckpointHook``; by default,
            files are written under a temporary name and renamed.
        kwargs: As for ``mmengine.hooks.CheckpointHook``.

    Raises:
        NotFiniteError: A value to save is NaN or infinite.
    """

    def __init__(self,
                 *args,
                 backend_args: Optional[dict] = None,
                 **kwargs) -> None:
        if backend_args is None and not kwargs.get('file_client_args'):
            backend_args = dict(backend='atomic')
        super().__init__(*args, backend_args=backend_args, **kwargs)
        self._states: List[dict] = []
        self._resumed_states: Optional[List[dict]] = None
        self._state_before_val: Optional[dict] = None

    def save(self, runner: Runner) -> None:
        """Write a checkpoint of the current iteration, if there is none yet.

        Args:
            runner: The runner of the training.
        """
        name = self.filename_tmpl.format(runner.iter + 1)
        if self.last_ckpt != self.file_backend.join_path(self.out_dir, name):
            self._save_checkpoint(runner)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict) -> None:
        # mmengine removes the old best checkpoint before writing the new one.
        if self.save_best:
            check_together(runner, problem_of_state(runner, runner.iter))
        super()._save_best_checkpoint(runner, metrics)

    def _save_checkpoint_with_step(self, runner: Runner, step: int,
                                   meta: dict) -> None:
        runner.call_hook('before_checkpoint')
        check_together(runner, problem_of_state(runner, step))
        # All processes get here; the rest runs in rank 0 only. With a new best
        # score, the checkpoint is saved again after the validation.
        self._states = all_gather_object(self._state_before_val
                                         or random_state())
        oldest = self._pop_oldest(step)
        super()._save_checkpoint_with_step(runner, step, meta)
        if oldest is not None and is_main_process():
            path = self.file_backend.join_path(
                self.out_dir, self.filename_tmpl.format(oldest))
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)

    def _pop_oldest(self, step: int) -> Optional[int]:
        """Iteration of the checkpoint that the new one replaces.

        mmengine would remove it before the new one is written.
        """
        if self.max_keep_ckpts <= 0:
            return None
        ids = self.keep_ckpt_ids
        if len(ids) < self.max_keep_ckpts or ids[-1] == step:
            return None
        return ids.popleft()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the random states of all processes."""
        super().before_save_checkpoint(runner, checkpoint)
        checkpoint['random_states'] = self._states

    def before_val(self, runner: Runner) -> None:
        """Store the random state."""
        self._state_before_val = random_state()

    def after_val(self, runner: Runner) -> None:
        """Restore the random state, as a resumed run skips the validation."""
        if self._state_before_val is not None:
            set_random_state(self._state_before_val)
        self._state_before_val = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the random states until the first iteration."""
        super().after_load_checkpoint(runner, checkpoint)
        self._resumed_states = checkpoint.get('random_states')

    def after_rollback(self, runner: Runner) -> None:
        """Seed the random states from the seed and the number of rollbacks."""
        self._resumed_states = None
        number = runner.message_hub.get_info(ROLLBACKS)
        set_random_seed(seed_after(number, runner.seed))

    def before_train_iter(self, runner: Runner, batch_idx: int,
                          data_batch: DATA_BATCH = None) -> None:
        """Restore the random states once, in a resumed run."""
        super().before_train_iter(runner, batch_idx, data_batch)
        states, self._resumed_states = self._resumed_states, None
        if not states or runner.iter == 0:
            return
        if get_rank() < len(states):
            set_random_state(states[get_rank()])
        else:
            print_log(
                f'The checkpoint was written by {len(states)} processes: the '
                f'random state of rank {get_rank()} starts from the seed.',
                logger='current')
