"""Images of SinGANs that are larger than the memory.

Every scale is drawn in tiles, with as much around each as the convolutions
see. Noise and positions are functions of the coordinate, so that the image is
the same whatever the tiles are.
"""
from functools import lru_cache, partial
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from mmpe.functional.noise import coordinate_noise
from mmpe.functional.pyramid import resized_pyramid
from mmpe.functional.upsample import ReadWindow, upsample_window
from mmpe.models import ContextSinGAN, SinGAN
from mmpe.utils.files import PathLike
from mmpe.utils.images import to_rgb
from mmpe.utils.wrappers import unwrap
from .layout import PositionMap
from .tiling import MapFile, draw_scales, with_halo, without_halo

__all__ = ['draw_tiled']

Size = Tuple[int, int]
Positions = Callable[[range, range], Tensor]


def draw_tiled(model: SinGAN,
               path: PathLike,
               size: Size,
               seed: int,
               tile: int = 256,
               start_scale: int = 0,
               positions: Optional[Positions] = None) -> Path:
    """Draw a random image into a file, however large it is.

    It is what ``model.sample`` makes of the same noise
    (:func:`mmpe.functional.noise.coordinate_noise`) and positions. What is in
    memory at a time depends on the tile, not on the image, but for one row of
    tiles in 8 bits. Two scales at a time are kept in temporary files beside
    the image, which go with the process at the latest.

    Args:
        model: A trained model in evaluation mode.
        path: Where to write the image: PNG, or BigTIFF (``.tif``, ``.tiff``).
        size: (H, W) in pixels.
        seed: Seed of the noise, not negative.
        tile: Height and width of the tiles in pixels.
        start_scale: First scale with random noise; the coarser ones
            reconstruct the photograph, resized to ``size``.
        positions: Gives the positions of a window (rows, columns) of the
            first scale, as in :class:`.PositionMap`; by default those that
            the encoding gives to this size.

    Returns:
        The path.

    Raises:
        ImportError: TIFF is asked for, and tifffile is not installed.
        OSError: The disk does not hold the image and the temporary files, or
            they cannot be written.
        ValueError: There is no such format, seed or scale, the size or the
            tile is too small for the model, or positions are given to a model
            without explicit ones.
    """
    kind = _ContextScales if isinstance(model, ContextSinGAN) else _Scales
    scales = kind(model, size, seed, start_scale, positions)
    return draw_scales(scales, path, tile)


class _Scales:
    """What the scales of a SinGAN make of noise, a window at a time.

    Args:
        model, size, seed, start_scale, positions: As for :func:`draw_tiled`.
    """

    def __init__(self, model: SinGAN, size: Size, seed: int, start_scale: int,
                 positions: Optional[Positions]) -> None:
        if not 0 <= start_scale <= model.curr_stage:
            raise ValueError(
                'Argument `start_scale` must be from 0 to '
                f'{model.curr_stage} for this model, but got {start_scale}.')
        self.model = model
        self.generator = unwrap(model.generator)
        if model.with_ema_gen:
            self.generator = model.generator_ema.module
        self.channels = self.generator.out_channels
        self.least_tile = 2 * self.generator.pad_head
        self.last = model.curr_stage
        self.noise_shapes = model.noise_shapes(size)
        self.sizes = resized_pyramid(model.pyramid_sizes[:self.last + 1], size)
        self.seed = seed
        self.start_scale = start_scale
        self.positions = positions or self._own_positions()
        self._check_reflection()
        self._noise(0, range(1), range(1))  # checks seed and positions

    def start(self) -> Tensor:
        """What the first of the random scales refines, in any size."""
        if self.start_scale == 0:
            return torch.zeros(1, self.channels, 1, 1)
        return self.model.sample(
            mode='recon', curr_scale=self.start_scale - 1)

    def draw(self, stage: int, coarser: 'MapFile', rows: range,
             cols: range) -> Tensor:
        """A window of the image of a stage.

        Args:
            stage: Index of the stage.
            coarser: Image of the stage before, in its own size.
            rows, cols: What of the stage's image is wanted.

        Returns:
            (1, C, rows, cols) on the model's device.
        """
        border = self.generator.head_padding.width
        halo = self.generator.pad_head - border
        size = self.sizes[stage]
        outer = with_halo(rows, cols, halo, size)
        image = lru_cache(maxsize=1)(
            partial(upsample_window, coarser.read, coarser.size, size))
        x = self._block_input(
            stage, image,
            *[range(x.start, x.stop + 2 * border) for x in outer])
        result = self.generator.blocks[stage](
            x.to(self.model.device),
            image(*outer).to(self.model.device))
        return without_halo(result, rows, cols, outer)

    def to_rgb(self, window: Tensor) -> np.ndarray:
        """A window of the finest scale, uint8 (rows, cols, 3)."""
        return to_rgb(self.model.data_preprocessor.destruct(window)[0])

    def _block_input(self, stage: int, image: ReadWindow, rows: range,
                     cols: range) -> Tensor:
        """A window of what the generator's method of this name makes."""
        pad = partial(
            self.generator.head_padding.window,
            size=self.sizes[stage],
            rows=rows,
            cols=cols)
        noise = partial(self._noise, stage)
        x = noise(rows, cols) if self.generator.noise_with_pad else pad(noise)
        x = x * self.model.noise_weights[stage]
        return x if self._has_positions(stage) else x + pad(image)

    def _noise(self, stage: int, rows: range, cols: range) -> Tensor:
        """A window of the noise, (1, C, rows, cols), with the positions."""
        noise = coordinate_noise(self.seed, stage, self.noise_shapes[stage][1],
                                 rows, cols)[None]
        if self._has_positions(stage):
            noise = noise + self.model.encode_positions(
                self.positions(rows, cols))
        return noise

    def _has_positions(self, stage: int) -> bool:
        return stage == 0 and self.positions is not None

    def _own_positions(self) -> Optional[Positions]:
        if self.model.growth is None:
            return None
        grid, border = self.model.position_grid()
        return PositionMap(
            self.sizes[-1],
            self.noise_shapes[0][2:],
            grid,
            self.model.growth,
            border=border)

    def _check_reflection(self) -> None:
        """See that there is enough to be mirrored, as torch demands."""
        padding = self.generator.head_padding
        least = min(self.sizes[self.start_scale])
        if getattr(padding, 'mode', None) == 'reflect' and \
                least <= padding.width:
            raise ValueError(
                'Argument `size` must be larger for this model: the short '
                f'side of its scale {self.start_scale} would have {least} '
                f'cells, but must have more than {padding.width}.')


