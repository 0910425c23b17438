"""Trained models, from a config and a checkpoint, as plain Python objects."""
import os.path as osp
from typing import List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.config import Config

from mmpe.checkpoint import read_checkpoint
from mmpe.models import SinGAN
from mmpe.registry import MODELS, build_from
from mmpe.utils.images import to_rgb

__all__ = ['SinGANSampler', 'load']


def load(config: Union[str, Config],
         checkpoint: str,
         device: Union[str, torch.device] = 'cpu') -> 'SinGANSampler':
    """Load a trained SinGAN.

    Args:
        config: Config file, or the config itself.
        checkpoint: Path of the checkpoint (``.pth``).
        device: Where to compute.

    Returns:
        The model, ready to be sampled.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The checkpoint cannot be read, is not a SinGAN's, or
            belongs to another config.
    """
    if not isinstance(config, Config):
        if not osp.isfile(config):
            raise FileNotFoundError(f'There is no config file {config!r}.')
        config = Config.fromfile(config)
    state = read_checkpoint(checkpoint)
    state = state.get('state_dict', state)
    if config.model.get('num_scales', 0) is None:
        config.model.num_scales = _num_scales(state, checkpoint)
    model = build_from(MODELS, config.model)
    if not isinstance(model, SinGAN):
        raise ValueError('The config must be one of a SinGAN, but it is one '
                         f'of a {type(model).__name__}.')
    model.load_state_dict(state)
    return SinGANSampler(model.to(device).eval())


def _num_scales(state: dict, checkpoint: str) -> int:
    scales = [
        int(key.split('.')[2]) for key in state
        if key.startswith('generator.blocks.')
    ]
    if not scales:
        raise ValueError(f'{checkpoint!r} is not a checkpoint of a SinGAN.')
    return max(scales)


class SinGANSampler:
    """A trained SinGAN; images are uint8 (H, W, 3) in RGB order.

    Args:
        model: The model, in evaluation mode.
    """

    def __init__(self, model: SinGAN) -> None:
        self.model = model

    @property
    def size(self) -> Tuple[int, int]:
        """(H, W) of the image that the model was trained on."""
        return self.model.pyramid_sizes[self.model.curr_stage]

    @property
    def photograph(self) -> Optional[np.ndarray]:
        """The training image, if the checkpoint holds it."""
        if not self.model.reals:
            return None
        real = self.model.reals[self.model.curr_stage]
        return to_rgb(self.model.data_preprocessor.destruct(real.clone())[0])

    def reconstruct(self) -> np.ndarray:
        """The model's own version of the training image."""
        return self._images(mode='recon')[0]

    def sample(self,
               num: int = 1,
               size: Optional[Tuple[int, int]] = None,
               seed: Optional[int] = None,
               batch_size: int = 4) -> List[np.ndarray]:
        """Random images.

        Args:
            num: Number of images.
            size: (H, W) in pixels, whatever the training size was.
            seed: Seed of the first image; the next one has the seed after
                it, and so on. By default a random one.
            batch_size: Images computed at a time.

        Returns:
            The images.

        Raises:
            ValueError: A number or size is too small.
        """
        if num < 1 or batch_size < 1:
            raise ValueError('Arguments `num` and `batch_size` must be at '
                             f'least 1, but got {num} and {batch_size}.')
        seed = torch.seed() if seed is None else seed
        shapes = self.model.noise_shapes(size)
        images: List[np.ndarray] = []
        for start in range(0, num, batch_size):
            seeds = range(seed + start, seed + min(start + batch_size, num))
            images += self._images(noises=self._noises(shapes, seeds))
        return images

    def _noises(self, shapes: List[tuple],
                seeds: Sequence[int]) -> List[torch.Tensor]:
        """Noise (N, C, H, W) of each scale; image i has its own seed."""
        generators = [torch.Generator().manual_seed(x) for x in seeds]
        return [
            torch.cat([torch.randn(shape, generator=x)
                       for x in generators]).to(self.model.device)
            for shape in shapes
        ]

    def _images(self, **options) -> List[np.ndarray]:
        return [to_rgb(x.fake_img) for x in self.model(options)]
