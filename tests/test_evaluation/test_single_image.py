"""Figures of one photograph's model: values, and what they mean."""
import numpy as np
import pytest
import torch
from skimage import data
from skimage.metrics import (peak_signal_noise_ratio, structural_similarity)
from skimage.transform import downscale_local_mean, resize

from mmpe.evaluation import image_patches as P
from mmpe.evaluation import single_image as S


def _shrink(image, height, width):
    image = resize(image, (height, width), anti_aliasing=True)
    return np.round(image * 255).astype(np.uint8)


@pytest.fixture(scope='module')
def photograph():
    return _shrink(data.coffee(), 64, 96)


@pytest.fixture(scope='module')
def other():
    return _shrink(data.astronaut(), 64, 96)


def _noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _rough(image, sigma, seed=0):
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return (image + noise).round().clip(0, 255).astype(np.uint8)


# -- reconstruction --


def test_reconstruction_matches_skimage(photograph):
    image = _rough(photograph, 20)
    expected = dict(
        PSNR=peak_signal_noise_ratio(photograph, image),
        SSIM=structural_similarity(
            photograph, image, channel_axis=2, gaussian_weights=True,
            use_sample_covariance=False, data_range=255))
    got = S.reconstruction(image, photograph)
    assert got['PSNR'] == pytest.approx(expected['PSNR'], abs=1e-4)
    # skimage weighs with windows that reach beyond the border as well
    assert got['SSIM'] == pytest.approx(expected['SSIM'], abs=5e-3)


def test_exact_reconstruction(photograph):
    got = S.reconstruction(photograph, photograph)
    assert got == dict(PSNR=np.inf, SSIM=pytest.approx(1))


def test_reconstruction_of_another_size(photograph):
    with pytest.raises(ValueError, match=r'same size, but got \(60, 96\) and '
                       r'\(64, 96\)'):
        S.reconstruction(photograph[:60], photograph)


# -- diversity --


def test_diversity_matches_its_definition(photograph):
    images = [_rough(photograph, 30, seed) for seed in range(4)]

    def intensity(image):
        return image @ np.array([.299, .587, .114])

    grey = [intensity(x) for x in images]
    total = 0.
    for row in range(64):
        for column in range(96):
            total += np.std([x[row, column] for x in grey])
    expected = total / (64 * 96) / np.std(intensity(photograph))
    assert S.diversity(images, photograph) == pytest.approx(
        expected, rel=1e-5)


def test_diversity_of_copies_and_of_unrelated_images(photograph):
    assert S.diversity([photograph] * 3,
                       photograph) == pytest.approx(0, abs=1e-6)
    pixels = photograph.reshape(-1, 3)
    shuffled = [
        np.random.default_rng(seed).permutation(pixels).reshape(
            photograph.shape) for seed in range(50)
    ]
    assert S.diversity(shuffled, photograph) == pytest.approx(1, abs=0.02)


# -- layout --


def test_layout_matches_block_means(photograph, other):
    # 8 x 12 cells of 8 x 8 pixels
    x, y = (downscale_local_mean(image.astype(float), (8, 8, 1))
            for image in (photograph, other))
    x, y = x - x.mean(axis=(0, 1)), y - y.mean(axis=(0, 1))
    expected = np.corrcoef(x.ravel(), y.ravel())[0, 1]
    assert S.layout_correlation(photograph, other) == pytest.approx(expected)


def test_layout_of_other_sizes_is_that_of_the_stretched_photograph(
        photograph):
    for size in ((64, 144), (128, 192), (40, 60)):
        assert S.layout_correlation(
            _shrink(photograph, *size), photograph) > 0.995
    # continued, and not stretched
    wider = np.concatenate([photograph, photograph[:, :48]], axis=1)
    assert S.layout_correlation(wider, photograph) < 0.7


