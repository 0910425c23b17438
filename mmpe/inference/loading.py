"""Loading of models for sampling."""
import mimetypes
from pathlib import Path
from typing import Any, Optional, Tuple, Union

import torch
from mmengine.config import Config, ConfigDict

from mmpe.checkpoint import latest_checkpoint, read_checkpoint
from mmpe.models import (ContextSinGAN, PatchDiffusion, SinGAN,
                         StyleGAN2)
from mmpe.registry import MODELS, build_from
from mmpe.utils.command_line import open_config
from mmpe.utils.files import PathLike
from mmpe.weights import Weights
from mmpe.zoo import find_row, rows
from .context_singan import ContextSinGANSampler
from .inputs import read_rgb
from .patch_diffusion import PatchSampler
from .singan import SinGANSampler
from .stylegan2 import StyleGAN2Sampler

__all__ = ['find_training', 'is_photograph', 'load']

Sampler = Union[SinGANSampler, StyleGAN2Sampler, PatchSampler]
# The first matching class is used.
_SAMPLERS = {
    ContextSinGAN: ContextSinGANSampler,
    SinGAN: SinGANSampler,
    StyleGAN2: StyleGAN2Sampler
}
_CONFIG_SUFFIXES = ('.py', '.json', '.yml', '.yaml')
# Default model of a photograph: its patches, with a Cartesian grid.
PHOTOGRAPH = dict(type='PatchDiffusion', positions=dict(type='CSG'))


def load(row_or_config: Union[PathLike, Config],
         checkpoint: Optional[PathLike] = None,
         device: Union[str, torch.device] = 'cpu',
         max_size: Optional[int] = None) -> Sampler:
    """Load a trained model, or a photograph as a model.

    Args:
        row_or_config: Folder of a training, name of a row, config or path of
            a config; or path of a photograph, whose patches are the model
            then (``PatchDiffusion``).
        checkpoint: Path or URL of the checkpoint (``.pth``), or name of a row;
            by default the latest one in the folder, or the released one of the
            row. For a config of ``PatchDiffusion``, the photograph or a
            checkpoint of such a model.
        device: Device to compute on.
        max_size: Maximum of the long side of a photograph in pixels; by
            default the value in the config (250).

    Returns:
        A :class:`SinGANSampler`, a :class:`StyleGAN2Sampler` for StyleGAN2 and
        MS-PIE, or a :class:`PatchSampler` for photographs.

    Raises:
        FileNotFoundError: The row, config, checkpoint or photograph does not
            exist.
        DownloadError: The checkpoint cannot be downloaded.
        ValueError: The checkpoint or photograph cannot be read, the checkpoint
            belongs to another config, the photograph is too small, the model
            is of another family, or the device does not exist.
    """
    check_device(device)
    if is_photograph(row_or_config):
        if checkpoint is not None:
            raise ValueError('Argument `checkpoint` cannot be combined with a '
                             f'photograph, {str(row_or_config)!r}.')
        row_or_config, checkpoint = Config(dict(model=PHOTOGRAPH)), \
            row_or_config
    elif not isinstance(row_or_config, Config) and Path(
            row_or_config).is_dir():
        row_or_config, latest = find_training(Path(row_or_config))
        checkpoint = checkpoint or latest
    model_config: Any = _read_config(row_or_config).get('model')
    if not isinstance(model_config, dict) or 'type' not in model_config:
        raise ValueError(f'The config {str(row_or_config)!r} has no model.')
    model_config = model_config.copy()
    kind = MODELS.get(model_config.type)
    if kind is None or not issubclass(kind,
                                      (SinGAN, StyleGAN2, PatchDiffusion)):
        raise ValueError('Argument `row_or_config` must be one of SinGAN, '
                         'StyleGAN2, MS-PIE or PatchDiffusion, but got '
                         f'type={model_config.type!r}.')
    if issubclass(kind, PatchDiffusion):
        return _load_photograph(model_config, checkpoint, device, max_size)
    if max_size is not None:
        raise ValueError('Argument `max_size` is for photographs: the size of '
                         'a trained model cannot be changed.')
    if checkpoint is None:
        if str(row_or_config) not in rows():
            raise ValueError('Argument `checkpoint` is required unless '
                             '`row_or_config` is the folder of a training or '
                             'the name of a row.')
        checkpoint = row_or_config
    weights = Weights(checkpoint)
    weights.check_row(model_config)
    if model_config.get('num_scales', 0) is None:
        model_config.num_scales = weights.num_scales
    model_config.discriminator = None
    model = build_from(MODELS, model_config)
    weights.load_into(model)
    sampler = next(sampler for base, sampler in _SAMPLERS.items()
                   if issubclass(kind, base))
    return sampler(model.to(device).eval())


def is_photograph(source: Union[PathLike, Config]) -> bool:
    """Whether a model is a photograph or a checkpoint of one.

    That is a file that is not a config, or a path with the suffix of an image.

    Args:
        source: As ``row_or_config`` of :func:`load`.
    """
    if isinstance(source, Config):
        return False
    path = Path(source)
    kind = mimetypes.guess_type(path.name)[0] or ''
    return kind.startswith('image/') or (path.is_file() and path.suffix
                                         not in _CONFIG_SUFFIXES)


def _load_photograph(config: ConfigDict, source: Optional[PathLike],
                     device: Union[str, torch.device],
                     max_size: Optional[int]) -> PatchSampler:
    """Load the patches of a photograph, or a checkpoint of them."""
    if source is None:
        raise ValueError('Argument `checkpoint` must be a photograph for a '
                         'config of PatchDiffusion.')
    if max_size is not None:
        config.max_size = max_size
    model = build_from(MODELS, config)
    if Path(source).suffix == '.pth':
        model.load_weights(read_checkpoint(source))
    else:
        model.set_photograph(read_rgb(source))
    return PatchSampler(model.to(device).eval())


def find_training(folder: Path) -> Tuple[Path, Path]:
    """Config and latest checkpoint of a training.

    Args:
        folder: Its work dir.

    Returns:
        Paths of both.

    Raises:
        ValueError: The folder does not have exactly one config, or no
            checkpoint.
    """
    configs = sorted(folder.glob('*.py'))
    checkpoint = latest_checkpoint(folder)
    if len(configs) != 1 or checkpoint is None:
        raise ValueError(f'The folder {str(folder)!r} must have one config '
                         f'and checkpoints (iter_*.pth), but has '
                         f'{len(configs)} configs and '
                         f'{"no" if checkpoint is None else "some"} '
                         'checkpoints.')
    return configs[0], checkpoint


def _read_config(source: Union[PathLike, Config]) -> Config:
    if isinstance(source, Config):
        return source
    if Path(source).is_file():
        return open_config(str(source))
    try:
        return Config.fromfile(find_row(str(source)).config)
    except ValueError as error:
        raise FileNotFoundError(
            f'There is no config file {str(source)!r}. {error}') from None


def check_device(device: Union[str, torch.device]) -> None:
    """Check that a device exists.

    Args:
        device: The device.

    Raises:
        ValueError: It does not.
    """
    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        raise ValueError('Argument `device` must be a device of this machine, '
                         f'but got {str(device)!r}: '
                         f'{str(error).splitlines()[0]}') from error
