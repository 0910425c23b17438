"""Tiled images are the untiled ones."""
import os
import shutil
from collections import namedtuple

import numpy as np
import pytest
import torch
from PIL import Image

import mmpe.inference.singan_tiles as singan_tiles
from mmpe.functional.noise import coordinate_noise
from mmpe.functional.upsample import upsample
from mmpe.inference.singan_tiles import draw_tiled
from mmpe.models import ContextSinGAN
from mmpe.registry import MODELS, build_from
from mmpe.utils.images import to_rgb

from ..test_models.test_singan.conftest import (context_cfg, model_cfg,
                                                  random_pyramid)

SIZES = [(13, 17), (19, 25), (28, 36)]
SIZE = (61, 90)
SEED = 3
PADDED = dict(padding=0, pad_at_head=True)
# More heads than the rows have: generator arguments on top of a row's.
VARIANTS = {
    'interp-pad, small noise': ('interp-pad', dict(noise_with_pad=False)),
    'reflecting convolutions': ('csg', dict(padding_mode='reflect')),
    'csg, zeros': ('csg', PADDED),
    'spe, interp-pad': ('spe4-noise8', dict(
        interp_pad=True, noise_with_pad=True, **PADDED)),
    'spe, centred': ('spe4-noise8', dict(
        positional_encoding=dict(
            type='SPE', embedding_dim=4, center_shift=20, centered=True)))
}
HEADS = [
    'original', 'zero-pad', 'reflect-pad', 'interp-pad', 'csg', 'spe4-noise1',
    'spe4-noise8', *VARIANTS, 'context', 'context, spe'
]
CONTEXT = {
    'context': dict(),
    'context, spe': dict(
        jitter=0, positional_encoding=dict(type='SPE', embedding_dim=8))
}


def make_model(head, **kwargs):
    """A model of three scales in which everything matters."""
    if head in CONTEXT:
        cfg = context_cfg(**CONTEXT[head], **kwargs)
    else:
        row, generator = VARIANTS.get(head, (head, {}))
        cfg = model_cfg(row, num_scales=2, **kwargs)
        cfg['generator'].update(generator)
        if 'noise_with_pad' in generator:
            cfg['fixed_noise_with_pad'] = generator['noise_with_pad']
    model = build_from(MODELS, cfg)
    torch.manual_seed(0)
    for name, value in model.state_dict().items():
        if 'running_var' in name:
            value.uniform_(.5, 2)
        elif 'running_mean' in name:
            value.normal_(0, .2)
        elif 'conv.weight' in name:
            value.normal_(0, .12 if value.shape[-1] > 1 else .5)
    model.reals = random_pyramid(SIZES)
    model.construct_fixed_noises()
    model.noise_weights = [1, .5, .4]
    model.curr_stage = 2
    return model.eval()


def untiled(model, size=SIZE, start_scale=0, **kwargs):
    noises = [
        coordinate_noise(SEED, stage, channels, range(height),
                         range(width))[None]
        for stage, (_, channels, height,
                    width) in enumerate(model.noise_shapes(size))
    ]
    start = None
    if start_scale:
        start = upsample(
            model.sample(mode='recon', curr_scale=start_scale - 1),
            model.generator.image_size(noises[start_scale], start_scale),
            model.generator.align_corners)
    return model.sample(
        noises=noises, start_scale=start_scale, input_sample=start, **kwargs)


@pytest.fixture
def draw(monkeypatch, tmp_path):
    """Draws in tiles; gives the image before it is rounded."""

    def run(model, size=SIZE, **kwargs):
        whole = torch.full((1, 3, *size), torch.nan)
        scales = singan_tiles._ContextScales if isinstance(
            model, ContextSinGAN) else singan_tiles._Scales
        original = scales.draw

        def spy(self, stage, coarser, rows, cols):
            image = original(self, stage, coarser, rows, cols)
            if stage == self.last:
                whole[..., rows.start:rows.stop,
                      cols.start:cols.stop] = image
            return image

        with monkeypatch.context() as patch:
            patch.setattr(scales, 'draw', spy)
            path = draw_tiled(model, tmp_path / 'a.png', size, SEED, **kwargs)
        assert os.listdir(tmp_path) == ['a.png']
        return whole, np.asarray(Image.open(path))

    return run


@pytest.mark.slow
@pytest.mark.parametrize('head', HEADS)
def test_tiled_is_untiled(head, draw):
    model = make_model(head)
    expected = untiled(model)
    assert expected.std() > .05
    for tile in (13, 37, 200):
        image, written = draw(model, tile=tile)
        torch.testing.assert_close(image, expected, atol=1e-4, rtol=0)
    rgb = to_rgb(model.data_preprocessor.destruct(expected)[0])
    assert np.abs(rgb.astype(int) - written).max() <= 1


