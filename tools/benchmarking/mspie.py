"""MS-PIE: sampling and training of config-f and of the small rows.

Equal mathematics: both sides have the same weights, draw the same noise from
the same seed, and mix no styles. MMagic's model is its ``StyleGAN2``, whose
losses ``MSPIEStyleGAN2`` shares, with a generator that makes the size asked
for; the latter makes other sizes on CUDA in distributed training only. Real
images have the size of the fakes. The path length penalty is at the base
scale.
"""
import os.path as osp
from copy import deepcopy
from functools import partial
from typing import Callable, Dict, List, NamedTuple

import torch
from mmengine import MessageHub
from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapperDict
from torch import nn

from mmpe.functional.gan_losses import input_gradient, r1_penalty
from mmpe.registry import MODELS, build_from
from mmpe.utils.compiling import eagerly
from .core import (AnyWorkload, Derived, Options, Results, Task, Workload,
                   WorkloadList)
from .networks import mmagic_class, row_model

__all__ = ['workloads']

_CONFIG_F = 'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512'
_CONFIG_F_1024 = 'mspie-stylegan2-config-f_c1_8xb2-1600kiters_ffhq-256-1024'
_SMALL_ROW = osp.join(
    osp.dirname(osp.abspath(__file__)),
    '../../configs/mspie_small/mspie_spe_32-48-64.py')
_BATCH = 2
# No regulariser is due in this iteration.
_PLAIN = 1


class Setting(NamedTuple):
    """Networks at a scale.

    Args:
        model: Config of the model, as mmpe and (but for ``width``) MMagic
            know it.
        width: Factor on all channels.
        scale: Extra cells.
    """

    model: ConfigDict
    width: float = 1.
    scale: int = 0

    @property
    def size(self) -> int:
        """Height and width of images."""
        return self.model.generator.out_size * (4 + self.scale) // 4

    @property
    def is_multi_scale(self) -> bool:
        """Whether the generator makes images of several sizes."""
        return self.model.type == 'MSPIEStyleGAN2'


def narrow(row: str, size: int, width: float, scale: int = 0) -> Setting:
    """Networks like a row's, for small images and with few channels.

    Args:
        row: Name of the row.
        size: Height and width of images at the base scale.
        width: Factor on all channels.
        scale: Extra cells.
    """
    model = row_model(row)
    shrink(model, size, width)
    return Setting(model, width, scale)


def shrink(model: ConfigDict, size: int, width: float) -> None:
    """Let the networks of a row make small images from short codes.

    Args:
        model: Config of the model; changed.
        size: Height and width of images at the base scale.
        width: Factor on the lengths of codes; that on channels is said
            elsewhere, since MMagic's networks do not know it.
    """
    model.generator.out_size = model.discriminator.in_size = size
    for part, key in ((model.generator, 'style_channels'),
                      (model.generator.get('head_pos_encoding'),
                       'embedding_dim')):
        if part and key in part:
            part[key] = int(part[key] * width)


def config_f(options: Options, scale: int = 0) -> Setting:
    """config-f, or small networks like it."""
    row = _CONFIG_F_1024 if scale > 4 else _CONFIG_F
    if options.small:
        return narrow(row, 32, 1 / 32, scale)
    return Setting(row_model(row), scale=scale)


def small_row(options: Options, scale: int) -> Setting:
    """The small rows of mmpe, which MMagic could train as well."""
    model = Config.fromfile(_SMALL_ROW).model
    width = model.generator.pop('width')
    model.discriminator.pop('width')
    return Setting(model, width, scale)


def _mmagic_model(setting: Setting) -> nn.Module:
    from mmagic.models.data_preprocessors import DataPreprocessor
    from mmagic.models.editors.stylegan2 import StyleGAN2
    networks = []
    for config in (setting.model.generator, setting.model.discriminator):
        config = dict(config)
        networks.append(
            mmagic_class(config.pop('type'), setting.width)(**config))
    return StyleGAN2(
        *networks,
        DataPreprocessor(),
        ema_config=setting.model.ema_config,
        loss_config=setting.model.loss_config)


def _mmpe_model(setting: Setting) -> nn.Module:
    config = deepcopy(setting.model)
    for network in (config.generator, config.discriminator):
        network.width = setting.width
    if setting.is_multi_scale:
        config.train_settings = dict(multi_input_scales=[setting.scale])
    return build_from(MODELS, config)


def _at_scale(generator: nn.Module, scale: int) -> None:
    """Let MMagic's generator make the size that its model does not ask for."""
    forward = generator.forward

    def forward_at_scale(*args, return_latents: bool = False, **kwargs):
        # Only the path length penalty asks for latents.
        kwargs.setdefault('chosen_scale', 0 if return_latents else scale)
        return forward(*args, return_latents=return_latents, **kwargs)

    generator.forward = forward_at_scale


def make_model(side: str, options: Options, setting: Setting) -> nn.Module:
    """The model of one side."""
    setting = setting._replace(model=deepcopy(setting.model))
    setting.model.generator.mix_prob = 0.
    torch.manual_seed(0)
    if side == 'mmpe':
        model = _mmpe_model(setting)
        # Biases and noise weights start at zero, where they hide errors.
        for parameter in model.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.3)
    else:
        model = _mmagic_model(setting)
        if setting.is_multi_scale:
            _at_scale(model.generator, setting.scale)
    return model.to(options.device)


def batch_of(setting: Setting, num: int = _BATCH) -> dict:
    """Images as a data loader gives them."""
    from mmagic.structures import DataSample
    generator = torch.Generator().manual_seed(2)
    images = 255 * torch.rand(
        num, 3, setting.size, setting.size, generator=generator)
    return dict(
        inputs=list(images),
        data_samples=[DataSample(gt_img=image) for image in images])


def _start(model: nn.Module, iteration: int) -> None:
    """Begin an iteration in a known state."""
    MessageHub.get_current_instance().update_info('iter', iteration)
    model.mean_path_length = torch.full_like(model.mean_path_length, 0.7)
    torch.manual_seed(1)


def _losses(log_vars: dict) -> Results:
    return {
        key: torch.as_tensor(value)
        for key, value in log_vars.items() if key.startswith('loss')
    }


def sampling(scale: int, num: int, side: str, options: Options) -> Task:
    """Images from noise."""
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
    """One update of a network, without the regularisers."""
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
    """A penalty with its gradients."""
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
    """Iterations as the training loop makes them, regularisers included.

    Args:
        setting: Networks and scale.
        number: How many iterations, from the one in which all is due.
        num: Number of images.
        side: Whose.
        options: What is the same for all.
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
    """Steps and penalties, and the iteration that they add up to."""
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
    """All of MS-PIE."""
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
    """config-f at all sizes with the rows' batches: for GPUs."""
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
