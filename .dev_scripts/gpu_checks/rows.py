"""Training and sampling of every row at full width."""
import time
from functools import partial
from typing import Dict, List

import torch
from torch import Tensor

from mmpe.inference.singan import SinGANSampler

from .core import Check, CheckError, Figures, Options, peak_memory, synchronize
from .models import (MSPIE_ROWS, SINGAN_ROWS, Training, singan_training,
                     stylegan2_training)

__all__ = ['checks', 'scale_speeds']

# Iteration with both regularisers, like the first one.
_DUE = 16


def finite(losses: Dict[str, Tensor]) -> None:
    """Check that losses are finite.

    Raises:
        CheckError: Some are not.
    """
    for key, value in losses.items():
        if not value.isfinite().all():
            raise CheckError(f'{key} is {float(value)}')


def _mspie_row(row: str, options: Options) -> Figures:
    training = stylegan2_training(row, options)
    figures: Figures = {}
    with peak_memory(options, figures):
        finite(training.step(0))
        synchronize(options)
        start = time.perf_counter()
        losses = training.step(_DUE)
        synchronize(options)
        seconds = time.perf_counter() - start
    finite(losses)
    missing = {'loss_r1_gp', 'loss_path_regular'} - losses.keys()
    if missing:
        raise CheckError(f'{missing} were not computed', figures)
    images = training.data['inputs']
    return {
        'size': images[0].shape[-1],
        'batch': len(images),
        's per iteration, all due': round(seconds, 3),
        **figures
    }


def scale_speeds(training: Training, options: Options) -> List[float]:
    """Train all scales; returns the rounds per second at each scale."""
    model, speeds = training.model, []
    for stage in range(model.num_scales + 1):
        synchronize(options)
        start = time.perf_counter()
        for step in range(model.iters_of_scale):
            losses = training.step(stage * model.iters_of_scale + step)
        synchronize(options)
        speeds.append(model.iters_per_scale / (time.perf_counter() - start))
        finite(losses)
    return speeds


def _singan_row(row: str, options: Options) -> Figures:
    training = singan_training(row, options, 2 if options.small else 20)
    model, figures = training.model, {}
    with peak_memory(options, figures):
        speeds = scale_speeds(training, options)
        side = 96 if options.small else 1024
        image, = SinGANSampler(model.eval()).sample(1, (side, side), seed=0)
    if image.shape != (side, side, 3) or image.std() == 0:
        raise CheckError(
            f'the sample is {image.shape}, deviation {image.std()}', figures)
    return {
        'rounds per s at each scale':
        ' '.join(f'{speed:.3g}' for speed in speeds),
        'sample': f'{side} x {side}',
        **figures
    }


def checks(options: Options) -> List[Check]:
    """Checks of the group."""
    torch.backends.cudnn.benchmark = False  # would take most of the time
    return [
        Check(row, partial(_mspie_row, row, options)) for row in MSPIE_ROWS
    ] + [Check(row, partial(_singan_row, row, options)) for row in SINGAN_ROWS]
