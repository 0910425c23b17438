"""Speed of training and sampling, compared with MMagic if it has the model."""
import contextlib
import fnmatch
import math
import time
from functools import partial
from typing import Dict, List

import benchmark
import torch
from benchmarking import core, measure, mspie, singan
from benchmarking.report import Row, derive
from mmengine.config import Config

from mmpe.functional.memory_format import contiguous_maps
from mmpe.inference import load

from .core import (Check, CheckError, Figures, NotHereError, Options,
                   peak_memory, synchronize)
from .equal import GRADIENTS
from .models import (config_file, photograph, singan_training,
                     stylegan2_training)
from .rows import scale_speeds

__all__ = ['checks']

_REPEATS = 3
# Minimum ratio to MMagic, and whether memory must not exceed MMagic's; for
# SinGAN with CUDA graphs.
_TARGETS = {
    **{
        f'singan-interp-pad-scale-{stage}': (3., False)
        for stage in range(4)
    }, 'singan-interp-pad-schedule': (1.5, False),
    'config-f-256-b3-iteration': (1.5, True),
    'config-f-512-b3-iteration': (1.5, True)
}
_SIDES = (250, 1024, 2048)


def _workloads(options: core.Options) -> core.WorkloadList:
    """Workloads of config-f and balloons; others would take too long."""
    found = [*mspie.large_workloads(options), *singan.workloads(options)]
    return [
        x for x in found if fnmatch.fnmatchcase(x.name, 'config-f-*') or
        fnmatch.fnmatchcase(x.name, 'singan-interp-pad-s*')
    ]


def _images(name: str) -> int:
    """Batch size of a workload, or 0."""
    parts = [part[1:] for part in name.split('-') if part[:1] == 'b']
    counts = name.endswith('-iteration') or '-sample-' in name
    return int(parts[0]) if counts and parts and parts[0].isdigit() else 0


