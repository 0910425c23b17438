"""Incremental writing of images, from top to bottom."""
import struct
import zlib
from pathlib import Path
from types import ModuleType
from typing import BinaryIO, Callable, Dict, Iterable, Iterator, Tuple

import numpy as np

from .files import PathLike

__all__ = ['image_writer', 'write_bigtiff', 'write_png']

Size = Tuple[int, int]
Writer = Callable[[PathLike, Size, Iterable[np.ndarray]], None]

_TIFF_TILE = 256
_PNG_FILTER_UP = 2


def image_writer(path: PathLike) -> Writer:
    """The writer for a file name.

    Args:
        path: Path that ends with ``.png``, ``.tif`` or ``.tiff``.

    Returns:
        :func:`write_png` or :func:`write_bigtiff`.

    Raises:
        ImportError: tifffile is required but not installed.
        ValueError: The path has another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise ValueError('Argument `path` must end with one of '
                         f'{", ".join(_WRITERS)}, but got {str(path)!r}.')
    writer = _WRITERS[suffix]
    if writer is write_bigtiff:
        _import_tifffile()
    return writer


def write_png(path: PathLike, size: Size, bands: Iterable[np.ndarray]) -> None:
    """Write a PNG file band by band, with one band in memory at a time.

    Args:
        path: Path of the file.
        size: (H, W) in pixels.
        bands: Bands of the image from top to bottom, uint8 (h, W, 3) in RGB
            order, of any heights.

    Raises:
        OSError: The file cannot be written.
    """
    height, width = size
    compressor = zlib.compressobj()
    with open(path, 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n')
        # 8 bits of depth, colour type RGB, standard methods, no interlacing
        _write_chunk(file, b'IHDR',
                     struct.pack('>2I5B', width, height, 8, 2, 0, 0, 0))
        above = np.zeros((1, width, 3), np.uint8)
        for band in bands:
            filtered = _difference_to_above(np.concatenate((above, band)))
            _write_chunk(file, b'IDAT', compressor.compress(filtered.data))
            above = band[-1:]
        _write_chunk(file, b'IDAT', compressor.flush())
        _write_chunk(file, b'IEND', b'')


def _difference_to_above(band: np.ndarray) -> np.ndarray:
    """Apply PNG's filter "up" for better compression; drops the first row."""
    rows = band.reshape(len(band), -1)
    filtered = np.empty((len(rows) - 1, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = _PNG_FILTER_UP
    np.subtract(rows[1:], rows[:-1], out=filtered[:, 1:])
    return filtered


def _write_chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    file.write(struct.pack('>I', len(data)) + kind)
    file.write(data)
    file.write(struct.pack('>I', checksum))


def write_bigtiff(path: PathLike, size: Size,
                  bands: Iterable[np.ndarray]) -> None:
    """Write a BigTIFF file band by band, with one band in memory at a time.

    The file has compressed tiles, so viewers do not have to read all of it.

    Args:
        path: Path of the file.
        size: (H, W) in pixels.
        bands: As for :func:`write_png`.

    Raises:
        ImportError: tifffile is not installed.
        OSError: The file cannot be written.
    """
    _import_tifffile().imwrite(
        path,
        _tiles(bands),
        shape=(*size, 3),
        dtype=np.uint8,
        bigtiff=True,
        photometric='rgb',
        tile=(_TIFF_TILE, _TIFF_TILE),
        compression='zlib')


def _tiles(bands: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    for band in _bands_of_height(_TIFF_TILE, bands):
        for left in range(0, band.shape[1], _TIFF_TILE):
            yield band[:, left:left + _TIFF_TILE]


def _bands_of_height(height: int,
                     bands: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Regroup bands to one height; the last band may be lower."""
    kept = None
    for band in bands:
        kept = band if kept is None else np.concatenate((kept, band))
        while len(kept) >= height:
            yield kept[:height]
            kept = kept[height:]
    if kept is not None and len(kept):
        yield kept


def _import_tifffile() -> ModuleType:
    try:
        import tifffile
    except ImportError:
        raise ImportError('TIFF files require the package tifffile: run `pip '
                          'install tifffile`, or write a PNG file.') from None
    return tifffile


_WRITERS: Dict[str, Writer] = {
    '.png': write_png,
    '.tif': write_bigtiff,
    '.tiff': write_bigtiff
}
