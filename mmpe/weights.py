"""Loading of weights into models.

Used by the tools, the demos and :mod:`mmpe.inference`. Weights are given by
the name of a row, a path or a URL; files of MMagic 1.x, MMGeneration 0.x and
mmpe are supported. :mod:`mmpe.checkpoint` describes what is trusted.
"""
import functools
from pathlib import Path
from typing import Any, Dict, List, Optional

import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import print_log
from torch import Tensor, nn

from mmpe.checkpoint import (CheckpointError, fetch, is_whole,
                             read_checkpoint, to_current_layout)
from mmpe.models import SinGAN
from mmpe.models.singan.state import trained_scales
from mmpe.registry import MODELS, build_from
from mmpe.utils.download import is_url
from mmpe.utils.files import PathLike
from mmpe.utils.wrappers import unwrap
from mmpe.zoo import Row, rows

__all__ = ['Weights', 'fitting_rows']

# Maximum number of weights of each kind in an error message.
_NUM_NAMED = 3


class Weights:
    """Weights of a trained model.

    Args:
        source: Name of a row, or path or URL of a ``.pth`` file. Downloads are
            kept in PyTorch's cache.

    Raises:
        FileNotFoundError: There is no such row or file.
        DownloadError: The file cannot be downloaded, or has another hash than
            its name says.
        CheckpointError: The file has no weights of a GAN.
    """

    def __init__(self, source: PathLike) -> None:
        row = rows().get(str(source))
        self.source = row.weights if row else str(source)
        self.path = _locate(self.source)
        self.state_dict = _read(self.path)

    @property
    def num_scales(self) -> Optional[int]:
        """Index of SinGAN's finest scale; None for other models."""
        return trained_scales(self.state_dict)

    def check_row(self, model: ConfigDict) -> None:
        """Reject a released file with the config of another row.

        Rows that only differ in padding, or in an encoding without weights,
        have weights of the same shapes, but draw wrong images with each
        other's. Configs that are not a row's are accepted.

        Args:
            model: Config of a model.

        Raises:
            CheckpointError: The generator is that of another row.
        """
        for row in rows().values():
            if not row.weights.endswith(f'/{self.path.name}'):
                continue
            if _generator(row) == model.generator:
                return
            others = [
                other.name for other in rows().values()
                if _generator(other) == model.generator
            ]
            if others:
                raise CheckpointError(
                    f'`{self.path}` is the released file of the row '
                    f'{row.name}, but the config is that of '
                    f'{" or ".join(others)}.')

    def load_into(self, model: nn.Module) -> None:
        """Load everything that sampling needs, or nothing on errors.

        That is the generator, its average if the model has one, and SinGAN's
        noise. Files of MMagic and MMGeneration have the noise in a ``.pkl``
        file next to the checkpoint.

        Args:
            model: A GAN, which may be wrapped for distributed training.

        Raises:
            CheckpointError: The weights do not fit the model. The message says
                what differs, and which rows they fit.
            FileNotFoundError: SinGAN's ``.pkl`` file is missing.
        """
        model = unwrap(model)
        networks = _networks(model)
        differences = _differences(self.state_dict, networks)
        if differences:
            raise CheckpointError(f'`{self.path}` belongs to another config: '
                                  f'{differences}. {self._advice(model)}')
        if isinstance(model, SinGAN):
            self._load_singan_state(model)
        for prefix, network in networks.items():
            network.load_state_dict(_part(self.state_dict, prefix))

    def _load_singan_state(self, model: SinGAN) -> None:
        if '_extra_state' in self.state_dict:
            model.set_extra_state(self.state_dict['_extra_state'])
            return
        if model.pkl_data is None:
            model.pkl_data = str(self._locate_pickle())
        model.load_test_pkl()

    def _locate_pickle(self) -> Path:
        if is_url(self.source):
            return fetch(self.source[:-len('pth')] + 'pkl')
        path = self.path.with_suffix('.pkl')
        if not path.is_file():
            raise FileNotFoundError(
                f'`{path}` does not exist: it contains the noise of this '
                'SinGAN. Put it next to the checkpoint, or set '
                '`model.test_pkl_data`.')
        return path

    def _advice(self, model: nn.Module) -> str:
        fitting = fitting_rows(self.state_dict)
        if fitting:
            return f'It fits the row {" or ".join(fitting)}.'
        num_scales = self.num_scales
        if num_scales is None or num_scales == getattr(model, 'num_scales',
                                                       None):
            return 'It does not fit any row of the model zoo.'
        return (f'It was trained with num_scales={num_scales}: set '
                f'`model.num_scales={num_scales}`.')


