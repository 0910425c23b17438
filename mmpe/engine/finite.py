"""Checks for NaN and infinity, before they get into a checkpoint."""
import math
import os.path as osp
from typing import Any, Iterator, Optional, Tuple

import numpy as np
import torch
from mmengine.dist import all_gather_object
from mmengine.runner import Runner
from torch import Tensor

from mmpe.utils.wrappers import unwrap

__all__ = [
    'NotFiniteError', 'at_scale', 'check_together', 'first_not_finite',
    'last_good_checkpoint', 'problem_of_state', 'seed_after'
]

# Key in the message hub: number of rollbacks.
ROLLBACKS = 'rollbacks'


class NotFiniteError(ValueError):
    """A loss or a weight is NaN or infinite.

    In distributed training, all processes raise it at the same iteration.
    """


def check_together(runner: Runner, problem: Optional[str]) -> None:
    """Raise in all processes if one of them has a problem.

    All processes must call this.

    Args:
        runner: The runner of the training.
        problem: What is not finite in this process, or None.

    Raises:
        NotFiniteError: A process has a problem.
    """
    problems = [x for x in all_gather_object(problem) if x]
    if not problems:
        return
    path = last_good_checkpoint(runner)
    raise NotFiniteError(
        f'{problems[0]}. ' +
        (f'The last good checkpoint is {path}' if path else
         'There is no good checkpoint before it'))


def last_good_checkpoint(runner: Runner) -> Optional[str]:
    """The last checkpoint that this training wrote or resumed from.

    Args:
        runner: The runner of the training.

    Returns:
        Its path, or None.
    """
    path = runner.message_hub.get_info('last_ckpt')
    return path if path and osp.isfile(path) else None


def seed_after(rollbacks: int, seed: int) -> int:
    """Seed of the training after a rollback.

    Args:
        rollbacks: Number of rollbacks, at least 1.
        seed: Seed of the training.

    Returns:
        A number in [0, 2**32).
    """
    return int(np.random.SeedSequence((seed, rollbacks)).generate_state(1)[0])


def problem_of_state(runner: Runner, step: int) -> Optional[str]:
    """Check all weights and optimiser states.

    A gradient that is not finite shows in the weight and in both of Adam's
    averages.

    Args:
        runner: The runner of the training.
        step: Number of finished iterations.

    Returns:
        What is not finite, in words, or None.
    """
    model = unwrap(runner.model)
    name = first_not_finite(
        dict(
            weights=model.state_dict(),
            optimizer=runner.optim_wrapper.state_dict()))
    if name is None:
        return None
    return (f'`{name}` is not finite after iteration {step}' +
            at_scale(getattr(model, 'curr_stage', None)))


def at_scale(stage: Optional[int]) -> str:
    """Suffix of a message about SinGAN's scale.

    Args:
        stage: Index of the scale, or None for other models.
    """
    return '' if stage is None else f' (scale {stage})'


def first_not_finite(state: Any) -> Optional[str]:
    """Find a value in a state dict that is NaN or infinite.

    Tensors are checked on their devices, with a single transfer at the end.

    Args:
        state: Nested dicts, lists and tuples of tensors and numbers.

    Returns:
        Name of the first such value, with keys joined by dots, or None.
    """
    names, tensors = [], []
    for name, value in _leaves(state):
        if isinstance(value, Tensor):
            if value.is_floating_point():
                names.append(name)
                tensors.append(torch.isfinite(value).all())
        elif isinstance(value, float) and not math.isfinite(value):
            return name
    if not tensors:
        return None
    device = max((x.device for x in tensors), key=lambda x: x.type != 'cpu')
    finite = torch.stack([x.to(device) for x in tensors]).tolist()
    return next((x for x, good in zip(names, finite) if not good), None)


def _leaves(state: Any, prefix: str = '') -> Iterator[Tuple[str, Any]]:
    if isinstance(state, (dict, list, tuple)):
        items = (
            state.items() if isinstance(state, dict) else enumerate(state))
        for key, value in items:
            yield from _leaves(value, f'{prefix}{key}.')
    else:
        yield prefix[:-1], state
