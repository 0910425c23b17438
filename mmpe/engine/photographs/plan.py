"""What a training on a photograph needs, checked before it starts."""
import hashlib
import os.path as osp
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Dict

import numpy as np
from mmengine.config import Config

from mmpe.checkpoint import latest_checkpoint
from mmpe.datasets import read_photograph
from mmpe.utils.command_line import open_config
from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.images import save_image
from ..runner import fit_to_photograph

__all__ = [
    'CONFIG', 'Training', 'bundled_photograph', 'plan_training', 'training_in',
    'write_config'
]

CONFIG = 'config.py'
BUNDLED = 'coins'
# Config of a training that takes minutes, from the repository's root.
QUICK_CONFIG = 'configs/singan_fast/singan_csg_fast.py'
# The parts of a config that determine what is learned.
_DECISIVE = ('photograph_sha256', 'model', 'train_dataloader',
             'optim_wrapper', 'train_cfg', 'randomness')


@dataclass(frozen=True)
class Training:
    """A training that has been checked and may start.

    Attributes:
        photograph: Path of the photograph.
        folder: Where everything is written.
        config: Complete config, including photograph, folder and seed.
    """

    photograph: str
    folder: Path
    config: Config


def bundled_photograph(folder: PathLike) -> str:
    """Write a photograph that ships with scikit-image to a file.

    Args:
        folder: Folder of the file ``photograph.png``.

    Returns:
        Path of the file.

    Raises:
        ImportError: scikit-image is not installed.
    """
    try:
        import skimage.data
    except ImportError:
        raise ImportError(
            'The default photograph comes from scikit-image, which is not '
            'installed: run `pip install scikit-image`.') from None
    image = getattr(skimage.data, BUNDLED)()
    image = np.stack([image] * 3, axis=2)  # grey to RGB
    return str(save_image(Path(folder, 'photograph.png'), image))


def plan_training(config: Config,
                  image: PathLike,
                  folder: PathLike,
                  seed: int = 0) -> Training:
    """Check that a SinGAN can be trained, without writing anything.

    Args:
        config: Config of a SinGAN; not changed. ``model.num_scales=None`` is
            computed from the photograph.
        image: Path of the photograph.
        folder: Folder of this training: a new one, or one in which the same
            training was started or finished.
        seed: Random seed.

    Returns:
        The training.

    Raises:
        FileNotFoundError: The photograph does not exist.
        ValueError: The photograph cannot be read or is too small, the config
            is not for SinGAN, or the folder contains a training with another
            photograph or other settings.
    """
    config, image = deepcopy(config), osp.abspath(image)
    pixels = read_photograph(image)
    config.photograph_sha256 = hashlib.sha256(
        str(pixels.shape).encode() + pixels.tobytes()).hexdigest()
    config.train_dataloader.dataset.data_root = image
    config.work_dir = str(folder)
    config.randomness = dict(seed=seed)
    if fit_to_photograph(config) is None:
        raise ValueError('Argument `config` must be a config of SinGAN, but '
                         f'got one of {config.model.type!r}.')
    training = Training(image, Path(folder), config)
    _check_folder(training)
    return training


def _check_folder(training: Training) -> None:
    """Check that a folder is new, or belongs to the same training."""
    folder = training.folder
    if not (folder / CONFIG).is_file():
        if latest_checkpoint(folder):
            raise ValueError(f'The folder {str(folder)!r} has checkpoints but '
                             f'no {CONFIG!r}: use another folder.')
        return
    old = _settings(Config.fromfile(folder / CONFIG))
    new = _settings(training.config)
    for key in [*new, *old]:
        if old.get(key) == new.get(key):
            continue
        what = ('another photograph' if key == 'photograph_sha256' else
                f'{key}={old.get(key)!r} instead of {new.get(key)!r}')
        raise ValueError(f'The folder {str(folder)!r} has a training with '
                         f'{what}: use another folder.')


def _settings(config: Config) -> Dict[str, object]:
    """Settings that determine the result, by dotted names."""
    settings: Dict[str, object] = {}

    def walk(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(f'{name}.{key}', item)
        else:
            settings[name] = list(value) if isinstance(value, tuple) else value

    for key in _DECISIVE:
        walk(key, config.get(key))
    # The photograph may have been moved.
    settings.pop('train_dataloader.dataset.data_root', None)
    settings.pop('train_cfg.rollbacks', None)  # may be raised for a retry
    return settings


def write_config(training: Training) -> None:
    """Write everything that a training needs to start.

    Args:
        training: Result of :func:`plan_training`.

    Raises:
        OSError: The file cannot be written.
    """
    with atomic_write(training.folder / CONFIG) as temporary:
        training.config.dump(temporary)


def training_in(folder: PathLike) -> Training:
    """The training that a folder belongs to.

    Args:
        folder: Folder of a training.

    Raises:
        FileNotFoundError: The folder has no training.
        ValueError: Its config cannot be read.
    """
    config = open_config(str(Path(folder, CONFIG)))
    try:
        photograph = config.train_dataloader.dataset.data_root
    except AttributeError:
        raise ValueError(f'The folder {str(folder)!r} has no training on a '
                         'photograph.') from None
    return Training(photograph, Path(folder), config)
