"""MS-PIE: sampling and training of config-f and of the small rows.

Equal work: both sides have the same weights, draw the same noise from the same
seed, and do not mix styles. MMagic's model is its ``StyleGAN2``, which has the
same losses as ``MSPIEStyleGAN2``, with a generator set to the scale;
``MSPIEStyleGAN2`` draws other sizes only in distributed training on CUDA. Real
images have the size of the fakes. The path length penalty is at the base
scale.
"""
from functools import partial
from typing import Callable, Dict, List

import torch
from mmengine import MessageHub
from mmengine.optim import OptimWrapperDict
from torch import nn

from mmpe.functional.gan_losses import input_gradient, r1_penalty
from mmpe.utils.compiling import eagerly
from .core import (AnyWorkload, Derived, Options, Results, Task, Workload,
                   WorkloadList)
from .mspie_models import Setting, batch_of, config_f, make_model, small_row

__all__ = ['workloads']

_BATCH = 2
# An iteration without regularisers.
_PLAIN = 1


def _start(model: nn.Module, iteration: int) -> None:
    """Start an iteration from a known state."""
    MessageHub.get_current_instance().update_info('iter', iteration)
    model.mean_path_length = torch.full_like(model.mean_path_length, 0.7)
    torch.manual_seed(1)


def _losses(log_vars: dict) -> Results:
    return {
        key: torch.as_tensor(value)
        for key, value in log_vars.items() if key.startswith('loss')
    }


def sampling(scale: int, num: int, side: str, options: Options) -> Task:
    """Draw images."""
    setting = config_f(options, scale)
    model = make_model(side, options, setting).eval()
    torch.manual_seed(1)
    z = torch.randn(num, setting.model.generator.style_channels)
    z = z.to(options.device)
    cells = 4 + scale
    powers = [0] + [
        power for power in range(1, model.generator.log_size - 1)
        for _ in range(2)
    ]
    noises = [
        torch.randn(num, 1, cells << power, cells << power).to(z)
        for power in powers
    ]

    def run() -> Results:
        with torch.no_grad(), options.autocast(side):
            image = model.generator(
                z, injected_noise=noises, chosen_scale=scale)
        return dict(image=image)

    return Task(run, model)


def step(network: str, scale: int, num: int, side: str,
         options: Options) -> Task:
    """Update a network once, without regularisers."""
    setting = config_f(options, scale)
    model = make_model(side, options, setting)
    optimizer = options.optimizer(side, getattr(model, network), (0., 0.99))
    data = model.data_preprocessor(batch_of(setting, num), True)
    model.discriminator.requires_grad_(network == 'discriminator')

    def run() -> Results:
        _start(model, _PLAIN)
        with optimizer.optim_context(getattr(model, network)):
            log_vars = getattr(model, f'train_{network}')(
                **data, optimizer_wrapper=optimizer)
        return _losses(log_vars)

    return Task(run, model, [optimizer])


def regulariser(loss: Callable, scale: int, num: int, side: str,
                options: Options) -> Task:
    """Compute a penalty and its gradients."""
    setting = config_f(options, scale)
    model = make_model(side, options, setting)
    reals = model.data_preprocessor(batch_of(setting, num), True)
    reals = reals['data_samples'].gt_img

    def run() -> Results:
        model.zero_grad()
        _start(model, _PLAIN)
        with options.autocast(side):
            penalty = loss(side, model, reals)
        penalty.backward()
        return dict(loss=penalty)

    return Task(run, model)


def r1(side: str, model: nn.Module, reals: torch.Tensor) -> torch.Tensor:
    """The R1 penalty."""
    if side == 'mmagic':
        from mmagic.models.losses import r1_gradient_penalty_loss
        return r1_gradient_penalty_loss(
            model.discriminator, reals, norm_mode='HWC')
    reals = reals.detach().requires_grad_()
    with eagerly(model.discriminator):
        return r1_penalty(input_gradient(model.discriminator(reals), reals))


def path_length(side: str, model: nn.Module,
                reals: torch.Tensor) -> torch.Tensor:
    """The path length penalty."""
    shrink = model.loss_config['pl_batch_shrink']
    weight = model.loss_config['g_reg_weight']
    if side == 'mmpe':
        return model.path_length_loss(len(reals), _PLAIN)
    from mmagic.models.losses import gen_path_regularizer
    return weight * gen_path_regularizer(
        model.generator,
        len(reals),
        model.mean_path_length,
        pl_batch_shrink=shrink)[0]


def iterations(setting: Setting, number: int, num: int, side: str,
               options: Options) -> Task:
    """Run iterations as the training loop does, with regularisers.

    Args:
        setting: Networks and scale.
        number: Number of iterations, starting with one that has all
            regularisers.
        num: Batch size.
        side: 'mmagic' or 'mmpe'.
        options: Options of all workloads.
    """
    model = make_model(side, options, setting)
    wrappers = OptimWrapperDict(
        **{
            name: options.optimizer(side, getattr(model, name), (0., 0.99))
            for name in ('generator', 'discriminator')
        })
    data = batch_of(setting, num)

    def run() -> Results:
        losses: Dict[str, torch.Tensor] = {}
        for iteration in range(number):
            _start(model, iteration)
            log_vars = model.train_step(data, wrappers)
            losses.update((f'{key} {iteration}', value)
                          for key, value in _losses(log_vars).items())
        return losses

    return Task(run, model, list(wrappers.optim_wrappers.values()))


def _small_iterations(scale: int, side: str, options: Options) -> Task:
    return iterations(
        small_row(options, scale), 2 if options.small else 16, 4, side,
        options)


def _iteration_of_config_f(prefix: str, scale: int,
                           num: int) -> List[AnyWorkload]:
    """Steps and penalties of config-f, and the iteration they add up to."""
    parts: List[AnyWorkload] = [
        Workload(f'{prefix}-d-step', partial(step, 'discriminator', scale,
                                             num)),
        Workload(f'{prefix}-g-step', partial(step, 'generator', scale, num)),
        Workload(f'{prefix}-r1', partial(regulariser, r1, scale, num)),
        Workload(f'{prefix}-path-length',
                 partial(regulariser, path_length, scale, num))
    ]
    shares = (1, 1, 1 / 16, 1 / 4)
    return [
        *parts,
        Derived(f'{prefix}-iteration',
                {part.name: share for part, share in zip(parts, shares)})
    ]


def workloads(options: Options) -> WorkloadList:
    """Workloads of MS-PIE."""
    found: WorkloadList = [
        Workload(f'config-f-sample-{64 * (4 + scale)}-b{num}',
                 partial(sampling, scale, num)) for scale in (0, 4)
        for num in (1, 4)
    ]
    found += _iteration_of_config_f('config-f', 0, _BATCH)
    for scale in (0, 2, 4):
        found.append(
            Workload(f'mspie-small-{8 * (4 + scale)}-16-iterations',
                     partial(_small_iterations, scale)))
    return found


def large_workloads(options: Options) -> WorkloadList:
    """Workloads for GPUs: config-f at all sizes, with the rows' batches."""
    found: WorkloadList = []
    settings = ((0, 3), (4, 3), (12, 2))
    for scale, num in settings[:1] if options.small else settings:
        size = 64 * (4 + scale)
        found += _iteration_of_config_f(f'config-f-{size}-b{num}', scale, num)
        found += [
            Workload(f'config-f-{size}-sample-b{num}',
                     partial(sampling, scale, num)) for num in (1, 16)
        ]
    return found
