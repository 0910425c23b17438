import builtins
import os

import numpy as np
import pytest
from PIL import Image

from mmpe.utils.image_writers import image_writer, write_bigtiff, write_png

RNG = np.random.default_rng(0)


def picture(height, width):
    """Noise on a gradient, so that differences wrap around."""
    y, x = np.mgrid[:height, :width]
    image = np.stack((y * 3, x * 5, y + x), -1)
    return (image + RNG.integers(0, 40, image.shape)).astype(np.uint8)


def cut(image, heights):
    ends = np.cumsum(heights)
    assert ends[-1] == len(image)
    return iter(np.split(image, ends[:-1]))


@pytest.mark.parametrize('write', [write_png, write_bigtiff])
@pytest.mark.parametrize('width', [1, 256, 300])
@pytest.mark.parametrize('heights', [[1], [600], [255, 1, 2], [256, 256],
                                     [100] * 6 + [13]])
def test_bands_make_the_picture(write, width, heights, tmp_path):
    if write is write_bigtiff:
        pytest.importorskip('tifffile')
    image = picture(sum(heights), width)
    path = tmp_path / 'image'
    write(path, image.shape[:2], cut(image, heights))
    with Image.open(path) as file:
        assert file.mode == 'RGB'
        assert file.format == ('PNG' if write is write_png else 'TIFF')
        np.testing.assert_array_equal(np.asarray(file), image)


def test_png_is_smaller_than_the_picture(tmp_path):
    y, x = np.mgrid[:200, :300]
    image = np.stack((y, x, y + x), -1).astype(np.uint8)
    write_png(tmp_path / 'a.png', (200, 300), [image])
    assert os.path.getsize(tmp_path / 'a.png') < image.size / 20


def test_tiff_can_be_huge(tmp_path):
    """BigTIFF, in tiles."""
    tifffile = pytest.importorskip('tifffile')
    write_bigtiff(tmp_path / 'a.tif', (300, 520), [picture(300, 520)])
    with tifffile.TiffFile(tmp_path / 'a.tif') as file:
        assert file.is_bigtiff
        assert file.pages[0].tile == (256, 256)


def test_bands_are_asked_for_one_at_a_time(tmp_path):
    """No band is kept while the next ones are made."""
    written = []

    def bands():
        for _ in range(4):
            written.append(os.path.getsize(tmp_path / 'a.png'))
            yield RNG.integers(0, 256, (200, 300, 3), np.uint8)

    write_png(tmp_path / 'a.png', (800, 300), bands())
    assert written[3] > 2 * 200 * 300 * 3


@pytest.mark.parametrize('name, writer', [
    ('a.png', write_png), ('a/b.PNG', write_png), ('a.tif', write_bigtiff),
    ('a.TIFF', write_bigtiff)])
def test_suffix_says_the_format(name, writer):
    if writer is write_bigtiff:
        pytest.importorskip('tifffile')
    assert image_writer(name) is writer


@pytest.mark.parametrize('name', ['a.jpg', 'a', 'png', 'a.png.gz'])
def test_unknown_suffix(name):
    with pytest.raises(ValueError, match=rf'one of .png, .tif, .tiff.*{name}'):
        image_writer(name)


def test_missing_tifffile(monkeypatch):
    real = builtins.__import__

    def fake(name, *args, **kwargs):
        if name == 'tifffile':
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, '__import__', fake)
    with pytest.raises(ImportError, match='`pip install tifffile`'):
        image_writer('a.tif')
    assert image_writer('a.png') is write_png
