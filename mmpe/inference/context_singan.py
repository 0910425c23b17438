"""Sampling from a trained SinGAN without padding."""
from typing import List, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from mmpe.models import ContextSinGAN
from .layout import LayoutEdit
from .singan import SinGANSampler

__all__ = ['ContextSinGANSampler']

Size = Tuple[int, int]


class ContextSinGANSampler(SinGANSampler):
    """A trained :class:`~mmpe.models.ContextSinGAN`."""

    model: ContextSinGAN

    def _layout(self, edits: Sequence[LayoutEdit], size: Optional[Size],
                growth: Optional[str], seed: Optional[int]) -> np.ndarray:
        positions = self._position_map(size, growth, edits).whole()
        noises = self._noises(self.model.noise_shapes(size), [seed or 0])
        if seed is not None:
            return self._images(noises, positions=positions)[0]
        # The photograph's noise, with new noise beyond it.
        noises[0] = self.model.still(noises[0])
        return self._images(noises, positions=positions, carry=1)[0]

    def _center(self) -> List[Tensor]:
        # Relative to the photograph's noise, which is carried along.
        return [torch.zeros_like(x) for x in self.model.fixed_noises]

    def _draw(self, image: Tensor, start_scale: int, size: Size,
              seed: Optional[int]) -> Tensor:
        # The image is not the photograph, so it needs new noise.
        noises = self._noises(self.model.noise_shapes(size), [seed or 0])
        return self._run(
            noises=[x.to(image) for x in noises],
            start_scale=start_scale,
            input_sample=image,
            carry=0)
