"""Images larger than the memory, drawn scale by scale and tile by tile."""
import contextlib
import itertools
import math
import shutil
import tempfile
from pathlib import Path
from typing import Callable, Iterator, List, Protocol, Tuple

import numpy as np
import torch
from torch import Tensor

from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.image_writers import image_writer
from mmpe.utils.progress import ProgressBar

__all__ = [
    'MapFile', 'Scales', 'draw_scales', 'with_halo',
    'without_halo'
]

Size = Tuple[int, int]
Positions = Callable[[range, range], Tensor]


def draw_scales(scales: 'Scales', path: PathLike, tile: int) -> Path:
    """Draw all scales tile by tile, and the finest to a file.

    Args:
        scales: Scales that draw windows.
        path, tile: As for :func:`.draw_tiled`.

    Returns:
        The path.

    Raises:
        ImportError: tifffile is required but not installed.
        OSError: See :func:`.draw_tiled`.
        ValueError: The format is unknown, or the tile is too small.
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
        start = scales.start() if start_scale > 0 else torch.zeros(
            1, scales.channels, 1, 1)
        image = MapFile.of(path.parent, start)
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
    """Bands of the finest scale from top to bottom, uint8 RGB (h, W, 3)."""
    height, width = scales.sizes[-1]
    for rows in _ranges(height, tile):
        band = np.empty((len(rows), width, 3), np.uint8)
        for cols in _ranges(width, tile):
            image = scales.draw(scales.last, coarser, rows, cols)
            band[:, cols.start:cols.stop] = scales.to_rgb(image)
            bar.update(len(rows) * len(cols))
        yield band


class Scales(Protocol):
    """Scales of a model that can be drawn a window at a time.

    Attributes:
        sizes: (H, W) of each scale's map, the coarsest first.
        channels: Channels C of a map.
        last: Index of the finest scale.
        start_scale: Index of the first scale to draw.
        least_tile: Smallest tile that is as large as its halo.
    """

    sizes: List[Size]
    channels: int
    last: int
    start_scale: int
    least_tile: int

    def start(self) -> Tensor:
        """Map (1, C, H, W) of the scale before the first, if there is one."""

    def draw(self, stage: int, coarser: 'MapFile', rows: range,
             cols: range) -> Tensor:
        """Draw a window (1, C, rows, cols) of a scale from the coarser one."""

    def to_rgb(self, window: Tensor) -> np.ndarray:
        """Convert a window of the finest scale to uint8 RGB (h, w, 3)."""


class MapFile:
    """A map (1, C, H, W) on disk, read and written in windows.

    The file is unnamed, and removed when it is closed or the process ends.

    Args:
        folder: Folder of the file.
        size: (H, W).
        channels: Number of channels C.
    """

    def __init__(self, folder: Path, size: Size, channels: int) -> None:
        self.size = size
        self._channels = channels
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        self.close = self._file.close

    @classmethod
    def of(cls, folder: Path, image: Tensor) -> 'MapFile':
        """Write an image (1, C, H, W) to a new file."""
        _, channels, height, width = image.shape
        file = cls(folder, (height, width), channels)
        file.write(range(height), range(width), image)
        return file

    def write(self, rows: range, cols: range, values: Tensor) -> None:
        """Write a window (1, C, rows, cols)."""
        lines = values[0].permute(1, 2, 0).float().cpu().contiguous().numpy()
        for row, line in zip(rows, lines):
            self._seek(row, cols.start)
            self._file.write(line)

    def read(self, rows: range, cols: range) -> Tensor:
        """Read a window, float32 (1, C, rows, cols)."""
        lines = np.empty((len(rows), len(cols), self._channels), np.float32)
        for row, line in zip(rows, lines):
            self._seek(row, cols.start)
            self._file.readinto(line.data)
        return torch.from_numpy(lines).permute(2, 0, 1)[None]

    def _seek(self, row: int, col: int) -> None:
        self._file.seek(4 * self._channels * (row * self.size[1] + col))


def with_halo(rows: range, cols: range, halo: int,
              size: Size) -> Tuple[range, range]:
    """Extend a window by a halo, clipped to the image.

    Args:
        rows, cols: The window.
        halo: Width of the halo.
        size: (H, W) of the image.

    Returns:
        Rows and columns.
    """
    rows, cols = (
        range(max(cells.start - halo, 0), min(cells.stop + halo, length))
        for cells, length in zip((rows, cols), size))
    return rows, cols


def without_halo(window: Tensor, rows: range, cols: range,
                 outer: Tuple[range, range]) -> Tensor:
    """Cut a window (..., rows, cols) out of a larger one (..., *outer)."""
    top, left = rows.start - outer[0].start, cols.start - outer[1].start
    return window[..., top:top + len(rows), left:left + len(cols)]


def _check_space(path: Path, sizes: List[Size], channels: int) -> None:
    """Check that the disk has space for two scales and the image."""
    pixels = [math.prod(size) for size in sizes]
    needed = 4 * channels * sum(pixels[:-1][-2:]) + 3 * pixels[-1]
    folder = next(x for x in path.absolute().parents if x.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(f'The disk of {str(folder)!r} needs up to '
                      f'{needed / 1e9:.3g} GB of free space for the image and '
                      f'its temporary files, but has {free / 1e9:.3g} GB.')


def _windows(size: Size, tile: int) -> Iterator[Tuple[range, range]]:
    return itertools.product(_ranges(size[0], tile), _ranges(size[1], tile))


def _ranges(length: int, tile: int) -> List[range]:
    return [
        range(start, min(start + tile, length))
        for start in range(0, length, tile)
    ]
