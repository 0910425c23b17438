"""Synchronisations of an iteration, and its longest kernels."""
import traceback
import warnings
from collections import Counter
from functools import partial
from typing import Callable, Counter as Counts, List, Optional

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from mmpe.registry import HOOKS

from .commands import FAMILIES, runs_on, train, training_config
from .core import Check, CheckError, Figures, Options
from .models import Training, singan_training, stylegan2_training

__all__ = ['checks']

# Iterations to observe; the first ones prepare buffers.
_FIRST, _LAST = 4, 8
_ALLOWED = 1
_KERNELS = 20
_OURS = ('mmpe', 'mmagic', 'mmengine')


class _ReadNumbers(TorchDispatchMode):
    """Reports conversions of tensors to numbers, which synchronise."""

    def __init__(self, note: Callable[[], None]) -> None:
        super().__init__()
        self.note = note

    def __torch_dispatch__(self,
                           func: Callable,
                           types: tuple,
                           args: tuple = (),
                           kwargs: Optional[dict] = None) -> object:
        if func is torch.ops.aten._local_scalar_dense.default:
            self.note()
        return func(*args, **(kwargs or {}))


@HOOKS.register_module()
class WaitingHook(Hook):
    """Counts synchronisations with the device, in whole iterations."""

    priority = 'VERY_HIGH'
    places: Counts[str] = Counter()

    def before_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        """Start and stop between iterations."""
        if runner.iter == _FIRST:
            self.places.clear()
            self._start()
        elif runner.iter == _LAST:
            self._stop()

    def _start(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
            warnings.simplefilter('always')
            warnings.showwarning = self._on_warning
            torch.cuda.set_sync_debug_mode('warn')
        else:
            self._mode = _ReadNumbers(self._note)
            self._mode.__enter__()

    def _stop(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode('default')
        else:
            self._mode.__exit__(None, None, None)

    def _on_warning(self, message: Warning, *args, **kwargs) -> None:
        if 'synchronizing' in str(message):
            self._note()

    def _note(self) -> None:
        """Count the innermost line of a known package."""
        frames = [
            f'{package}{frame.filename.rpartition(package)[2]}:{frame.lineno}'
            for frame in traceback.extract_stack()
            for package in _OURS if f'/{package}/' in frame.filename
        ]
        self.places[frames[-1] if frames else '(elsewhere)'] += 1


def _waits(family: str, options: Options) -> Figures:
    """Check that an iteration synchronises at most once."""
    name = f'{family}_waiting'
    config = training_config(family, options, name,
                             [dict(type='WaitingHook')])
    args = [f'train_cfg.max_iters={_LAST + 2}']
    if family == 'SinGAN':
        args.append('model.iters_per_scale=20')
    with warnings.catch_warnings(), runs_on(options.device):
        train(config, '--work-dir', options.folder / name, '--cfg-options',
              *args)
    number = sum(WaitingHook.places.values()) / (_LAST - _FIRST)
    places = ', '.join(f'{place} ({count})'
                       for place, count in WaitingHook.places.most_common())
    figures = {
        'synchronisations per iteration': number,
        f'places (in {_LAST - _FIRST} iterations)': places or '-'
    }
    # Reading a number on the CPU does not wait.
    if options.is_cuda and number > _ALLOWED:
        raise CheckError(f'at most {_ALLOWED} per iteration was expected',
                         figures)
    return figures


def _kernels(make: Callable[[], Training], iteration: int,
             options: Options) -> Figures:
    """The longest kernels of an iteration."""
    training = make()
    for before in range(iteration):
        training.step(before)
    activities = [ProfilerActivity.CPU]
    if options.is_cuda:
        activities.append(ProfilerActivity.CUDA)
        torch.cuda.synchronize()
    with profile(activities=activities) as profiler:
        training.step(iteration)
        if options.is_cuda:
            torch.cuda.synchronize()
    key = 'self_device_time_total' if options.is_cuda \
        else 'self_cpu_time_total'
    events = sorted(
        profiler.key_averages(),
        key=lambda event: getattr(event, key),
        reverse=True)
    total = sum(getattr(event, key) for event in events)
    if not total:
        raise CheckError('the profiler recorded nothing')
    return {
        'total ms': round(total / 1000, 2),
        'longest kernels (share, calls)': '; '.join(
            f'{event.key[:60]} ({getattr(event, key) / total:.0%}, '
            f'{event.count})' for event in events[:_KERNELS])
    }


def checks(options: Options) -> List[Check]:
    """Checks of the group."""
    config_f = 'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512'
    balloons = 'singan_interp-pad_balloons'
    # An iteration of MS-PIE with the path length penalty but without R1, and
    # one of SinGAN at the third scale.
    makers = {
        f'{config_f}, kernels':
        (partial(stylegan2_training, config_f, options), 4),
        f'{balloons}, kernels':
        (partial(singan_training, balloons, options, 2), 15)
    }
    return [
        Check(f'{family}, waiting', partial(_waits, family, options))
        for family in FAMILIES
    ] + [
        Check(name, partial(_kernels, make, iteration, options))
        for name, (make, iteration) in makers.items()
    ]
