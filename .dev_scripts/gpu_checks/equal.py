"""Agreement of the GPU with the CPU, and with MMagic on the same GPU."""
import contextlib
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import (Callable, Dict, Iterator, List, Optional, Sequence,
                    Tuple)

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarking import agreement, core, measure, mspie, mspie_models, singan
from mmpe.checkpoint import read_checkpoint
from mmpe.engine.finite import first_not_finite
from mmpe.inference import load
from mmpe.inference.context_singan import ContextSinGANSampler
from mmpe.inference.singan import SinGANSampler
from mmpe.inference.stylegan2 import StyleGAN2Sampler
from mmpe.models import ContextSinGAN

from .commands import FAMILIES, runs_on, train, training_config
from .core import Check, CheckError, Figures, NotHereError, Options
from .models import (MSPIE_ROWS, ROOT, SINGAN_ROWS, Training, photograph,
                     singan_training, stylegan2_training)

__all__ = ['GRADIENTS', 'checks']

_IMAGES, GRADIENTS = 1e-4, 1e-3
_RANDOM = {
    getattr(torch.ops.aten, name)
    for name in ('bernoulli', 'bernoulli_', 'normal', 'normal_', 'rand',
                 'rand_like', 'randint', 'randn', 'randn_like', 'randperm',
                 'uniform_')
}


class RandomOnCPU(TorchDispatchMode):
    """Draws random numbers on the CPU, so that they are equal everywhere."""

    def __torch_dispatch__(self,
                           func: Callable,
                           types: tuple,
                           args: tuple = (),
                           kwargs: Optional[dict] = None) -> object:
        kwargs = dict(kwargs or {})
        if func._overloadpacket not in _RANDOM:
            return func(*args, **kwargs)
        device = kwargs.pop('device', None)
        target = args[0] if args and isinstance(args[0], Tensor) else None
        if target is None:
            return func(*args, **kwargs, device='cpu').to(device or 'cpu')
        if str(func._schema.name).endswith('_'):
            return target.copy_(func(target.cpu(), *args[1:], **kwargs))
        return func(target.cpu(), *args[1:], **kwargs).to(target.device)


@contextlib.contextmanager
def exactly() -> Iterator[None]:
    """Float32 throughout, with the same random numbers on all devices."""
    with measure.without_tf32(), RandomOnCPU():
        yield


def compared(found: Dict[str, float], task: core.Task,
             expected: core.Results) -> Tuple[float, float, List[str]]:
    """Largest differences of images and losses, and of gradients.

    Raises:
        CheckError: Some exceed their tolerance.
    """
    tolerances = {
        key: GRADIENTS if key.startswith('gradient') else _IMAGES
        for key in found
    }
    allowed, notes = agreement.allowed_differences(found, tolerances, task,
                                                 expected)
    worst = agreement.worst_of(found, allowed)
    if not found[worst] <= allowed[worst]:
        raise CheckError(f'{worst} differs by {found[worst]:.1e}, more than '
                         f'{allowed[worst]:.1e}')
    return (max(found[key] for key in found if tolerances[key] == _IMAGES),
            max([found[key] for key in found if tolerances[key] == GRADIENTS],
                default=0.), notes)


def _against_cpu_and_mmagic(make: Callable[[str, core.Options], core.Task],
                            options: Options) -> Figures:
    """Compare a workload on the GPU with MMagic, and with the CPU."""
    here, on_cpu = (core.Options(device, small=options.small)
                    for device in (options.device, 'cpu'))
    figures: Figures = {}
    with exactly():
        reference = make('mmpe', on_cpu)
        cpu = reference.record()
        ours, theirs = make('mmpe', here), make('mmagic', here)
        state = ours.model.state_dict()
        state.pop('_extra_state', None)
        theirs.model.load_state_dict(state)
        gpu, expected = ours.record(), theirs.record()
        for name, other, task in (('CPU', cpu, reference),
                                  ('MMagic', expected, theirs)):
            image, gradient, notes = compared(
                agreement.differences(gpu, other), task, other)
            figures[f'images, {name}'] = f'{image:.0e}'
            figures[f'gradients, {name}'] = f'{gradient:.0e}'
            if notes:
                print('\n'.join(notes))
    return figures


def _mspie_row(row: str, options: Options) -> Figures:
    """Two full iterations and images of a row."""
    scale = 0 if row.startswith('stylegan2') else 2
    setting = mspie_models.narrow(row, 32, 1 / 32, scale) if options.small \
        else mspie_models.narrow(row, 64, 1 / 8, scale)

    def make(side: str, bench: core.Options) -> core.Task:
        task = mspie.iterations(setting, 2, 2, side, bench)
        train, chosen = task.run, dict(chosen_scale=scale) if scale else {}

        def run() -> core.Results:
            losses = train()
            torch.manual_seed(3)
            with torch.no_grad():
                image = task.model.generator(None, num_batches=2, **chosen)
            return dict(losses, image=image)

        task.run = run
        return task

    return _against_cpu_and_mmagic(make, options)


def _singan_row(row: str, stage: int, options: Options) -> Figures:
    return _against_cpu_and_mmagic(
        partial(singan.training, row, stage), options)


def _singan_image(row: str, options: Options) -> Figures:
    return _against_cpu_and_mmagic(partial(singan.sampling, row), options)


