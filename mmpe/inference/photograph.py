"""Common interface of the models of one photograph."""
from abc import abstractmethod
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import numpy as np
import torch

from mmpe.utils.files import PathLike
from .layout import LayoutEdit
from .manipulations import Manipulations
from .tiling import Scales, draw_scales

__all__ = ['PhotographSampler']

Size = Tuple[int, int]


class PhotographSampler(Manipulations):
    """A model of one photograph; images are uint8 (H, W, 3) in RGB order.

    Noise is a function of seed and place, so a seed gives the same image each
    time. Scales are counted from 0, the coarsest.

    Args:
        model: The model, in evaluation mode, with ``pyramid_sizes``.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    @property
    @abstractmethod
    def has_positions(self) -> bool:
        """Whether the model has explicit positions."""

    @property
    @abstractmethod
    def photograph(self) -> Optional[np.ndarray]:
        """The photograph at the model's size, or None if it has none."""

    @property
    def training_image(self) -> np.ndarray:
        """The photograph, or its reconstruction if the model has none."""
        image = self.photograph
        return self.reconstruct() if image is None else image

    @abstractmethod
    def check_size(self, size: Optional[Size]) -> None:
        """Check that the model can draw a size.

        Args:
            size: (H, W) in pixels; None for the photograph's.

        Raises:
            ValueError: It cannot.
        """

    @abstractmethod
    def reconstruct(self) -> np.ndarray:
        """Reconstruction of the photograph."""

    def sample(self,
               num: int = 1,
               size: Optional[Size] = None,
               seed: Optional[int] = None,
               batch_size: int = 4,
               start_scale: int = 0,
               growth: Optional[str] = None) -> List[np.ndarray]:
        """Random images (SinGAN, Sec. 4.1).

        Args:
            num: Number of images.
            size: (H, W) in pixels; by default the training size.
            seed: Seed of the first image, counting up from there; random by
                default.
            batch_size: Images per batch.
            start_scale: First scale with random noise; coarser scales
                reconstruct the photograph, resized to ``size``.
            growth: How the grid of explicit positions changes at another
                size: 'stretch', 'extend', 'centre' or 'tile', see
                :func:`mmpe.functional.grids.axis_positions`. By default as
                set in the encoding.

        Returns:
            The images.

        Raises:
            ValueError: A number or size is too small, the scale does not
                exist, ``growth`` is unknown, or the model has no explicit
                positions.
        """
        if num < 1 or batch_size < 1:
            raise ValueError('Arguments `num` and `batch_size` must be at '
                             f'least 1, but got {num} and {batch_size}.')
        self.check_scale(start_scale)
        seed = int(torch.randint(2**31, ())) if seed is None else seed
        images: List[np.ndarray] = []
        for start in range(0, num, batch_size):
            seeds = range(seed + start, seed + min(start + batch_size, num))
            images += self._sample(seeds, size, start_scale, growth)
        return images

    @abstractmethod
    def _sample(self, seeds: Sequence[int], size: Optional[Size],
                start_scale: int, growth: Optional[str]) -> List[np.ndarray]:
        """Draw an image of each seed."""

    def draw_to_file(self,
                     path: PathLike,
                     size: Optional[Size] = None,
                     seed: int = 0,
                     tile: int = 256,
                     start_scale: int = 0,
                     growth: Optional[str] = None) -> Path:
        """Draw an image tile by tile, which may be larger than the memory.

        It is the image that :meth:`sample` draws with the same arguments.

        Args:
            path: PNG or TIFF file.
            size: As for :meth:`sample`.
            seed: Seed of the image.
            tile: Side of a tile in pixels; memory grows with its square.
            start_scale, growth: As for :meth:`sample`.

        Returns:
            The path.

        Raises:
            ValueError: See :meth:`sample` and :func:`.draw_tiled`.
            OSError: The file cannot be written, or the disk is too full.
        """
        self.check_scale(start_scale)
        scales = self._scales(size, seed, start_scale, growth)
        return draw_scales(scales, path, tile)

    @abstractmethod
    def _scales(self, size: Optional[Size], seed: int, start_scale: int,
                growth: Optional[str]) -> Scales:
        """The scales of the image of a seed."""

    # ------------------------------------------------- the photograph, changed
    def resize(self,
               size: Size,
               growth: Optional[str] = None,
               seed: Optional[int] = None) -> np.ndarray:
        """Draw the photograph at another size, without scaling its textures.

        Args:
            size: (H, W) in pixels.
            growth, seed: As for :meth:`layout`.

        Returns:
            The image.

        Raises:
            ValueError: See :meth:`sample`; or the model has no explicit
                positions and ``seed`` is missing.
        """
        if seed is not None:
            return self.sample(1, size, seed, growth=growth)[0]
        return self.layout((), size, growth)

    def layout(self,
               edits: Sequence[LayoutEdit],
               size: Optional[Size] = None,
               growth: Optional[str] = None,
               seed: Optional[int] = None) -> np.ndarray:
        """Move, scale, repeat or remove structures by their positions.

        Args:
            edits: Edits, applied in order.
            size: (H, W) in pixels; by default the training size.
            growth: As for :meth:`sample`.
            seed: Seed of a variant; by default the noise that reconstructs
                the photograph moves along with the positions.

        Returns:
            The image.

        Raises:
            ValueError: See :meth:`sample` and :class:`.LayoutEdit`; or the
                model has no explicit positions.
        """
        return self._layout(edits, size, growth, seed)

    @abstractmethod
    def _layout(self, edits: Sequence[LayoutEdit], size: Optional[Size],
                growth: Optional[str], seed: Optional[int]) -> np.ndarray:
        """Draw an edited layout."""
