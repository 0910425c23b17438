"""Images that are larger than the memory.

Every scale is drawn in tiles, with as much around each as the convolutions
see. Noise and positions are functions of the coordinate, so that the image is
the same whatever the tiles are.
"""
import contextlib
import itertools
import math
import shutil
import tempfile
from functools import lru_cache, partial
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Protocol, Tuple

import numpy as np
import torch
from torch import Tensor

from mmpe.functional.noise import coordinate_noise
from mmpe.functional.pyramid import resized_pyramid
from mmpe.functional.upsample import ReadWindow, upsample_window
from mmpe.models import SinGAN
from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.image_writers import image_writer
from mmpe.utils.images import to_rgb
from mmpe.utils.progress import ProgressBar
from mmpe.utils.wrappers import unwrap
from .layout import PositionMap

__all__ = [
    'MapFile', 'Scales', 'draw_scales', 'draw_tiled', 'with_halo',
    'without_halo'
]

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
    scales = _Scales(model, size, seed, start_scale, positions)
    return draw_scales(scales, path, tile)


def draw_scales(scales: 'Scales', path: PathLike, tile: int) -> Path:
    """Draw the finest of some scales into a file, tile by tile.

    Args:
        scales: What draws windows of each scale.
        path: As for :func:`draw_tiled`.
        tile: As for :func:`draw_tiled`.

    Returns:
        The path.

    Raises:
        ImportError: TIFF is asked for, and tifffile is not installed.
        OSError: See :func:`draw_tiled`.
        ValueError: There is no such format, or the tile is too small.
    """
    path = Path(path)
    write = image_writer(path)
    if tile < scales.least_tile:
        raise ValueError(f'Argument `tile` must be at least '
                         f'{scales.least_tile} for this model, but got '
                         f'{tile}.')
    start_scale = scales.start_scale
    _check_space(path, scales.sizes[start_scale:], scales.channels)
    num_pixels = sum(math.prod(x) for x in scales.sizes[start_scale:])
    with atomic_write(path) as temporary, torch.no_grad(), ProgressBar(
            total=num_pixels, desc='Drawing', unit='pixel',
            unit_scale=True) as bar:
        image = MapFile.of(path.parent, scales.start())
        for stage in range(start_scale, scales.last):
            with contextlib.closing(image) as coarser:
                image = MapFile(path.parent, scales.sizes[stage],
                                scales.channels)
                for rows, cols in _windows(image.size, tile):
                    image.write(rows, cols,
                                scales.draw(stage, coarser, rows, cols))
                    bar.update(len(rows) * len(cols))
        with contextlib.closing(image):
            bands = _bands(scales, image, tile, bar)
            write(temporary, scales.sizes[-1], bands)
    return path


def _bands(scales: 'Scales', coarser: 'MapFile', tile: int,
           bar: ProgressBar) -> Iterator[np.ndarray]:
    """The last scale from the top down, uint8 (h, W, 3) in RGB order."""
    height, width = scales.sizes[-1]
    for rows in _ranges(height, tile):
        band = np.empty((len(rows), width, 3), np.uint8)
        for cols in _ranges(width, tile):
            image = scales.draw(scales.last, coarser, rows, cols)
            band[:, cols.start:cols.stop] = scales.to_rgb(image)
            bar.update(len(rows) * len(cols))
        yield band


class Scales(Protocol):
    """What a model's scales make, a window at a time.

    Attributes:
        sizes: (H, W) of each scale's map, the coarsest first.
        channels: Channels C of a map.
        last: Index of the finest scale.
        start_scale: Index of the first scale that is drawn.
        least_tile: Length of the tiles that are as large as what must be
            drawn around them.
    """

    sizes: List[Size]
    channels: int
    last: int
    start_scale: int
    least_tile: int

    def start(self) -> Tensor:
        """What the first scale refines: a map (1, C, H, W) of any size."""

    def draw(self, stage: int, coarser: 'MapFile', rows: range,
             cols: range) -> Tensor:
        """A window (1, C, rows, cols) of a scale, from the one before."""

    def to_rgb(self, window: Tensor) -> np.ndarray:
        """The picture of a window of the finest scale, uint8 (h, w, 3)."""


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
        encoding = self.generator.head_position_encode
        if encoding is None:
            return None
        return PositionMap(self.sizes[-1], self.noise_shapes[0][2:],
                           tuple(self.model.fixed_noises[0].shape[2:]),
                           encoding.growth)

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


class MapFile:
    """An image (1, C, H, W) on the disk, of which windows are in memory.

    The file has no name: it is gone when it is closed, or the process ends.

    Args:
        folder: Where there is room for it.
        size: (H, W).
        channels: Number of channels C.
    """

    def __init__(self, folder: Path, size: Size, channels: int) -> None:
        self.size = size
        self._channels = channels
        self._file = tempfile.TemporaryFile(dir=folder)
        self.close = self._file.close

    @classmethod
    def of(cls, folder: Path, image: Tensor) -> 'MapFile':
        """A file that holds an image (1, C, H, W)."""
        size = tuple(image.shape[2:])
        file = cls(folder, size, image.shape[1])
        file.write(*[range(length) for length in size], image)
        return file

    def write(self, rows: range, cols: range, values: Tensor) -> None:
        """Put a window (1, C, rows, cols) in its place."""
        lines = values[0].permute(1, 2, 0).float().cpu().contiguous().numpy()
        for row, line in zip(rows, lines):
            self._seek(row, cols.start)
            self._file.write(line)

    def read(self, rows: range, cols: range) -> Tensor:
        """A window: float32 (1, C, rows, cols)."""
        lines = np.empty((len(rows), len(cols), self._channels), np.float32)
        for row, line in zip(rows, lines):
            self._seek(row, cols.start)
            self._file.readinto(line)
        return torch.from_numpy(lines).permute(2, 0, 1)[None]

    def _seek(self, row: int, col: int) -> None:
        self._file.seek(4 * self._channels * (row * self.size[1] + col))


def with_halo(rows: range, cols: range, halo: int,
              size: Size) -> Tuple[range, range]:
    """A window and what is around it, within an image.

    Args:
        rows, cols: The window.
        halo: How much is added on each side.
        size: (H, W) of the image.

    Returns:
        Rows and columns.
    """
    return tuple(
        range(max(cells.start - halo, 0), min(cells.stop + halo, length))
        for cells, length in zip((rows, cols), size))


def without_halo(window: Tensor, rows: range, cols: range,
                 outer: Tuple[range, range]) -> Tensor:
    """The window (..., rows, cols) in a larger one (..., *outer)."""
    top, left = rows.start - outer[0].start, cols.start - outer[1].start
    return window[..., top:top + len(rows), left:left + len(cols)]


def _check_space(path: Path, sizes: List[Size], channels: int) -> None:
    """See that the disk holds two scales and the image."""
    pixels = [math.prod(size) for size in sizes]
    needed = 4 * channels * sum(pixels[:-1][-2:]) + 3 * pixels[-1]
    folder = next(x for x in path.absolute().parents if x.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f'The disk of {str(folder)!r} must have up to '
                      f'{needed / 1e9:.3g} GB free for the image and its '
                      f'temporary files, but has {free / 1e9:.3g} GB.')


def _windows(size: Size, tile: int) -> Iterator[Tuple[range, range]]:
    return itertools.product(*[_ranges(length, tile) for length in size])


def _ranges(length: int, tile: int) -> List[range]:
    return [
        range(start, min(start + tile, length))
        for start in range(0, length, tile)
    ]
