"""Models of MS-PIE on both sides, and their data."""
import os.path as osp
from copy import deepcopy
from typing import NamedTuple

import torch
from mmengine.config import Config, ConfigDict
from torch import nn

from mmpe.registry import MODELS, build_from
from .core import Options
from .networks import mmagic_class, row_model

__all__ = [
    'Setting', 'batch_of', 'config_f', 'make_model', 'narrow', 'shrink',
    'small_row'
]

_CONFIG_F = 'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512'
_CONFIG_F_1024 = 'mspie-stylegan2-config-f_c1_8xb2-1600kiters_ffhq-256-1024'
_SMALL_ROW = osp.join(
    osp.dirname(osp.abspath(__file__)),
    '../../configs/mspie_small/mspie_spe_32-48-64.py')


class Setting(NamedTuple):
    """Networks at a scale.

    Args:
        model: Config of the model, for mmpe and MMagic.
        width: Multiplier of all channel counts.
        scale: Number of extra cells.
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
        """Whether the generator is a multi-scale one."""
        return self.model.type == 'MSPIEStyleGAN2'


def narrow(row: str, size: int, width: float, scale: int = 0) -> Setting:
    """Narrow networks of a row for small images.

    Args:
        row: Name of the row.
        size: Height and width of images at the base scale.
        width: Multiplier of all channel counts.
        scale: Number of extra cells.
    """
    model = row_model(row)
    shrink(model, size, width)
    return Setting(model, width, scale)


def shrink(model: ConfigDict, size: int, width: float) -> None:
    """Change a row's networks to small images and short latents.

    Args:
        model: Config of the model, changed in place.
        size: Height and width of images at the base scale.
        width: Multiplier of the length of latents and encodings. Channel
            counts are not changed, as MMagic's networks have no argument for
            them.
    """
    model.generator.out_size = model.discriminator.in_size = size
    for part, key in ((model.generator, 'style_channels'),
                      (model.generator.get('head_pos_encoding'),
                       'embedding_dim')):
        if part and key in part:
            part[key] = int(part[key] * width)


def config_f(options: Options, scale: int = 0) -> Setting:
    """config-f, or a small version of it."""
    row = _CONFIG_F_1024 if scale > 4 else _CONFIG_F
    if options.small:
        return narrow(row, 32, 1 / 32, scale)
    return Setting(row_model(row), scale=scale)


def small_row(options: Options, scale: int) -> Setting:
    """The small rows of mmpe, which MMagic could train, too."""
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
    """Make MMagic's generator draw a scale that its model does not pass."""
    forward = generator.forward

    def forward_at_scale(*args, return_latents: bool = False, **kwargs):
        # Only the path length penalty requests latents.
        kwargs.setdefault('chosen_scale', 0 if return_latents else scale)
        return forward(*args, return_latents=return_latents, **kwargs)

    generator.forward = forward_at_scale


def make_model(side: str, options: Options, setting: Setting) -> nn.Module:
    """Build the model of one side."""
    setting = setting._replace(model=deepcopy(setting.model))
    setting.model.generator.mix_prob = 0.
    torch.manual_seed(0)
    if side == 'mmpe':
        model = _mmpe_model(setting)
        # Biases and noise weights start at zero, which would hide errors.
        for parameter in model.parameters():
            if not parameter.any():
                nn.init.normal_(parameter, std=0.3)
    else:
        model = _mmagic_model(setting)
        if setting.is_multi_scale:
            _at_scale(model.generator, setting.scale)
    return model.to(options.device)


def batch_of(setting: Setting, num: int) -> dict:
    """Random images, in the format of a data loader."""
    from mmagic.structures import DataSample
    generator = torch.Generator().manual_seed(2)
    images = 255 * torch.rand(
        num, 3, setting.size, setting.size, generator=generator)
    return dict(
        inputs=list(images),
        data_samples=[DataSample(gt_img=image) for image in images])
