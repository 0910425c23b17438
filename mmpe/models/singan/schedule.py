"""Optimisers of a scale, and the schedule of their learning rates."""
from bisect import bisect_right
from typing import Optional

from mmengine.optim import OptimWrapperDict

__all__ = ['check_schedule', 'set_learning_rates', 'wrappers_of_scale']


def check_schedule(args: Optional[dict]) -> None:
    """Check the arguments of a step schedule.

    Args:
        args: ``lr_scheduler_args`` of :class:`~mmpe.models.singan.SinGAN`.

    Raises:
        ValueError: Arguments are missing or unknown.
    """
    if args and ('milestones' not in args
                 or not set(args) <= {'milestones', 'gamma'}):
        raise ValueError('Argument `lr_scheduler_args` must have the key '
                         "'milestones' and may have 'gamma', but got "
                         f'{sorted(args)}.')


def set_learning_rates(wrappers: OptimWrapperDict, args: Optional[dict],
                       num_rounds: int) -> None:
    """Set learning rates by a step schedule.

    Args:
        wrappers: Optimisers of a scale.
        args: As for :func:`check_schedule`; None for constant rates.
        num_rounds: Rounds done at this scale.
    """
    if not args:
        return
    factor = args.get('gamma', 0.1)**bisect_right(
        sorted(args['milestones']), num_rounds)
    for wrapper in wrappers.optim_wrappers.values():
        for group in wrapper.param_groups:
            group.setdefault('initial_lr', group['lr'])
            group['lr'] = group['initial_lr'] * factor


def wrappers_of_scale(stage: int,
                      optim_wrapper: OptimWrapperDict) -> OptimWrapperDict:
    """Optimisers of a scale, named ``generator`` and ``discriminator``.

    Args:
        stage: Index of the scale.
        optim_wrapper: Optimisers of all scales.

    Raises:
        ValueError: Gradients are accumulated.
    """
    wrappers = {
        name: optim_wrapper[f'{name}_{stage}']
        for name in ('generator', 'discriminator')
    }
    if any(x._accumulative_counts != 1 for x in wrappers.values()):
        raise ValueError('SinGAN trains on one image and does not '
                         'accumulate gradients: `accumulative_counts` '
                         'must be 1.')
    return OptimWrapperDict(**wrappers)
