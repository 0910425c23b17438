"""Sampling from a trained StyleGAN2 or MS-PIE model."""
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from mmpe.models import MSPIEStyleGAN2, StyleGAN2
from mmpe.utils.images import to_rgb

__all__ = ['NUM_COARSE', 'TRUNCATIONS', 'StyleGAN2Sampler']

Size = Tuple[int, int]
# Shown by the demo and the page: truncations, and rows of style mixing.
TRUNCATIONS, NUM_COARSE = (0., 0.25, 0.5, 0.75, 1.), 3


class StyleGAN2Sampler:
    """A trained StyleGAN2 or MS-PIE model.

    Images are uint8 (H, W, 3) in RGB order. The noise in the layers is the
    same for all images of a size, so a seed gives the same image each time.

    Args:
        model: The model, in evaluation mode.
        sample_model: 'ema' for the averaged generator, 'orig' for the
            generator itself; by default the average, if there is one.
        batch_size: Images per batch.

    Raises:
        ValueError: An argument is invalid, or the model has no average.
    """

    def __init__(self,
                 model: StyleGAN2,
                 sample_model: Optional[str] = None,
                 batch_size: int = 4) -> None:
        if sample_model is None:
            sample_model = 'ema' if model.with_ema_gen else 'orig'
        if sample_model not in ('ema', 'orig'):
            raise ValueError("Argument `sample_model` must be 'ema' or "
                             f"'orig', but got {sample_model!r}.")
        if sample_model == 'ema' and not model.with_ema_gen:
            raise ValueError("Argument `sample_model` must be 'orig' for a "
                             'model without `ema_config`.')
        _check_positive(batch_size=batch_size)
        self.model = model
        self.generator = model.generator_ema.module \
            if sample_model == 'ema' else model.generator
        self.batch_size = batch_size

    @property
    def sizes(self) -> List[Size]:
        """Training sizes (H, W), smallest first."""
        if not isinstance(self.model, MSPIEStyleGAN2):
            return [(self.generator.out_size, ) * 2]
        return [
            self.model.size_of(scale)
            for scale in sorted(self.model.multi_input_scales)
        ]

    @property
    def size(self) -> Size:
        """The largest training size, the default size of images."""
        return self.sizes[-1]

    def options(self, size: Optional[Size] = None) -> Dict[str, Any]:
        """Arguments of the generator for a size.

        Args:
            size: (H, W); :attr:`size` by default.

        Raises:
            ValueError: The model cannot draw this size; the message has the
                nearest size that it can draw.
        """
        height, width = self.size if size is None else size
        size = height, width
        if isinstance(self.model, MSPIEStyleGAN2):
            return self.model.kwargs_for_size(size)
        if size != self.size:
            raise ValueError('Argument `size` must be the only size of a '
                             f'{type(self.model).__name__}, {self.size}, but '
                             f'got {size}.')
        return {}

    @torch.no_grad()
    def codes(self, seeds: Sequence[int]) -> Tensor:
        """Style codes of seeds.

        Args:
            seeds: A seed for each style code.

        Returns:
            (N, style_channels).
        """
        noise = torch.cat([
            torch.randn(
                1,
                self.generator.noise_size,
                generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ])
        return self.generator.map_noise(noise.to(self.generator.device), None)

    def sample(self,
               num: int = 1,
               size: Optional[Size] = None,
               seed: Optional[int] = None,
               truncation: float = 1.) -> List[np.ndarray]:
        """Random images.

        Args:
            num: Number of images.
            size: (H, W); :attr:`size` by default.
            seed: Seed of the first image, counting up from there; random by
                default.
            truncation: From 0, the mean image, to 1, no truncation.

        Returns:
            The images.

        Raises:
            ValueError: An argument is out of its range, or the model cannot
                draw this size.
        """
        _check_positive(num=num)
        seed = torch.seed() if seed is None else seed
        return self.draw(self.codes(range(seed, seed + num)), size, truncation)

    def mix(self,
            coarse: Sequence[int],
            fine: Sequence[int],
            num_coarse: Optional[int] = None,
            size: Optional[Size] = None,
            truncation: float = 1.) -> List[List[np.ndarray]]:
        """Style mixing: large structures of one image, details of another.

        Args:
            coarse: Seeds of the coarse styles.
            fine: Seeds of the fine styles.
            num_coarse: Number of layers with coarse styles, from the lowest
                resolution on; half of the layers by default.
            size: (H, W); :attr:`size` by default.
            truncation: As for :meth:`sample`.

        Returns:
            The images, a row for each seed in ``coarse``.

        Raises:
            ValueError: An argument is out of its range, or the model cannot
                draw this size.
        """
        num_layers = self.generator.num_latents
        num_coarse = num_layers // 2 if num_coarse is None else num_coarse
        if not 0 <= num_coarse <= num_layers:
            raise ValueError('Argument `num_coarse` must be from 0 to '
                             f'{num_layers}, but got {num_coarse}.')
        fine_codes = self.codes(fine)[:, None].repeat(1, num_layers, 1)
        rows = []
        for code in self.codes(coarse):
            codes = fine_codes.clone()
            codes[:, :num_coarse] = code
            rows.append(self.draw(codes, size, truncation))
        return rows

    def interpolate(self,
                    seeds: Sequence[int],
                    steps: int = 15,
                    size: Optional[Size] = None,
                    truncation: float = 1.) -> List[np.ndarray]:
        """Interpolate between style codes, in a closed loop.

        Args:
            seeds: Seeds of the style codes.
            steps: Number of images per style code.
            size: (H, W); :attr:`size` by default.
            truncation: As for :meth:`sample`.

        Returns:
            ``steps`` images for each seed.

        Raises:
            ValueError: An argument is out of its range, or the model cannot
                draw this size.
        """
        _check_positive(steps=steps)
        codes = self.codes(seeds)
        parts = torch.arange(steps, device=codes.device)[:, None] / steps
        path = torch.cat([
            start.lerp(end, parts)
            for start, end in zip(codes, codes.roll(-1, dims=0))
        ])
        return self.draw(path, size, truncation)

    @torch.no_grad()
    def draw(self,
             codes: Tensor,
             size: Optional[Size] = None,
             truncation: float = 1.) -> List[np.ndarray]:
        """Images of style codes.

        Args:
            codes: (N, style_channels), or (N, L, style_channels) with one
                code for each layer.
            size: (H, W); :attr:`size` by default.
            truncation: As for :meth:`sample`.

        Returns:
            The images.

        Raises:
            ValueError: An argument is out of its range, or the model cannot
                draw this size.
        """
        if not 0 <= truncation <= 1:
            raise ValueError('Argument `truncation` must be from 0 to 1, but '
                             f'got {truncation}.')
        return list(self._draw(codes, truncation, self.options(size)))

    def _draw(self, codes: Tensor, truncation: float,
              options: Dict[str, Any]) -> Iterator[np.ndarray]:
        for part in codes.split(self.batch_size):
            images = self.generator(
                part,
                input_is_latent=True,
                truncation=truncation,
                randomize_noise=False,
                **options)
            for image in self.model.data_preprocessor.destruct(images):
                yield to_rgb(image)


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f'Argument `{name}` must be at least 1, but got '
                             f'{number}.')