@pytest.mark.parametrize('start_scale', [1, 2])
@pytest.mark.parametrize(
    'head', ['zero-pad', 'interp-pad', 'spe4-noise8', 'context'])
def test_start_scale(head, start_scale, draw):
    model = make_model(head)
    image, _ = draw(model, tile=31, start_scale=start_scale)
    torch.testing.assert_close(
        image, untiled(model, start_scale=start_scale), atol=1e-4, rtol=0)


@pytest.mark.parametrize('size', [(7, 40), (90, 130), (150, 33)])
def test_other_sizes(size, draw):
    model = make_model('spe4-noise8')
    image, _ = draw(model, size, tile=40)
    torch.testing.assert_close(
        image, untiled(model, size), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    'head', ['csg', 'spe4-noise8', 'spe, interp-pad', 'context'])
def test_positions(head, draw):
    """Any function of the cells, here a warp."""

    def warped(rows, cols):
        y, x = torch.meshgrid(
            torch.tensor(rows), torch.tensor(cols), indexing='ij')
        return torch.stack((12 - .7 * y, x + 2 * (y / 5.).sin()))

    model = make_model(head)
    _, _, height, width = model.noise_shapes(SIZE)[0]
    image, _ = draw(model, tile=23, positions=warped)
    expected = untiled(model, positions=warped(range(height), range(width)))
    torch.testing.assert_close(image, expected, atol=1e-4, rtol=0)
    assert (expected - untiled(model)).abs().max() > .01


def test_the_average_is_drawn_where_there_is_one(draw):
    model = make_model(
        'csg', ema_config=dict(type='ExponentialMovingAverage', momentum=.1))
    image, _ = draw(model)
    expected = untiled(model)
    assert (expected - untiled(model, sample_model='orig')).abs().max() > .01
    torch.testing.assert_close(image, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize('head', ['csg', 'context'])
@pytest.mark.parametrize('stage', [0, 1])
def test_last_scale_is_the_last_one_trained(head, stage, draw):
    model = make_model(head)
    model.curr_stage = stage
    image, _ = draw(model, tile=23)
    torch.testing.assert_close(image, untiled(model), atol=1e-4, rtol=0)


def test_tiff(tmp_path):
    tifffile = pytest.importorskip('tifffile')
    model = make_model('csg')
    png = draw_tiled(model, tmp_path / 'new' / 'a.png', SIZE, SEED)
    tiff = draw_tiled(model, tmp_path / 'new' / 'a.tif', SIZE, SEED, tile=17)
    difference = np.asarray(Image.open(png)).astype(int) - tifffile.imread(
        tiff)
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError(28, 'Full')])
@pytest.mark.parametrize('stage', [1, 2])
def test_a_failure_leaves_nothing(error, stage, monkeypatch, tmp_path):
    path = tmp_path / 'a.png'
    path.write_text('old')
    original = singan_tiles._Scales.draw

    def fail(self, current, coarser, rows, cols):
        if current == stage and rows.start > 0:
            raise error
        return original(self, current, coarser, rows, cols)

    monkeypatch.setattr(singan_tiles._Scales, 'draw', fail)
    with pytest.raises(type(error) if isinstance(error, OSError) else error):
        draw_tiled(make_model('csg'), path, SIZE, SEED, tile=16)
    assert os.listdir(tmp_path) == ['a.png']
    assert path.read_text() == 'old'


@pytest.mark.parametrize('head, options, message', [
    ('csg', dict(path='a.jpg'), r'must end with one of .png, .tif, .tiff'),
    ('csg', dict(size=(2, 90)), r'`size` must be at least 4 x 4'),
    ('reflect-pad', dict(size=(9, 90)),
     'scale 0 must have more than 5 cells, but would have 4'),
    ('csg', dict(tile=9), r'`tile` must be at least 10 .* but got 9'),
    ('csg', dict(start_scale=3), r'must be from 0 to 2 .* but got 3'),
    ('csg', dict(start_scale=-1), r'must be from 0 to 2 .* but got -1'),
    ('csg', dict(seed=-1), '`seed` must be between 0 and'),
    ('zero-pad', dict(positions=lambda rows, cols: torch.zeros(2, 1, 1)),
     'no explicit positions'),
])
def test_bad_options(head, options, message, tmp_path):
    options = {**dict(path='a.png', size=SIZE, seed=SEED), **options}
    path = tmp_path / 'new' / options.pop('path')
    with pytest.raises(ValueError, match=message):
        draw_tiled(make_model(head), path, **options)
    assert not os.listdir(tmp_path)


def test_disk_is_too_small(monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, 'disk_usage',
                        lambda _: namedtuple('Usage', 'free')(5 * 10**9))
    with pytest.raises(OSError, match='needs up to .* GB of free .* has 5 '):
        draw_tiled(
            make_model('csg'), tmp_path / 'new' / 'a.png', (40000, 30000), 0)
    assert not os.listdir(tmp_path)