def fitting_rows(state_dict: Dict[str, Any]) -> List[str]:
    """Names of the rows whose weights have these names and shapes.

    Rows that only differ in padding, or in an encoding without weights, cannot
    be distinguished.

    Args:
        state_dict: Weights in MMagic's current layout.
    """
    shapes = _shapes(state_dict)
    num_scales = trained_scales(shapes)
    fitting = []
    for row in rows().values():
        if row.metadata.get('Number of Scales') != num_scales:
            continue
        expected = _expected_shapes(row.config)
        parts = {name for name in expected if _has_part(shapes, name)}
        if shapes == {name: expected[name] for name in parts}:
            fitting.append(row.name)
    return fitting


@functools.cache
def _expected_shapes(config: Path) -> Dict[str, tuple]:
    """Shapes of the weights of a row; cached, as building it is slow."""
    with torch.device('meta'):
        model = build_from(MODELS, Config.fromfile(config).model)
    return _shapes(model.state_dict())


def _generator(row: Row) -> ConfigDict:
    return Config.fromfile(row.config).model.generator


def _has_part(names: Dict[str, Any], name: str) -> bool:
    """Whether there are weights of the network that a weight belongs to."""
    prefix = name.split('.')[0] + '.'
    return any(other.startswith(prefix) for other in names)


def _locate(source: str) -> Path:
    if is_url(source):
        return fetch(source)
    path = Path(source).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f'There is no checkpoint {source!r}: it is neither a file nor the '
            'name of a row.')
    return path


def _read(path: Path) -> Dict[str, Any]:
    checkpoint = read_checkpoint(path)
    if isinstance(checkpoint, dict):
        checkpoint = checkpoint.get('state_dict', checkpoint)
    if not isinstance(checkpoint, dict) or not any(
            str(name).startswith(('generator.', 'generator_ema.', 'module.'))
            for name in checkpoint):
        raise CheckpointError(f'`{path}` has no weights of a generator.')
    state_dict = to_current_layout(checkpoint)
    for name, value in state_dict.items():
        if name.startswith(('generator.', 'generator_ema.')) and not is_whole(
                value):
            raise CheckpointError(f'`{path}` is damaged: {name} is not a '
                                  'tensor of numbers.')
    if not _part(state_dict, 'generator'):
        print_log(
            f'{path} has only the averaged generator, which is also used as '
            'the generator.',
            logger='current')
        average = _part(state_dict, 'generator_ema.module')
        state_dict.update(
            (f'generator.{name}', value) for name, value in average.items())
    return state_dict


def _networks(model: Any) -> Dict[str, nn.Module]:
    """The networks that are needed for sampling."""
    networks = dict(generator=unwrap(model.generator))
    if model.with_ema_gen:
        networks['generator_ema'] = unwrap(model.generator_ema)
    return networks


def _part(state_dict: Dict[str, Any], prefix: str) -> Dict[str, Any]:
    """Weights of one network, by their names in the network."""
    prefix += '.'
    return {
        name[len(prefix):]: value
        for name, value in state_dict.items() if name.startswith(prefix)
    }


def _shapes(state_dict: Dict[str, Any]) -> Dict[str, tuple]:
    """Shapes of the weights of all networks."""
    parts = ('generator.', 'generator_ema.module.', 'discriminator.')
    return {
        name: tuple(value.shape)
        for name, value in state_dict.items()
        if isinstance(value, Tensor) and name.startswith(parts)
    }


def _differences(state_dict: Dict[str, Any],
                 networks: Dict[str, nn.Module]) -> Optional[str]:
    """Missing, unexpected and differently shaped weights, in words."""
    actual = {
        name: tuple(value.shape)
        for name, value in state_dict.items() if name.split('.')[0] in networks
    }
    expected = {
        f'{prefix}.{name}': tuple(value.shape)
        for prefix, network in networks.items()
        for name, value in network.state_dict().items()
    }
    wrong_shapes = [
        f'{name} is {actual[name]} instead of {expected[name]}'
        for name in expected
        if name in actual and actual[name] != expected[name]
    ]
    kinds = [('missing', [x for x in expected if x not in actual]),
             ('unexpected', [x for x in actual if x not in expected]),
             ('of another shape', wrong_shapes)]
    return '; '.join(f'{len(names)} {kind} ({_named(names)})'
                     for kind, names in kinds if names)


def _named(names: List[str]) -> str:
    more = ', ...' if len(names) > _NUM_NAMED else ''
    return ', '.join(names[:_NUM_NAMED]) + more
