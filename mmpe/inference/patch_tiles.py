"""Tiled sampling from the patches of a photograph."""
from functools import cached_property
from typing import Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from mmpe.functional.upsample import upsample_window
from mmpe.models import PatchDiffusion
from .layout import PositionMap
from .tiling import MapFile, with_halo, without_halo

__all__ = ['PatchScales', 'own_places', 'to_pixels']

Size = Tuple[int, int]


class PatchScales:
    """Scales of an image, drawn a window at a time; see :func:`.draw_scales`.

    A map has five channels: an image and its matches.

    Args:
        model: The model.
        size: (H, W) in pixels.
        seed: Seed of the noise.
        start_scale: First scale with random noise, which must exist; coarser
            scales are the photograph, resized to ``size``.
        positions: Positions of the cells of each scale.

    Raises:
        ValueError: The size is too small, or the seed is out of range.
    """

    channels = 5

    def __init__(self, model: PatchDiffusion, size: Size, seed: int,
                 start_scale: int,
                 positions: Optional[Sequence[PositionMap]]) -> None:
        self.model = model
        self.sizes = model.stage_sizes(size)
        self.last = len(self.sizes) - 1
        self.seed = seed
        self.start_scale = start_scale
        self.positions = positions
        self.least_tile = 2 * model.halo
        model.noise(seed, 0, range(1), range(1))  # checks the seed

    def start(self) -> Tensor:
        """The photograph, before the first random scale."""
        image = self.model.levels[self.start_scale - 1].image.cpu()
        return _join(image, own_places(image.shape[2:]))

    @torch.no_grad()
    def draw(self, stage: int, coarser: MapFile, rows: range,
             cols: range) -> Tensor:
        """Draw a window (1, 5, rows, cols), see :class:`.Scales`."""
        if stage == 0:
            return self._first[..., rows.start:rows.stop, cols.start:cols.stop]
        size = self.sizes[stage]
        outer = with_halo(rows, cols, self.model.halo, size)
        guide = upsample_window(lambda *x: coarser.read(*x)[:, :3],
                                coarser.size, size, *outer, False)
        matches = self.model.finer_matches_window(
            stage, lambda *x: coarser.read(*x)[0, 3:], coarser.size, size,
            *outer)
        result = _join(*self.model.draw(
            stage, self.model.noise(self.seed, stage, *outer),
            guide.to(self.model.device), matches,
            self.model.prior(stage, self.positions, self.sizes, *outer)))
        return without_halo(result, rows, cols, outer)

    def to_rgb(self, window: Tensor) -> np.ndarray:
        """Convert a window to an image, uint8 (rows, cols, 3)."""
        return to_pixels(window[:, :3])

    @cached_property
    def _first(self) -> Tensor:
        """The coarsest scale, small enough to be drawn at once."""
        rows, cols = (range(length) for length in self.sizes[0])
        return _join(*self.model.draw(
            0,
            self.model.noise(self.seed, 0, rows, cols),
            None,
            None,
            self.model.prior(0, self.positions, self.sizes, rows, cols),
            is_first=True))


def _join(image: Tensor, matches: Optional[Tensor]) -> Tensor:
    """Join an image and its matches, if any, to five channels."""
    if matches is None:
        matches = torch.zeros(2, *image.shape[2:])
    return torch.cat((image.cpu(), matches[None].cpu().float()), 1)


def to_pixels(batch: Tensor) -> np.ndarray:
    """Convert a model's output to an image.

    Args:
        batch: (1, 3, H, W) in RGB order, in [-1, 1].

    Returns:
        uint8 (H, W, 3).
    """
    pixels = (batch[0].permute(1, 2, 0) + 1) * 127.5
    return pixels.round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def own_places(size: Sequence[int]) -> Tensor:
    """Row and column indices of the pixels of an image.

    Args:
        size: (H, W).

    Returns:
        int64 (2, H, W).
    """
    return torch.stack(
        torch.meshgrid(*[torch.arange(n) for n in size], indexing='ij'))
