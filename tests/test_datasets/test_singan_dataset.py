import mmagic.datasets.singan_dataset as reference
import mmcv
import numpy as np
import pytest
import torch
from PIL import Image

from mmpe.datasets import SinGANDataset, num_scales_of, read_photograph
from mmpe.functional.pyramid import doubling_sizes
from mmpe.registry import DATASETS, build_from


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(
        0, 256, (60, 80, 3), dtype=np.uint8)


def save(image, path, **kwargs):
    image.save(path, **kwargs)
    return str(path)


def test_colour(rgb, tmp_path):
    path = save(Image.fromarray(rgb), tmp_path / 'a.png')
    image = read_photograph(path)
    assert image.dtype == np.uint8
    assert np.array_equal(image, rgb[..., ::-1])
    assert np.array_equal(image, mmcv.imread(path))


def test_grey(rgb, tmp_path):
    path = save(Image.fromarray(rgb[..., 0]), tmp_path / 'a.png')
    assert np.array_equal(
        read_photograph(path), np.repeat(rgb[..., :1], 3, -1))


@pytest.mark.parametrize('suffix', ['png', 'tiff'])
def test_16_bit_grey(rgb, tmp_path, suffix):
    deep = rgb[..., 0].astype(np.uint16) * 257
    path = save(Image.fromarray(deep), tmp_path / f'a.{suffix}')
    assert np.array_equal(
        read_photograph(path), np.repeat(rgb[..., :1], 3, -1))


def test_palette(rgb, tmp_path):
    image = Image.fromarray(rgb).quantize(64)
    path = save(image, tmp_path / 'a.png')
    expected = np.asarray(image.convert('RGB'))[..., ::-1]
    assert np.array_equal(read_photograph(path), expected)


@pytest.mark.parametrize('alpha', [0, 128, 255])
def test_transparent_pixels_are_laid_on_white(rgb, tmp_path, alpha):
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], alpha, np.uint8)])
    path = save(Image.fromarray(rgba), tmp_path / 'a.png')
    share = alpha / 255
    expected = rgb[..., ::-1] * share + 255 * (1 - share)
    assert np.abs(read_photograph(path) - expected).max() <= 1


def test_cmyk(rgb, tmp_path):
    image = Image.fromarray(rgb).convert('CMYK')
    path = save(image, tmp_path / 'a.tiff')
    expected = np.asarray(image.convert('RGB'))[..., ::-1]
    assert np.array_equal(read_photograph(path), expected)


def test_orientation_tag(rgb, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    path = save(Image.fromarray(rgb), tmp_path / 'a.png', exif=exif)
    assert np.array_equal(
        read_photograph(path), np.rot90(rgb, -1)[..., ::-1])


def test_unreadable_files(rgb, tmp_path):
    with pytest.raises(FileNotFoundError, match='no image file at .*none.png'):
        read_photograph(str(tmp_path / 'none.png'))
    text = tmp_path / 'text.png'
    text.write_text('not an image')
    with pytest.raises(ValueError, match='text.png. is not an image file'):
        read_photograph(str(text))
    path = tmp_path / 'cut.png'
    save(Image.fromarray(rgb), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match='cut.png. cannot be read'):
        read_photograph(str(path))


def test_pyramid_equals_mmagic(rgb, tmp_path):
    path = save(Image.fromarray(rgb), tmp_path / 'a.png')
    dataset = SinGANDataset(path, 25, 100, 0.75)
    reals, factor, stop = reference.create_real_pyramid(
        mmcv.imread(path), 25, 100, 0.75)
    assert dataset.stop_scale == stop == num_scales_of(path, 25, 100, 0.75)
    assert dataset.scale_factor == pytest.approx(factor)
    for ours, theirs in zip(dataset.reals, reals):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize('max_size, finest', [
    (48, (36, 48)),
    (78, (60, 76)),  # fewer columns
    (67, (52, 64)),  # 50 x 67 with more rows and fewer columns
])
def test_doubling_pyramid(rgb, tmp_path, max_size, finest):
    path = save(Image.fromarray(rgb), tmp_path / 'a.png')
    dataset = SinGANDataset(path, 14, max_size, doubling=True)
    sizes = [real.shape[:2] for real in dataset.reals]
    assert sizes == doubling_sizes((60, 80), 14, max_size)
    assert sizes[-1] == finest
    assert dataset.scale_factor == 0.5
    assert dataset.stop_scale == len(sizes) - 1 == num_scales_of(
        path, 14, max_size, doubling=True)
    real = np.asarray(dataset.reals[-1], float)
    expected = means(rgb[..., ::-1], finest)
    assert np.abs(real - expected).max() <= 1
    for smaller in dataset.reals[-2::-1]:
        factor = finest[0] // len(smaller)
        boxes = real.reshape(len(smaller), factor, -1, factor, 3)
        assert np.abs(boxes.mean((1, 3)) - smaller).max() <= 0.5


def test_doubling_pyramid_enlarges_little(tmp_path):
    image = np.random.default_rng(0).integers(
        0, 256, (30, 41, 3), dtype=np.uint8)
    path = save(Image.fromarray(image), tmp_path / 'a.png')
    dataset = SinGANDataset(path, 4, 41, doubling=True)
    finest = dataset.reals[-1]
    assert finest.shape == (32, 40, 3)
    assert np.abs(finest - means(image[..., ::-1], (32, 40))).max() <= 1


def means(image, size):
    """Means over the areas of pixels, whole or not."""
    weights = []
    for new, old in zip(size, image.shape):
        borders = np.arange(new + 1) * old / new
        starts, ends = borders[:-1, None], borders[1:, None]
        pixels = np.arange(old)
        weights.append((np.minimum(ends, pixels + 1)
                        - np.maximum(starts, pixels)).clip(0) * new / old)
    return np.einsum('hi,wj,ijc->hwc', *weights, image)


def test_items(rgb, tmp_path):
    path = save(Image.fromarray(rgb), tmp_path / 'a.png')
    dataset = build_from(
        DATASETS,
        dict(
            type='SinGANDataset',
            data_root=path,
            min_size=25,
            max_size=40,
            scale_factor_init=0.75))
    assert len(dataset) == 1000000
    inputs = dataset[3]['inputs']
    names = [f'real_scale{i}' for i in range(dataset.stop_scale + 1)]
    assert sorted(inputs) == sorted([*names, 'input_sample'])
    for name, real in zip(names, dataset.reals):
        assert inputs[name].dtype == torch.uint8
        assert np.array_equal(inputs[name].permute(1, 2, 0), real)
    assert max(dataset.reals[-1].shape) == 40
    assert inputs['input_sample'].shape == inputs['real_scale0'].shape
    assert not inputs['input_sample'].any()


def test_pipeline_of_mmagic_lacks_nothing(rgb, tmp_path):
    """MMagic's configs pack one image too few for the finest scale."""
    path = save(Image.fromarray(rgb), tmp_path / 'a.png')
    last = num_scales_of(path, 25, 100, 0.75)
    keys = [f'real_scale{i}' for i in range(last)] + ['input_sample']
    dataset = SinGANDataset(
        path, 25, 100, 0.75, num_samples=5,
        pipeline=[dict(type='mmagic.PackInputs', keys=keys)])
    assert len(dataset) == 5
    assert dataset[0]['inputs'][f'real_scale{last}'].shape == (3, 60, 80)