def _own_training(name: str, options: Options) -> Figures:
    """Compare a SinGAN that MMagic lacks with the CPU."""
    def make(device: str) -> core.Task:
        training = singan_training(name, options._replace(device=device), 2)

        def run() -> core.Results:
            torch.manual_seed(1)
            return {
                f'{key} {iteration}': value
                for iteration in range(2 * training.model.iters_of_scale)
                for key, value in training.step(iteration).items()
            }

        return core.Task(run, training.model)

    with exactly():
        reference, ours = make('cpu'), make(options.device)
        found = agreement.differences(ours.run(), reference.run())
    # Rounding errors grow with the iterations.
    worst = max(found, key=found.get)
    if not found[worst] <= 10 * _IMAGES:
        raise CheckError(f'{worst} differs by {found[worst]:.1e}')
    return {'images, CPU': f'{found[worst]:.0e}'}


def _same_pictures(draw: Callable[[str], List[np.ndarray]],
                   options: Options) -> Figures:
    """A seed gives the same image on all devices."""
    with exactly():
        one, two = (np.stack(draw(device)).astype(int)
                    for device in ('cpu', options.device))
    levels = int(abs(one - two).max())
    if levels > 1:
        share = (abs(one - two) > 1).mean()
        raise CheckError(f'{share:.1%} of the values differ by more than one '
                         f'of 256 levels, the worst by {levels}')
    return dict(levels=levels)


def _stylegan2_pictures(options: Options, device: str) -> List[np.ndarray]:
    training = stylegan2_training(MSPIE_ROWS[-3], options._replace(
        device=device, small=True))
    return StyleGAN2Sampler(training.model.eval()).sample(2, seed=5)


def _trained(name: str, options: Options, device: str) -> Training:
    """Train on the CPU, so that both devices have the same weights."""
    training = singan_training(name, options._replace(device='cpu'), 1)
    torch.manual_seed(1)
    for iteration in range((training.model.num_scales + 1) *
                           training.model.iters_of_scale):
        training.step(iteration)
    training.model.to(device).eval()
    return training


def _singan_pictures(name: str, options: Options,
                     device: str) -> List[np.ndarray]:
    model = _trained(name, options, device).model
    sampler = ContextSinGANSampler(model) if isinstance(
        model, ContextSinGAN) else SinGANSampler(model)
    height, width = sampler.size
    return sampler.sample(2, (height, width + 16), seed=5)


def _patch_pictures(options: Options, device: str) -> List[np.ndarray]:
    side = 52 if options.small else 120
    return load(photograph(options, side), device=device).sample(2, seed=5)


def _across_devices(family: str, name: str, devices: Sequence[str],
                    options: Options) -> Figures:
    """Resume a training of one device on the other."""
    folder = options.folder / f'{family}_{name}_first'
    config = training_config(family, options, f'{folder.name}')
    for device, iterations in zip(devices, (2, 4)):
        with runs_on(device):
            train(config, '--work-dir', folder, '--resume', '--cfg-options',
                  f'train_cfg.max_iters={iterations}')
    for iteration in (2, 4):
        checkpoint = read_checkpoint(folder / f'iter_{iteration}.pth')
        problem = first_not_finite(checkpoint['state_dict'])
        if problem:
            raise CheckError(f'{problem} is not finite')
    steps = {
        int(state['step'])
        for optimizer in checkpoint['optimizer'].values()
        for state in optimizer['state'].values() if 'step' in state
    }
    if max(steps, default=0) < 4:
        raise CheckError(f'4 steps of Adam were expected, but got {steps}')
    return dict(iterations=' then '.join(
        f'2 on {device}' for device in devices))


def _gpu_tests(options: Options) -> Figures:
    """Run the tests with the marker ``gpu``."""
    if not options.is_cuda:
        raise NotHereError('requires a GPU')
    # Other tests may need packages that the machine lacks.
    files = [
        str(path) for path in Path(ROOT, 'tests').rglob('test_*.py')
        if 'mark.gpu' in path.read_text()
    ]
    command = [sys.executable, '-m', 'pytest', '-m', 'gpu', *files]
    result = subprocess.run(
        [*command, '-p', 'no:cacheprovider'],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True)
    print(result.stdout)
    closing = (result.stdout.strip().splitlines() or ['nothing'])[-1]
    if result.returncode:
        raise CheckError(f'pytest: {closing}')
    return dict(tests=closing)


def checks(options: Options) -> List[Check]:
    """Checks of the group."""
    # The tests cover the CPU, so a trial only takes every third row.
    step = 3 if options.small else 1
    found = [
        Check(row, partial(_mspie_row, row, options))
        for row in MSPIE_ROWS[::step]
    ]
    for row in SINGAN_ROWS[::step]:
        for stage in (0, 1 if options.small else 4):
            found.append(
                Check(f'{row}, scale {stage}',
                      partial(_singan_row, row, stage, options)))
        found.append(
            Check(f'{row}, image', partial(_singan_image, row, options)))
    fast = ('singan_csg_fast', 'singan_zero-pad_fast')
    found += [
        Check(f'{name}, training', partial(_own_training, name, options))
        for name in fast
    ]
    pictures = {
        'MS-PIE': partial(_stylegan2_pictures, options),
        **{
            name: partial(_singan_pictures, name, options)
            for name in (*fast, 'singan_spe-dim4_fish')
        }, 'patch diffusion': partial(_patch_pictures, options)
    }
    found += [
        Check(f'{name}, picture of a seed',
              partial(_same_pictures, draw, options))
        for name, draw in pictures.items()
    ]
    found += [
        Check(f'{family}, from a checkpoint of the {name}',
              partial(_across_devices, family, name, devices, options))
        for family in FAMILIES
        for name, devices in (('CPU', ('cpu', options.device)),
                              ('GPU', (options.device, 'cpu')))
    ]
    found.append(Check('tests marked gpu', partial(_gpu_tests, options)))
    return found
