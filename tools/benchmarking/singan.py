"""SinGAN: training at each scale, the full schedule, and sampling.

Equal work: both sides have the same weights, noise and photograph. MMagic's
frozen scales are set to evaluation mode, like mmpe's. A round is three updates
of the discriminator and three of the generator, by ``train_step`` as in the
training loop.
"""
from functools import lru_cache, partial
from typing import List, Tuple

import numpy as np
import torch
from mmengine import MessageHub
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from mmpe.functional.pyramid import pyramid_sizes
from mmpe.registry import MODELS, build_from
from .core import (Derived, Options, Results, Task, Workload, WorkloadList)
from .networks import row_model

__all__ = ['workloads']

_ROWS = {
    'interp-pad': 'singan_interp-pad_balloons',
    'spe-dim4': 'singan_spe-dim4_fish'
}
_BALLOONS = (186, 248)
_ROUNDS = 2000
_STEPS = 3
# Minimum size, maximum size and scale factor of the rows' pyramids.
_PYRAMID = (25, 300, 0.75)


@lru_cache
def photograph(options: Options) -> np.ndarray:
    """BGR photograph (H, W, 3); by default one of the balloons' size."""
    from PIL import Image

    from mmpe.datasets import read_photograph
    if options.image is not None:
        return read_photograph(options.image)
    try:
        from skimage.data import rocket
    except ImportError:
        raise ImportError(
            'The default photograph comes from scikit-image, which is not '
            'installed: run `pip install scikit-image`, or give an --image.'
        ) from None
    height, width = (40, 52) if options.small else _BALLOONS
    image = Image.fromarray(rocket()).resize((width, height), Image.BICUBIC)
    return np.asarray(image)[..., ::-1].copy()


def _sizes(options: Options) -> List[Tuple[int, int]]:
    return pyramid_sizes(photograph(options).shape[:2], *_PYRAMID)


def _batch(options: Options) -> dict:
    """Pyramid of the photograph, in the format of the data loader."""
    image = torch.from_numpy(photograph(options)).permute(2, 0, 1).float()
    inputs = {
        f'real_scale{stage}': nn.functional.interpolate(
            image[None], size, mode='area')
        for stage, size in enumerate(_sizes(options))
    }
    inputs['input_sample'] = torch.zeros_like(inputs['real_scale0'])
    return dict(inputs=inputs)


def _config(row: str, options: Options) -> ConfigDict:
    model = row_model(_ROWS.get(row, row))
    num_scales = len(_sizes(options)) - 1
    for part in (model, model.generator, model.discriminator):
        part.num_scales = num_scales
    model.lr_scheduler_args = None
    return model


def make_model(side: str, row: str, options: Options) -> nn.Module:
    """Build the model of one side, with noise and photograph at all scales."""
    config = _config(row, options)
    torch.manual_seed(0)
    if side == 'mmpe':
        model = build_from(MODELS, config)
    else:
        import mmagic.models.editors.mspie  # noqa: F401  (registers it)
        from mmagic.registry import MODELS as MMAGIC_MODELS
        model = MMAGIC_MODELS.build({**config, '_scope_': 'mmagic'})
    model = model.to(options.device)
    inputs = model.data_preprocessor(_batch(options), True)['inputs']
    num = len(_sizes(options))
    model.reals = [inputs[f'real_scale{stage}'] for stage in range(num)]
    torch.manual_seed(1)
    model.construct_fixed_noises()
    model.noise_weights = [1.] + [0.1] * (num - 1)
    model.curr_stage = num - 1
    return model


def training(row: str, stage: int, side: str, options: Options) -> Task:
    """Train a round at a scale."""
    model = make_model(side, row, options)
    model.curr_stage = stage
    if side == 'mmagic':
        model.generator.blocks[:stage].eval()
    wrappers = {
        f'{name}_{stage}': options.optimizer(
            side, getattr(model, name).blocks[stage], (0.5, 0.999))
        for name in ('generator', 'discriminator')
    }
    data = _batch(options)
    first = stage * model.iters_per_scale * model.discriminator_steps + _STEPS

    def run() -> Results:
        torch.manual_seed(1)
        losses = {}
        for iteration in range(_STEPS):
            MessageHub.get_current_instance().update_info(
                'iter', first + iteration)
            log_vars = model.train_step(data, OptimWrapperDict(**wrappers))
            losses.update({
                f'{key} {iteration}': torch.as_tensor(value)
                for key, value in log_vars.items() if key.startswith('loss')
            })
        return losses

    return Task(run, model, list(wrappers.values()))


def sampling(row: str, side: str, options: Options) -> Task:
    """Draw an image of 512 x 512 pixels from given noise."""
    model = make_model(side, row, options).eval()
    size = (64, 64) if options.small else (512, 512)
    noises = _noises(model, row, options, size)

    def run() -> Results:
        with torch.no_grad(), options.autocast(side):
            image = model.generator(
                None,
                noises,
                model.noise_weights,
                rand_mode='recon',
                curr_scale=model.curr_stage)
        return dict(image=image)

    return Task(run, model)


def _noises(model: nn.Module, row: str, options: Options,
            size: Tuple[int, int]) -> List[Tensor]:
    """Noise for another size, equal on both sides."""
    from mmpe.functional.pyramid import resized_pyramid
    border = model.fixed_noises[0].shape[-2] - model.reals[0].shape[-2]
    torch.manual_seed(2)
    return [
        torch.randn(1, noise.shape[1], height + border, width + border).to(
            noise) for noise, (height, width) in zip(
                model.fixed_noises, resized_pyramid(_sizes(options), size))
    ]


def workloads(options: Options) -> WorkloadList:
    """Workloads of SinGAN."""
    found: List = []
    for row in _ROWS:
        names = [
            f'singan-{row}-scale-{stage}'
            for stage in range(len(_sizes(options)))
        ]
        found += [
            Workload(name, partial(training, row, stage))
            for stage, name in enumerate(names)
        ]
        found.append(
            Derived(f'singan-{row}-schedule', dict.fromkeys(names, _ROUNDS)))
        found.append(
            Workload(f'singan-{row}-sample-512', partial(sampling, row)))
    return found
