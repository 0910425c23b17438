"""From config and checkpoint to a sampler."""
import os.path as osp
from typing import Union

import torch
from mmengine.config import Config

from mmpe.checkpoint import read_checkpoint
from mmpe.models import SinGAN, StyleGAN2
from mmpe.registry import MODELS, build_from
from .singan import SinGANSampler
from .stylegan2 import StyleGAN2Sampler

__all__ = ['load']

Sampler = Union[SinGANSampler, StyleGAN2Sampler]
# Sampling needs these parts only; some published files hold nothing else.
_GENERATORS = ('generator.', 'generator_ema.')


def load(config: Union[str, Config],
         checkpoint: str,
         device: Union[str, torch.device] = 'cpu') -> Sampler:
    """Load a trained model.

    Args:
        config: Config file, or the config itself.
        checkpoint: Path of the checkpoint (``.pth``).
        device: Where to compute.

    Returns:
        The model, ready to be sampled: a :class:`SinGANSampler`, or a
        :class:`StyleGAN2Sampler` for StyleGAN2 and MS-PIE.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The checkpoint cannot be read, or belongs to another
            config; or the model is none of these.
    """
    if not isinstance(config, Config):
        if not osp.isfile(config):
            raise FileNotFoundError(f'There is no config file {config!r}.')
        config = Config.fromfile(config)
    model_config = config.model.copy()
    state = read_checkpoint(checkpoint)
    state = state.get('state_dict', state)
    if model_config.get('num_scales', 0) is None:
        model_config.num_scales = _num_scales(state, checkpoint)
    if not model_config.type.endswith('SinGAN'):
        model_config.discriminator = None
    model = build_from(MODELS, model_config)
    if isinstance(model, SinGAN):
        model.load_state_dict(state)
        return SinGANSampler(model.to(device).eval())
    if isinstance(model, StyleGAN2):
        _load_generators(model, state, checkpoint)
        return StyleGAN2Sampler(model.to(device).eval())
    raise ValueError('The config must be one of SinGAN, StyleGAN2 or MS-PIE, '
                     f'but it is one of a {type(model).__name__}.')


def _num_scales(state: dict, checkpoint: str) -> int:
    scales = [
        int(key.split('.')[2]) for key in state
        if key.startswith('generator.blocks.')
    ]
    if not scales:
        raise ValueError(f'{checkpoint!r} is not a checkpoint of a SinGAN.')
    return max(scales)


def _load_generators(model: StyleGAN2, state: dict, checkpoint: str) -> None:
    """Load the generator and its average, and see that all of it is there."""
    state = {
        key: value for key, value in state.items()
        if key.startswith(_GENERATORS)
    }
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:  # shapes
        raise _other_row(checkpoint, str(error).splitlines()[1]) from None
    missing = [key for key in missing if key.startswith(_GENERATORS)]
    if missing:
        raise _other_row(checkpoint, f'it lacks {missing[0]}')
    if unexpected:
        raise _other_row(checkpoint, f'it also holds {unexpected[0]}')


def _other_row(checkpoint: str, reason: str) -> ValueError:
    return ValueError(f'{checkpoint!r} belongs to another config: '
                      f'{reason.strip()}')