class _ContextScales(_Scales):
    """The same of a SinGAN whose maps have context instead of padding.

    ``sizes`` are those with context, and windows are counted in them.
    """

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self._images = self.sizes
        self._margins = self.generator.margins(self.last)
        self._borders = [
            margin + radius
            for margin, radius in zip(self._margins, self.generator.radii)
        ]
        self.sizes = [
            (height + 2 * margin, width + 2 * margin)
            for (height, width), margin in zip(self._images, self._margins)
        ]

    def draw(self, stage: int, coarser: MapFile, rows: range,
             cols: range) -> Tensor:
        """See :class:`_Scales`."""
        radius = self.generator.radii[stage]
        outer = [range(x.start, x.stop + 2 * radius) for x in (rows, cols)]
        noise, told = self._carried(stage, self._in_noise(stage, outer))
        noise = noise * self.model.noise_weights[stage]
        if stage == 0:
            x = self.generator.first_input(noise, self.model.codes(told))
            image = x.new_zeros(1)
        else:
            image = self._image(stage, coarser, *outer).to(noise)
            x = noise + image
            image = image[..., radius:radius + len(rows),
                          radius:radius + len(cols)]
        return self.generator.blocks[stage](x, image)

    def _noise(self, stage: int, rows: range, cols: range) -> Tensor:
        """A window of the noise, (1, C, rows, cols)."""
        return coordinate_noise(self.seed, stage, self.noise_shapes[stage][1],
                                rows, cols)[None]

    def _in_noise(self, stage: int, window: Sequence[range]) -> List[range]:
        """A window of a stage's input in the noise, which may be larger."""
        # Scales that have not been trained have the outermost cells.
        surplus = self.generator.border(stage) - self._borders[stage]
        return [range(x.start + surplus, x.stop + surplus) for x in window]

    def _carried(self, stage: int,
                 window: Sequence[range]) -> Tuple[Tensor, Tensor]:
        """Noise of a window, and the positions told in the first scale."""
        model, size = self.model, self.noise_shapes[0][2:]
        first = model.first_window(stage, window, self._images)
        first = with_halo(*first, 0, size)
        source = with_halo(*first, model.jitter_reach, size)
        device = model.device
        told = model.told_positions(
            self._noise(0, *source).to(device),
            self.positions(*first).to(device), size, first, source)
        noise = self._noise(stage, *window).to(device)
        return model.carried(noise, stage, told, first, window, self._images,
                             model.carry_from(self.start_scale)), told

    def _image(self, stage: int, coarser: MapFile, rows: range,
               cols: range) -> Tensor:
        """A window of the resized image of the stage before."""
        border, size = self._borders[stage], self._images[stage]
        rows, cols = (range(x.start - border, x.stop - border)
                      for x in (rows, cols))
        resized = partial(
            upsample_window, new_size=size, align_corners=False)
        if stage > self.start_scale:
            margin = self._margins[stage - 1]

            def read(rows: range, cols: range) -> Tensor:
                return coarser.read(*[
                    range(x.start + margin, x.stop + margin)
                    for x in (rows, cols)
                ])

            return resized(
                read, self._images[stage - 1], rows=rows, cols=cols,
                margin=margin)
        # It has no context, so its border is repeated.
        places = [
            torch.tensor(x).clamp(0, length - 1)
            for x, length in zip((rows, cols), size)
        ]
        rows, cols = (range(int(x[0]), int(x[-1]) + 1) for x in places)
        image = resized(coarser.read, coarser.size, rows=rows, cols=cols)
        y, x = (place - place[0] for place in places)
        return image[..., y[:, None], x]