def test_layout_means_layout(photograph):
    assert S.layout_correlation(photograph, photograph) == pytest.approx(1)
    darker = (photograph // 2 + np.array([9, 0, 40])).astype(np.uint8)
    assert S.layout_correlation(darker, photograph) > 0.999
    assert S.layout_correlation(255 - photograph,
                                photograph) == pytest.approx(-1)
    left = np.zeros_like(photograph)
    left[:, :48] = 200
    assert S.layout_correlation(left[:, ::-1], left) == pytest.approx(-1)
    assert S.layout_correlation(photograph[::-1, ::-1], photograph) < 0
    assert abs(S.layout_correlation(_noise((64, 96, 3)), photograph)) < 0.2


@pytest.mark.parametrize('size', [(64, 96), (77, 31)])
def test_layout_of_a_plain_area_is_0(photograph, size):
    plain = np.full((*size, 3), 113, np.uint8)
    assert S.layout_correlation(plain, photograph) == 0
    assert S.layout_correlation(photograph, plain) == 0


@pytest.mark.parametrize('cells', [-1, 0, 1, 65])
def test_layout_needs_sensible_cells(photograph, cells):
    with pytest.raises(ValueError, match='`cells` must be at least 2 and '
                       f'leave a pixel in each cell, but got {cells} for '
                       r'images of \(64, 96\)'):
        S.layout_correlation(photograph, photograph, cells)


# -- sliced Wasserstein distance --


def test_swd_of_copies_is_0(photograph):
    got = S.patch_swd([photograph] * 3, photograph, 16)
    assert got == {'1/1': 0, '1/2': 0}


def test_swd_orders_images(photograph, other):
    def mean(*images):
        return np.mean(list(S.patch_swd(images, photograph, 64).values()))

    rough = [_rough(photograph, 8, seed) for seed in range(4)]
    noise = [_noise(photograph.shape, seed) for seed in range(4)]
    near, far, farthest = mean(*rough), mean(*[other] * 4), mean(*noise)
    assert 0 < near < far / 1.5
    assert far < farthest / 1.5


def test_swd_of_another_size_and_seed(photograph):
    wider = np.concatenate([photograph, photograph[:, ::-1]], axis=1)
    first = S.patch_swd([wider] * 4, photograph, 64, seed=0)
    assert list(first) == ['1/1', '1/2']
    assert first == S.patch_swd([wider] * 4, photograph, 64, seed=0)
    second = S.patch_swd([wider] * 4, photograph, 64, seed=1)
    assert first != second
    assert first['1/1'] == pytest.approx(second['1/1'], rel=0.6)


# -- nearest patches --


def _slow_nearest(patches, image, own_places=None):
    image = image[0].numpy().astype(float)
    found = []
    for i, patch in enumerate(patches.numpy().astype(float)):
        best = np.inf
        for y in range(image.shape[1] - 6):
            for x in range(image.shape[2] - 6):
                if own_places is not None:
                    own_y, own_x = own_places[i].tolist()
                    if abs(y - own_y) < 7 and abs(x - own_x) < 7:
                        continue
                window = image[:, y:y + 7, x:x + 7].ravel()
                best = min(best, np.linalg.norm(patch - window))
        found.append(best)
    return np.array(found)


@pytest.mark.parametrize('block', [1, 100, 10**6])
def test_nearest_patches_are_found(photograph, other, monkeypatch, block):
    monkeypatch.setattr(P, '_BLOCK', block)
    image = S.to_tensor(photograph[:24, :30])
    generator = torch.Generator().manual_seed(0)
    places = P._random_places(image, 6, generator)
    own = P._patches_at(image, places)
    for place, patch in zip(places.tolist(), own):
        window = photograph[place[0]:place[0] + 7, place[1]:place[1] + 7]
        assert (patch.reshape(3, 7, 7).numpy() == window.transpose(
            2, 0, 1)).all()
    np.testing.assert_allclose(
        P._nearest(own, image, places), _slow_nearest(own, image, places))
    patches = P._patches_at(S.to_tensor(other[:24, :30]), places)
    np.testing.assert_allclose(
        P._nearest(patches, image), _slow_nearest(patches, image))
    assert (P._nearest(own, image) == 0).all()


def test_copies_are_told_from_new_images(photograph, other):
    def match(image):
        return S.nearest_patches([image], photograph)

    copy = match(photograph)
    assert copy == {'1/1': (0, 1), '1/2': (0, 1)}
    unrelated = match(other)
    noise = match(_noise(photograph.shape))
    for level in ('1/1', '1/2'):
        assert unrelated[level].distance > 1.2
        assert unrelated[level].coverage < 0.3
        assert noise[level].distance > 1.2
        assert noise[level].coverage == 0


def test_what_is_left_out_is_not_covered(photograph):
    half = np.concatenate([photograph[:, :48]] * 2, axis=1)
    match = S.nearest_patches([half], photograph)['1/1']
    assert match.distance < 0.3  # all of it is copied, seam aside
    assert 0.4 < match.coverage < 0.8
    # each image counts alone
    mixed = S.nearest_patches([half, photograph], photograph)['1/1']
    assert match.coverage < mixed.coverage < 1
    assert mixed.distance < match.distance


def test_image_of_another_size(photograph):
    larger = np.pad(photograph, ((8, 8), (40, 0), (0, 0)), mode='reflect')
    match = S.nearest_patches([larger], photograph)
    assert match['1/1'].coverage == 1
    assert 0 < match['1/1'].distance < 0.6


# -- levels and errors --


@pytest.mark.parametrize('size, levels', [
    ((21, 90), 1), ((40, 50), 1), ((41, 50), 2), ((84, 112), 3),
    ((500, 400), 4)])
def test_levels_hold_three_patches(size, levels):
    names = S.level_names(size, (999, 999))
    assert names == ['1/1', '1/2', '1/4', '1/8'][:levels]


@pytest.mark.parametrize(
    'figure', [S.diversity, S.patch_swd, S.nearest_patches])
def test_bad_images(photograph, figure):
    two = [photograph, photograph]
    with pytest.raises(ValueError, match='at least . images, but got 0'):
        figure([], photograph)
    with pytest.raises(ValueError, match=r'same size, but got \(60, 96\) and '
                       r'\(64, 96\)'):
        figure([photograph, photograph[:60]], photograph)
    with pytest.raises(ValueError, match=r'`images` must be a uint8 array '
                       r'\(H, W, 3\), but got float64'):
        figure([photograph / 255] * 2, photograph)
    with pytest.raises(ValueError, match='`photograph` .* but got NoneType'):
        figure(two, None)
    with pytest.raises(ValueError, match='must not be of a single colour'):
        figure(two, np.full_like(photograph, 7))


@pytest.mark.parametrize('figure', [S.patch_swd, S.nearest_patches])
def test_small_images(photograph, figure):
    with pytest.raises(ValueError, match='at least 21 pixels .* but got 20'):
        figure([photograph[:20]], photograph)