def _benchmark(workload: core.AnyWorkload, rows: Dict[str, Row],
               rates: Dict[str, float], options: core.Options,
               has_targets: bool) -> Figures:
    """Time both sides of a workload."""
    is_cuda = options.device != 'cpu'
    if isinstance(workload, core.Derived):
        row = derive(workload, rows, rates)
    else:
        row = benchmark.measured(
            workload,
            options,
            rates,
            1 if options.small else _REPEATS,
            with_memory=is_cuda)
    rows[workload.name] = row
    mmagic, mmpe = (row.seconds[side].wall for side in core.SIDES)
    figures: Figures = {
        'MMagic ms': f'{1000 * mmagic:.4g}',
        'mmpe ms': f'{1000 * mmpe:.4g}',
        'ratio': f'{mmagic / mmpe:.2f}',
        'difference': f'{row.difference:.0e}'
    }
    memory = [row.memory.get(side) or 0 for side in core.SIDES]
    if any(memory):
        figures['MiB, MMagic and mmpe'] = ', '.join(
            str(value // 2**20) for value in memory)
    num = _images(workload.name)
    if options.cuda_graphs and row.notes:
        raise CheckError(row.notes[0], figures)
    if num:
        figures['images per s'] = f'{num / mmpe:.4g}'
    elif 'scale' in workload.name:
        figures['rounds per s'] = f'{1 / mmpe:.4g}'
    elif workload.name.endswith('schedule'):
        figures['hours'] = f'{mmpe / 3600:.3g}'
    allowed = max(row.tolerance,
                  GRADIENTS if row.worst.startswith('gradient') else 0.)
    if not row.difference <= allowed:
        raise CheckError(f'{row.worst} differs by {row.difference:.1e}, more '
                         f'than {allowed:.1e}', figures)
    least, bounds_memory = _TARGETS.get(workload.name, (0., False))
    if has_targets and is_cuda and not options.small:
        if mmagic / mmpe < least:
            raise CheckError(f'the ratio should be {least:g}', figures)
        if bounds_memory and memory[1] > memory[0]:
            raise CheckError("more memory than MMagic's", figures)
    return figures


def _rates(rates: Dict[str, float], options: Options) -> Figures:
    """Convolution rates of the machine."""
    here = core.Options(options.device, small=options.small)
    for dtype in (torch.float32, torch.bfloat16):
        rate = measure.convolution_rate(here, dtype)
        rates[str(dtype)[6:]] = rate
    rates.update(dict.fromkeys(core.SIDES, rates['float32']))
    return {
        f'TFLOP/s, {name}': f'{rates[name] / 1e12:.3g}'
        for name in ('float32', 'bfloat16')
    }


def _variant(wrapper: str, is_contiguous: bool, options: Options) -> Figures:
    """Time iterations of config-f at 512 pixels, without regularisers."""
    name = 'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512'
    figures: Figures = {}
    with contiguous_maps() if is_contiguous else contextlib.nullcontext(), \
            peak_memory(options, figures):
        training = stylegan2_training(name, options, wrapper)
        number = 1 if options.small else 5
        for _warm in (False, True):
            synchronize(options)
            start = time.perf_counter()
            # Not a multiple of 4 or 16, so without regularisers.
            for _ in range(number):
                training.step(1)
            synchronize(options)
            seconds = (time.perf_counter() - start) / number
    num = len(training.data['inputs'])
    return {'images per s': f'{num / seconds:.4g}', **figures}


def _fast(name: str, cuda_graphs: bool, options: Options) -> Figures:
    """Time a fast config, which MMagic lacks."""
    if cuda_graphs and not options.is_cuda:
        raise NotHereError('CUDA graphs require a GPU')
    cfg = Config.fromfile(config_file(name))
    # Enough to make the work per scale negligible.
    rounds = 2 if options.small else 100
    training = singan_training(
        name, options, rounds, side=250, cuda_graphs=cuda_graphs)
    speeds = scale_speeds(training, options)
    if training.model.cuda_graphs != cuda_graphs:
        raise CheckError('CUDA graphs were not used')
    minutes = sum(cfg.model.iters_per_scale / speed for speed in speeds) / 60
    return {
        'rounds per s': ' '.join(f'{speed:.3g}' for speed in speeds),
        'minutes of the schedule': f'{minutes:.3g}'
    }


def _patches(config: str, side: int, options: Options) -> Figures:
    """Time an image from a photograph's patches."""
    path = photograph(options, side)
    figures: Figures = {}
    start = time.perf_counter()
    sampler = load(
        config_file(config), path, device=options.device, max_size=side)
    figures['s to load'] = round(time.perf_counter() - start, 2)
    with peak_memory(options, figures):
        seconds = []
        for seed in (0, 1):
            synchronize(options)
            start = time.perf_counter()
            sampler.sample(1, seed=seed)
            synchronize(options)
            seconds.append(time.perf_counter() - start)
    return {'s per picture': round(seconds[-1], 3), **figures}


def _with_graphs(options: Options) -> List[Check]:
    """Checks of SinGAN with CUDA graphs."""
    if not options.is_cuda:
        return []
    here = core.Options(options.device, small=options.small, cuda_graphs=True)
    rates: Dict[str, float] = dict.fromkeys(core.SIDES, math.inf)
    rows: Dict[str, Row] = {}
    return [
        Check(f'{workload.name}, CUDA graphs',
              partial(_benchmark, workload, rows, rates, here, True))
        for workload in singan.workloads(here)
        if fnmatch.fnmatchcase(workload.name, 'singan-interp-pad-sc*')
    ]


def checks(options: Options) -> List[Check]:
    """Checks of the group."""
    torch.backends.cudnn.benchmark = True  # as in the rows' configs
    rates: Dict[str, float] = {}
    rows: Dict[str, Row] = {}
    here = core.Options(options.device, small=options.small)
    found = [Check('convolutions', partial(_rates, rates, options))]
    found += [
        Check(workload.name,
              partial(_benchmark, workload, rows, rates, here,
                      not workload.name.startswith('singan')))
        for workload in _workloads(here)
    ]
    found += _with_graphs(options)
    found += [
        Check(
            'config-f, 512 px, ' +
            ('bfloat16' if amp else 'float32') + ', contiguous' * contiguous,
            partial(_variant, 'BFloat16OptimWrapper' if amp else
                    'OptimWrapper', contiguous, options))
        for amp in (False, True) for contiguous in (False, True)
    ]
    found += [
        Check(name + ', CUDA graphs' * graphs,
              partial(_fast, name, graphs, options))
        for name in ('singan_csg_fast', 'singan_zero-pad_fast')
        for graphs in (False, True)
    ]
    sides = (48, ) if options.small else _SIDES
    # The exact search in large photographs takes longest.
    found += [
        Check(f'{config}, {side} px', partial(_patches, config, side, options))
        for config in ('patch-diffusion_csg', 'patch-diffusion_exact')
        for side in sides
    ]
    return found
