"""Modes of training (precision, compiled, distributed, resumed); metrics."""
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Callable, List, Sequence

import torch
from torch import Tensor

from mmpe.engine.finite import first_not_finite
from mmpe.functional.distances import (feature_statistics, frechet_distance,
                                       polynomial_mmd, precision_recall)

from .commands import FAMILIES, runs_on, train, training_config, weights_of
from .core import Check, CheckError, Figures, NotHereError, Options
from .models import ROOT

__all__ = ['checks']

_METRICS = 1e-4


def _trains(family: str, name: str, args: Sequence[str],
            options: Options) -> Figures:
    """A training changes the weights, and they are finite."""
    config = training_config(family, options, name)
    folder = options.folder / name
    with runs_on(options.device):
        train(config, '--work-dir', folder, *args)
    first, last = (weights_of(folder / f'iter_{iteration}.pth')
                   for iteration in (2, 4))
    problem = first_not_finite(last)
    if problem:
        raise CheckError(f'{problem} is not finite')
    if all(torch.equal(first[key], last[key]) for key in last):
        raise CheckError('no weight has changed')
    return {}


def _half(family: str, options: Options) -> Figures:
    """float16 with mmengine's loss scaling."""
    if not options.is_cuda:
        raise NotHereError('float16 requires a GPU')
    networks = ('generator', 'discriminator')
    wrappers = [f'optim_wrapper.{x}.type=AmpOptimWrapper' for x in networks]
    return _trains(family, f'{family}_float16', ['--cfg-options', *wrappers],
                   options)


def _compiled(family: str, options: Options) -> Figures:
    """Compiled networks, if possible."""
    if options.small:
        raise NotHereError('takes too long for a trial')
    return _trains(family, f'{family}_compiled', ['--compile'], options)


def _distributed(family: str, options: Options) -> Figures:
    """``tools/dist_train.sh`` with one process, with NCCL on a GPU."""
    name = f'{family}_distributed'
    config = training_config(family, options, name)
    variables = dict(
        os.environ,
        OMP_NUM_THREADS='1',
        # torchrun is next to this Python, whether it is activated or not.
        PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ['PATH'])
    if not options.is_cuda:
        variables['CUDA_VISIBLE_DEVICES'] = ''
    result = subprocess.run([
        'bash',
        str(Path(ROOT, 'tools', 'dist_train.sh')),
        str(config), '1', '--work-dir',
        str(options.folder / name)
    ], env=variables, stdin=subprocess.DEVNULL, check=False)  # yapf: disable
    if result.returncode:
        raise CheckError(f'exit code {result.returncode}')
    weights_of(options.folder / name / 'iter_4.pth')
    return {}


def _resumes(family: str, options: Options) -> Figures:
    """A resumed deterministic training is bitwise equal to a whole one."""
    ends = []
    for name, parts in (('whole', [4]), ('resumed', [2, 4])):
        name = f'{family}_{name}'
        config = training_config(family, options, name)
        folder = options.folder / name
        for iterations in parts:
            with runs_on(options.device):
                train(config, '--work-dir', folder, '--resume',
                      '--deterministic', '--cfg-options',
                      f'train_cfg.max_iters={iterations}')
        ends.append(weights_of(folder / 'iter_4.pth'))
    differing = [
        key for key in ends[0] if not torch.equal(ends[0][key], ends[1][key])
    ]
    if differing:
        raise CheckError(f'{len(differing)} of {len(ends[0])} tensors differ, '
                         f'{differing[0]} first')
    return {}


def _metric(compute: Callable[[Tensor, Tensor], Sequence[float]],
            options: Options) -> Figures:
    """Compare a metric of random features on both devices."""
    num, width = (200, 32) if options.small else (4000, 512)
    generator = torch.Generator().manual_seed(0)
    real = torch.randn(num, width, generator=generator)
    fake = 1.1 * torch.randn(num, width, generator=generator) + 0.1
    expected, found = ([
        float(x) for x in compute(real.to(device), fake.to(device))
    ] for device in ('cpu', options.device))
    worst = max(
        abs(x - y) / max(abs(y), 1e-12) for x, y in zip(found, expected))
    figures = dict(difference=f'{worst:.0e}')
    if not worst <= _METRICS:
        raise CheckError(f'{found} on the GPU and {expected} on the CPU',
                         figures)
    return figures


def _fid(real: Tensor, fake: Tensor) -> Sequence[float]:
    return [
        frechet_distance(*feature_statistics(real), *feature_statistics(fake))
    ]


def _kid(real: Tensor, fake: Tensor) -> Sequence[float]:
    return [polynomial_mmd(real, fake)]


def checks(options: Options) -> List[Check]:
    """Checks of the group."""
    found = [
        Check(f'{name} of random features', partial(_metric, compute, options))
        for name, compute in (('FID', _fid), ('KID', _kid),
                              ('precision and recall', precision_recall))
    ]
    for family in FAMILIES:
        found += [
            Check(f'{family}, resumed with --deterministic',
                  partial(_resumes, family, options)),
            Check(f'{family}, bfloat16',
                  partial(_trains, family, f'{family}_bfloat16', ['--amp'],
                          options)),
            Check(f'{family}, float16', partial(_half, family, options))
        ]
    found += [
        Check(f'{family}, tools/dist_train.sh',
              partial(_distributed, family, options))
        for family in (FAMILIES[:1] if options.small else FAMILIES)
    ]
    # Compilation takes long, so it comes last.
    return found + [
        Check(f'{family}, --compile', partial(_compiled, family, options))
        for family in FAMILIES
    ]
