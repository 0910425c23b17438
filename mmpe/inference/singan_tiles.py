"""Tiled sampling from SinGANs, for images larger than the memory.

Each scale is drawn in tiles, with a halo as large as the receptive field.
Noise and positions are functions of the coordinates, so the image does not
depend on the tiles.
"""
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence, Tuple, cast

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
from .tiling import MapFile, Scales, draw_scales, with_halo, without_halo

__all__ = ['draw_tiled', 'singan_scales']

Size = Tuple[int, int]
Positions = Callable[[range, range], Tensor]


def draw_tiled(model: SinGAN,
               path: PathLike,
               size: Size,
               seed: int,
               tile: int = 256,
               start_scale: int = 0,
               positions: Optional[Positions] = None) -> Path:
    """Draw a random image of any size to a file.

    The image is the same as that of ``model.sample`` with the same noise
    (:func:`mmpe.functional.noise.coordinate_noise`) and positions. Memory
    depends on the tile size, and on the image only by one row of tiles in 8
    bits. Two scales at a time are kept in temporary files next to the image,
    which are removed when the process ends at the latest.

    Args:
        model: A trained model in evaluation mode.
        path: Output path: PNG or BigTIFF (``.tif``, ``.tiff``).
        size: (H, W) in pixels.
        seed: Seed of the noise, at least 0.
        tile: Height and width of the tiles in pixels.
        start_scale: First scale with random noise; coarser scales reconstruct
            the photograph, resized to ``size``.
        positions: Function from a window (rows, columns) to positions of the
            first scale, see :class:`.PositionMap`; by default those of the
            encoding at this size.

    Returns:
        The path.

    Raises:
        ImportError: tifffile is required but not installed.
        OSError: The disk is too full for the image and the temporary files, or
            they cannot be written.
        ValueError: The format, the seed or the scale is invalid, the size or
            the tile is too small for the model, or the model has no explicit
            positions.
    """
    scales = singan_scales(model, size, seed, start_scale, positions)
    return draw_scales(scales, path, tile)


def singan_scales(model: SinGAN, size: Size, seed: int, start_scale: int,
                  positions: Optional[Positions]) -> Scales:
    """The scales of an image, for :func:`.draw_scales`.

    Args:
        model, size, seed, start_scale, positions: As for :func:`draw_tiled`.

    Raises:
        ValueError: As for :func:`draw_tiled`.
    """
    kind = _ContextScales if isinstance(model, ContextSinGAN) else _Scales
    return kind(model, size, seed, start_scale, positions)


class _Scales:
    """Scales of a SinGAN, drawn a window at a time.

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
        self.generator: Any = unwrap(model.generator)
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
        """The reconstruction, before the first random scale."""
        image = self.model.sample(
            mode='recon', curr_scale=self.start_scale - 1)
        return cast(Tensor, image)  # a dict only on request

    def draw(self, stage: int, coarser: 'MapFile', rows: range,
             cols: range) -> Tensor:
        """Draw a window on the model's device, see :class:`.Scales`."""
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
        """A window of the result of the generator's ``_block_input``."""
        pad = partial(
            self.generator.head_padding.window,
            size=self.sizes[stage],
            rows=rows,
            cols=cols)
        noise = partial(self._noise, stage)
        x = noise(rows, cols) if self.generator.noise_with_pad else pad(noise)
        x = x * self.model.noise_weights[stage]
        return x if self._positions_of(stage) else x + pad(image)

    def _noise(self, stage: int, rows: range, cols: range) -> Tensor:
        """A window of the noise, (1, C, rows, cols), with positions added."""
        noise = coordinate_noise(self.seed, stage, self.noise_shapes[stage][1],
                                 rows, cols)[None]
        positions = self._positions_of(stage)
        if positions is not None:
            noise = noise + self.model.encode_positions(positions(rows, cols))
        return noise

    def _positions_of(self, stage: int) -> Optional[Positions]:
        return self.positions if stage == 0 else None

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
        """Check that the scale is large enough for reflection padding."""
        padding = self.generator.head_padding
        least = min(self.sizes[self.start_scale])
        if getattr(padding, 'mode', None) == 'reflect' and \
                least <= padding.width:
            raise ValueError(
                'Argument `size` must be larger for this model: the short '
                f'side of scale {self.start_scale} must have more than '
                f'{padding.width} cells, but would have {least}.')


class _ContextScales(_Scales):
    """Scales of a SinGAN with context instead of padding.

    Sizes and windows include the context.
    """

    model: ContextSinGAN
    positions: Positions

    def __init__(self, *args: Any) -> None:
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
        """Convert a window of a stage's input to one of its noise."""
        # The noise may be larger, with a border for scales not trained yet.
        surplus = self.generator.border(stage) - self._borders[stage]
        return [range(x.start + surplus, x.stop + surplus) for x in window]

    def _carried(self, stage: int,
                 window: Sequence[range]) -> Tuple[Tensor, Tensor]:
        """Carried noise of a window, and positions in the first scale."""
        model, size = self.model, self.noise_shapes[0][2:]
        rows, cols = model.first_window(stage, window, self._images)
        first = with_halo(rows, cols, 0, size)
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
        """A window of the image of the stage before, resized."""
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
        # The start image has no context, so its border is repeated.
        places = [
            torch.tensor(x).clamp(0, length - 1)
            for x, length in zip((rows, cols), size)
        ]
        rows, cols = (range(int(x[0]), int(x[-1]) + 1) for x in places)
        image = resized(coarser.read, coarser.size, rows=rows, cols=cols)
        y, x = (place - place[0] for place in places)
        return image[..., y[:, None], x]
