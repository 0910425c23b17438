"""A trained SinGAN as a plain Python object."""
from typing import List, Optional, Sequence, Tuple

import numpy as np
import torch

from mmpe.models import SinGAN
from mmpe.utils.images import to_rgb

__all__ = ['SinGANSampler']


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
        seed = int(torch.randint(2**31, ())) if seed is None else seed
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
