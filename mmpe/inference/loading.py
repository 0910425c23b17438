"""From config and checkpoint to a sampler."""
from pathlib import Path
from typing import Optional, Tuple, Union

import torch
from mmengine.config import Config

from mmpe.checkpoint import latest_checkpoint
from mmpe.models import SinGAN, StyleGAN2
from mmpe.registry import MODELS, build_from
from mmpe.utils.files import PathLike
from mmpe.weights import Weights
from mmpe.zoo import find_row, rows
from .singan import SinGANSampler
from .stylegan2 import StyleGAN2Sampler

__all__ = ['load']

Sampler = Union[SinGANSampler, StyleGAN2Sampler]


def load(row_or_config: Union[PathLike, Config],
         checkpoint: Optional[PathLike] = None,
         device: Union[str, torch.device] = 'cpu') -> Sampler:
    """Load a trained model.

    Args:
        row_or_config: Folder that a training has written, name of a row, path
            of a config file, or the config itself.
        checkpoint: Path or address of the checkpoint (``.pth``), or name of
            a row; by default the latest one of the folder, or the released
            one of the row.
        device: Where to compute.

    Returns:
        The model, ready to be sampled: a :class:`SinGANSampler`, or a
        :class:`StyleGAN2Sampler` for StyleGAN2 and MS-PIE.

    Raises:
        FileNotFoundError: There is no such row, config or checkpoint.
        DownloadError: The checkpoint cannot be downloaded.
        ValueError: The checkpoint cannot be read, or belongs to another
            config; the model is none of these; or there is no such device.
    """
    _check_device(device)
    if not isinstance(row_or_config, Config) and Path(row_or_config).is_dir():
        row_or_config, latest = _find_training(Path(row_or_config))
        checkpoint = checkpoint or latest
    model_config = _read_config(row_or_config).model.copy()
    kind = MODELS.get(model_config.type)
    if kind is None or not issubclass(kind, (SinGAN, StyleGAN2)):
        raise ValueError('Argument `row_or_config` must be one of SinGAN, '
                         'StyleGAN2 or MS-PIE, but got '
                         f'type={model_config.type!r}.')
    if checkpoint is None:
        if str(row_or_config) not in rows():
            raise ValueError('Argument `checkpoint` is needed where '
                             '`row_or_config` is neither a folder of a '
                             'training nor the name of a row.')
        checkpoint = row_or_config
    weights = Weights(checkpoint)
    weights.check_row(model_config)
    if model_config.get('num_scales', 0) is None:
        model_config.num_scales = weights.num_scales
    model_config.discriminator = None
    model = build_from(MODELS, model_config)
    weights.load_into(model)
    sampler = SinGANSampler if issubclass(kind, SinGAN) else StyleGAN2Sampler
    return sampler(model.to(device).eval())


def _find_training(folder: Path) -> Tuple[Path, Path]:
    """Config and latest checkpoint of a training's folder."""
    configs = sorted(folder.glob('*.py'))
    checkpoint = latest_checkpoint(folder)
    if len(configs) != 1 or checkpoint is None:
        raise ValueError(f'The folder {str(folder)!r} must hold one config '
                         f'and checkpoints (iter_*.pth), but holds '
                         f'{len(configs)} configs and '
                         f'{"no" if checkpoint is None else "some"} '
                         'checkpoints.')
    return configs[0], checkpoint


def _read_config(source: Union[PathLike, Config]) -> Config:
    if isinstance(source, Config):
        return source
    if Path(source).is_file():
        return Config.fromfile(source)
    try:
        return Config.fromfile(find_row(str(source)).config)
    except ValueError as error:
        raise FileNotFoundError(
            f'There is no config file {str(source)!r}. {error}') from None


def _check_device(device: Union[str, torch.device]) -> None:
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        raise ValueError('Argument `device` must be a device of this machine, '
                         f'but got {str(device)!r}: '
                         f'{str(error).splitlines()[0]}') from error
