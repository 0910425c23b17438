"""The photograph of a PatchDiffusion, at all scales."""
import math
from typing import Any, List, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor

from mmpe.checkpoint import is_whole
from mmpe.functional.pyramid import pyramid_sizes, resized_pyramid
from .level import PhotographLevel

__all__ = ['PatchDiffusionState']

Size = Tuple[int, int]


class PatchDiffusionState(BaseModel):
    """Keeps the photograph, and what is computed from it once.

    Subclasses set the attributes, arguments of
    :class:`~mmpe.models.PatchDiffusion`.

    Args:
        data_preprocessor: As for other models; unused.
    """

    photograph: Tensor
    patch_size: int
    min_size: int
    max_size: int
    scale_factor: float
    num_components: int
    window_std: float

    def __init__(self, data_preprocessor: Optional[dict] = None) -> None:
        super().__init__(data_preprocessor)
        self.register_buffer('photograph',
                             torch.zeros(3, 0, 0, dtype=torch.uint8))
        self._levels: List[PhotographLevel] = []

    def set_photograph(self, image: np.ndarray) -> None:
        """Set the photograph, reduced to ``max_size`` if it is larger.

        Args:
            image: uint8 (H, W, 3) in RGB order.

        Raises:
            ValueError: The photograph is too small.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(image))
        pixels = pixels.permute(2, 0, 1)
        height, width = pixels.shape[1:]
        size = self._pyramid((height, width))[-1]
        if size != (height, width):
            # One channel at a time, to save memory.
            pixels = torch.cat([
                _resize(x[None, None].float(), size)[0] for x in pixels])
            pixels = pixels.round().clamp(0, 255).to(torch.uint8)
        self.photograph = pixels.contiguous().to(self.device)
        self._levels = []

    def load_weights(self, checkpoint: dict) -> None:
        """Set the photograph from a checkpoint.

        Args:
            checkpoint: Contents of a checkpoint of this class.

        Raises:
            ValueError: The checkpoint has no photograph, or an invalid one.
        """
        state = checkpoint.get('state_dict', checkpoint) if isinstance(
            checkpoint, dict) else {}
        image: Any = None
        if isinstance(state, dict):
            image = state.get('photograph')
        if not is_whole(image) or not image.numel():
            raise ValueError('The checkpoint must have the photograph of a '
                             'PatchDiffusion, but it does not.')
        _check_photograph(image)
        self.set_photograph(image.permute(1, 2, 0).cpu().numpy())

    @property
    def device(self) -> torch.device:
        """Device of the photograph."""
        return self.photograph.device

    @property
    def pyramid_sizes(self) -> List[Size]:
        """(H, W) of the photograph at each scale, the coarsest first."""
        if not self.photograph.numel():
            raise ValueError('The model has no photograph: call '
                             '`set_photograph`, or load a checkpoint.')
        height, width = self.photograph.shape[1:]
        return self._pyramid((height, width))

    @property
    def levels(self) -> List[PhotographLevel]:
        """The photograph at each scale.

        Raises:
            ValueError: The model has no photograph.
        """
        sizes = self.pyramid_sizes
        if not self._levels or self._levels[0].image.device != self.device:
            image = self.photograph[None].float() / 127.5 - 1
            self._levels = [
                PhotographLevel(
                    _resize(image, size), self.patch_size,
                    self.num_components, self.window_std)
                for size in sizes
            ]
        return self._levels

    def stage_sizes(self, size: Optional[Size] = None) -> List[Size]:
        """Sizes of all scales of an image.

        Args:
            size: (H, W) in pixels; by default that of the photograph.

        Raises:
            ValueError: The size is too small for the patches.
        """
        sizes = [level.size for level in self.levels]
        if size is None:
            return sizes
        sizes = resized_pyramid(sizes, size)
        least = [
            math.ceil((self.patch_size - .5) * full / first)
            for full, first in zip(self.levels[-1].size, self.levels[0].size)
        ]
        if any(a < b for a, b in zip(sizes[0], (self.patch_size, ) * 2)):
            raise ValueError(
                f'Argument `size` must be at least {least[0]} x {least[1]} '
                '(height x width) for this photograph, so that a patch fits '
                f'into the coarsest scale, but got {size[0]} x {size[1]}.')
        return sizes

    def _pyramid(self, size: Size) -> List[Size]:
        return pyramid_sizes(size, self.min_size, self.max_size,
                             self.scale_factor)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args,
                              **kwargs) -> None:
        """Resize the buffer to the photograph in the checkpoint."""
        image = state_dict.get(f'{prefix}photograph')
        if isinstance(image, Tensor):
            _check_photograph(image)
            self.photograph = torch.empty_like(image, device=self.device)
            self._levels = []
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _resize(image: Tensor, size: Size) -> Tensor:
    """Resize an image (1, 3, H, W), with antialiasing."""
    if tuple(image.shape[2:]) == tuple(size):
        return image
    return F.interpolate(
        image, size, mode='bicubic', antialias=True, align_corners=False)


def _check_photograph(image: Tensor) -> None:
    if image.dtype != torch.uint8 or image.dim() != 3 or len(image) != 3:
        raise ValueError('The photograph of a checkpoint must be uint8 (3, H, '
                         f'W), but is {image.dtype} {tuple(image.shape)}.')
