"""Distances against slow or independent computations."""
import math

import numpy as np
import pytest
import torch
from scipy import linalg
from scipy.stats import wasserstein_distance
from skimage.metrics import structural_similarity
from torch.nn import functional as F

from mmpe.functional import distances as D
from mmpe.functional.distances.sliced_wasserstein import _expand


def _features(num, width, seed, scale=1., shift=0.):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(width, width, generator=generator) / width**0.5
    return torch.randn(num, width, generator=generator) @ mix * scale + shift


# -- Frechet distance --


def _reference_frechet(real, fake):
    real, fake = real.double().numpy(), fake.double().numpy()
    cov1, cov2 = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = linalg.sqrtm(cov1 @ cov2)
    return (np.square(real.mean(0) - fake.mean(0)).sum() + np.trace(cov1) +
            np.trace(cov2) - 2 * np.trace(root).real)


def _frechet(real, fake):
    return D.frechet_distance(*D.feature_statistics(real),
                              *D.feature_statistics(fake))


@pytest.mark.parametrize('shift, scale', [(0., 1.), (3., 0.5), (0., 20.)])
def test_frechet_distance_matches_matrix_square_root(shift, scale):
    real = _features(300, 24, 0)
    fake = _features(200, 24, 1, scale, shift)
    assert _frechet(real, fake) == pytest.approx(
        _reference_frechet(real, fake), rel=1e-9)


def test_frechet_distance_of_diagonal_gaussians():
    sigma1, sigma2 = torch.tensor([1., 2., 3.]), torch.tensor([2., 2., 0.5])
    mean1, mean2 = torch.zeros(3), torch.tensor([1., 0., -1.])
    expected = 2 + (sigma1 - sigma2).square().sum().item()
    got = D.frechet_distance(mean1, sigma1.diag()**2, mean2,
                             sigma2.diag()**2)
    assert got == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_with_singular_covariances():
    # Fewer samples than features: the trace equals the nuclear norm of the
    # product of the centred features.
    real, fake = _features(10, 32, 0).double(), _features(12, 32, 1).double()
    a = (real - real.mean(0)) / 3
    b = (fake - fake.mean(0)) / math.sqrt(11)
    cross = torch.linalg.matrix_norm(a @ b.T, ord='nuc')
    expected = ((real.mean(0) - fake.mean(0)).square().sum() +
                a.square().sum() + b.square().sum() - 2 * cross)
    assert _frechet(real, fake) == pytest.approx(expected.item(), rel=1e-6)


def test_frechet_distance_of_a_set_to_itself_is_zero():
    real = _features(100, 16, 0)
    assert _frechet(real, real) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_matches_mmagic():
    from mmagic.evaluation.metrics.fid import FrechetInceptionDistance
    real, fake = _features(300, 24, 0), _features(200, 24, 1, 1.3, 0.2)
    stats = [
        value.numpy() for features in (fake, real)
        for value in D.feature_statistics(features)
    ]
    try:
        expected = FrechetInceptionDistance._calc_fid(*stats)[0]
    except TypeError as error:
        pytest.skip(f'MMagic cannot compute it with this SciPy: {error}')
    assert _frechet(real, fake) == pytest.approx(expected, rel=1e-5)


def test_feature_statistics_match_numpy():
    features = _features(50, 7, 3)
    mean, cov = D.feature_statistics(features)
    assert mean.dtype == cov.dtype == torch.float64
    np.testing.assert_allclose(mean, features.double().mean(0), rtol=1e-12)
    np.testing.assert_allclose(
        cov, np.cov(features.double(), rowvar=False), rtol=1e-10)


@pytest.mark.parametrize('features, message', [
    (torch.zeros(4), r'float32 or float64 tensor of shape \(N, C\)'),
    (torch.zeros(4, 3, dtype=torch.uint8), 'but got torch.uint8'),
    (torch.zeros(1, 3), 'at least 2 samples, but got 1'),
    (torch.full((4, 3), math.nan), 'must be finite'),
])
def test_feature_statistics_refuse(features, message):
    with pytest.raises(ValueError, match=message):
        D.feature_statistics(features)


def test_frechet_distance_refuses_other_sizes():
    mean, cov = D.feature_statistics(_features(20, 4, 0))
    with pytest.raises(ValueError, match=r'`mean2` must have the shape \(4,'):
        D.frechet_distance(mean, cov, mean[:3], cov)
    with pytest.raises(ValueError, match='`cov2` must be finite'):
        D.frechet_distance(mean, cov, mean, cov * math.inf)


# -- kernel distance --


def _reference_mmd(real, fake):
    kernel = lambda a, b: (float(a @ b) / len(a) + 1)**3  # noqa: E731
    real, fake = real.double(), fake.double()
    n, m = len(real), len(fake)
    total = sum(
        kernel(real[i], real[j])
        for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    total += sum(
        kernel(fake[i], fake[j])
        for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    cross = sum(kernel(a, b) for a in real for b in fake) / (n * m)
    return total - 2 * cross


def test_polynomial_mmd_matches_double_loop():
    real, fake = _features(9, 5, 0), _features(7, 5, 1, shift=0.5)
    assert D.polynomial_mmd(real, fake) == pytest.approx(
        _reference_mmd(real, fake), rel=1e-10)


def test_kernel_distance_of_whole_sets_is_mmd():
    real, fake = _features(30, 6, 0), _features(30, 6, 1, shift=0.3)
    mean, std = D.kernel_distance(real, fake, num_subsets=3, subset_size=30)
    assert mean == pytest.approx(D.polynomial_mmd(real, fake), rel=1e-9)
    assert std == pytest.approx(0, abs=1e-9)


def test_kernel_distance_is_unbiased_and_reproducible():
    real, fake = _features(400, 6, 0), _features(400, 6, 0)
    mean, std = D.kernel_distance(real, fake, 50, 40)
    assert abs(mean) < 3 * std / 50**0.5
    assert D.kernel_distance(real, fake, 50, 40) == (mean, std)
    assert D.kernel_distance(real, fake, 50, 40, seed=1) != (mean, std)


def test_kernel_distance_refuses_small_sets():
    real, fake = _features(30, 6, 0), _features(8, 6, 1)
    with pytest.raises(ValueError, match='`fake` must have at least 10 sam'):
        D.kernel_distance(real, fake, subset_size=10)
    with pytest.raises(ValueError, match='`num_subsets` must be at least 1'):
        D.kernel_distance(real, fake, num_subsets=0)
    with pytest.raises(ValueError, match='`subset_size` must be at least 2'):
        D.kernel_distance(real, fake, subset_size=1)
    with pytest.raises(ValueError, match='features, but got 6 and 5'):
        D.polynomial_mmd(real, fake[:, :5])


def test_distances_match_torch_fidelity():
    pytest.importorskip('torch_fidelity')
    from torch_fidelity.metric_fid import fid_statistics_to_metric
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import KEY_METRIC_PRECISION
    from torch_fidelity.metric_prc import KEY_METRIC_RECALL
    from torch_fidelity.metric_prc import prc_features_to_metric
    real, fake = _features(90, 16, 0), _features(80, 16, 1, 1.2, 0.3)
    stats = [
        dict(mu=mean.numpy(), sigma=cov.numpy())
        for mean, cov in map(D.feature_statistics, (real, fake))
    ]
    fid = fid_statistics_to_metric(*stats, verbose=False)
    assert _frechet(real, fake) == pytest.approx(
        list(fid.values())[0], rel=1e-6)
    # Subsets as large as the set: whatever is drawn, the value is the same.
    kid = kid_features_to_metric(
        real[:80], fake, kid_subsets=1, kid_subset_size=80, verbose=False)
    assert D.polynomial_mmd(real[:80], fake) == pytest.approx(
        kid[KEY_METRIC_KID_MEAN], rel=1e-5)
    prc = prc_features_to_metric(
        fake, real, prc_neighborhood=3, prc_batch_size=32, verbose=False)
    precision, recall = D.precision_recall(real, fake, 3)
    assert precision == pytest.approx(prc[KEY_METRIC_PRECISION])
    assert recall == pytest.approx(prc[KEY_METRIC_RECALL])


# -- precision and recall --


def _reference_radii(features, k):
    features = features.double()
    squared = (features[:, None] - features).square().sum(-1)
    return squared.sort(dim=1).values[:, k]  # column 0 is the sample itself


def _reference_share(probes, manifold, k):
    squared = (probes.double()[:, None] - manifold.double()).square().sum(-1)
    inside = squared <= _reference_radii(manifold, k)
    return inside.any(dim=1).double().mean().item()


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('tile_size', [1, 7, 64, 1000])
def test_precision_recall_match_brute_force(tile_size, dtype):
    real = _features(61, 9, 0).to(dtype)
    fake = _features(53, 9, 1, 1.4, 0.3).to(dtype)
    for k in (1, 3, 5):
        np.testing.assert_allclose(
            D.neighbour_radii(real, k, tile_size),
            _reference_radii(real, k),
            rtol=1e-12)
        precision, recall = D.precision_recall(real, fake, k, tile_size)
        assert precision == pytest.approx(_reference_share(fake, real, k))
        assert recall == pytest.approx(_reference_share(real, fake, k))


def test_precision_recall_are_exact_far_from_the_origin():
    # Small differences of large numbers: float16 radii, and a float32 matrix
    # product without care, cannot tell these samples apart.
    real = _features(40, 8, 0) * 1e-3 + 100
    fake = _features(40, 8, 1) * 1e-3 + 100
    precision, recall = D.precision_recall(real, fake, 3)
    assert precision == _reference_share(fake, real, 3)
    assert recall == _reference_share(real, fake, 3)
    assert 0 < precision < 1


def test_points_on_the_surface_are_inside():
    # Integer coordinates: all distances are exact, and every fake lies
    # exactly on the surface of a ball of radius 1.
    real = torch.tensor([[0., 0.], [1., 0.], [10., 0.], [11., 0.]])
    fake = torch.tensor([[0., 1.], [1., -1.], [10., 1.], [13., 0.]])
    precision, _ = D.precision_recall(real, fake, k=1, tile_size=2)
    assert precision == 0.75


def test_mode_collapse_has_high_precision_and_low_recall():
    real = _features(200, 4, 0)
    collapsed = real[:1] + 1e-3 * _features(200, 4, 1)
    precision, recall = D.precision_recall(real, collapsed)
    assert precision == 1
    assert recall < 0.05
    assert D.precision_recall(collapsed, real) == (recall, precision)


def test_same_set_and_distant_set():
    real = _features(50, 4, 0)
    assert D.precision_recall(real, real.clone()) == (1, 1)
    assert D.precision_recall(real, real + 1000) == (0, 0)


def test_constant_features():
    assert D.precision_recall(torch.ones(9, 3), torch.ones(8, 3)) == (1, 1)


@pytest.mark.parametrize('real, fake, k, message', [
    (torch.zeros(3, 4), torch.zeros(9, 4), 3, '`real` must have at least 4'),
    (torch.zeros(9, 4), torch.zeros(2, 4), 3, '`fake` must have at least 4'),
    (torch.zeros(9, 4), torch.zeros(9, 5), 3, 'got 4 and 5'),
    (torch.zeros(9, 4), torch.zeros(9, 4), 0, 'must be at least 1'),
    (torch.zeros(9, 4).half(), torch.zeros(9, 4), 3, 'got torch.float16'),
])
def test_precision_recall_refuse(real, fake, k, message):
    with pytest.raises(ValueError, match=message):
        D.precision_recall(real, fake, k)


# -- structural similarity --


def _images(num, height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(num, 3, 6, 6, generator=generator) * 255
    return F.interpolate(coarse, size=(height, width), mode='bicubic').clamp(
        0, 255)


@pytest.mark.parametrize('size', [(32, 32), (24, 40), (11, 11)])
def test_ssim_matches_scikit_image(size):
    x = _images(3, *size)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    y = (x + 20 * noise).clamp(0, 255)
    expected = [
        structural_similarity(
            a.numpy(),
            b.numpy(),
            data_range=255,
            channel_axis=0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False)
        for a, b in zip(x.double(), y.double())
    ]
    np.testing.assert_allclose(D.ssim(x, y), expected, rtol=1e-4)


def test_self_ssim_compares_at_the_smaller_size():
    small, large = _images(2, 16, 24), _images(2, 32, 48)
    shrunk = F.interpolate(
        large, size=(16, 24), mode='bilinear', antialias=True)
    torch.testing.assert_close(
        D.self_ssim(small, large), D.ssim(small, shrunk))
    torch.testing.assert_close(
        D.self_ssim(large, small), D.self_ssim(small, large))


def test_self_ssim_of_one_picture_and_of_two():
    same = D.self_ssim(_images(2, 32, 32), _images(2, 64, 64))
    other = D.self_ssim(_images(2, 32, 32), _images(2, 64, 64, seed=1))
    assert same.min() > 0.95
    assert other.max() < 0.6
    torch.testing.assert_close(
        D.self_ssim(_images(2, 32, 32), _images(2, 32, 32)), torch.ones(2))


def test_ssim_refuses():
    x = _images(2, 16, 16)
    with pytest.raises(ValueError, match='must have the same shape'):
        D.ssim(x, x[:1])
    with pytest.raises(ValueError, match='at least 11 pixels'):
        D.ssim(x[..., :10], x[..., :10])
    with pytest.raises(ValueError, match=r'`y` must be .* \(N, C, H, W\)'):
        D.self_ssim(x, x[0])
    with pytest.raises(ValueError, match='`x` must be .*torch.uint8'):
        D.self_ssim(x.to(torch.uint8), x)


# -- sliced Wasserstein distance --


def test_sliced_wasserstein_distance_in_one_dimension():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 1, generator=generator).double()
    y = torch.randn(50, 1, generator=generator).double() * 2 + 1
    expected = wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())
    assert D.sliced_wasserstein_distance(x, y, 8) == pytest.approx(expected)


def test_sliced_wasserstein_distance_of_a_shift():
    # A shift v moves every projection by <v, d>; its mean over the sphere in
    # three dimensions is |v| / 2.
    x = _features(20, 3, 0)
    shift = torch.tensor([1., 2., 2.])
    got = D.sliced_wasserstein_distance(x, x + shift, 4000)
    assert got == pytest.approx(1.5, rel=0.05)
    assert D.sliced_wasserstein_distance(x, x.flip(0)) == 0


def test_sliced_wasserstein_distance_refuses():
    x = _features(8, 3, 0)
    with pytest.raises(ValueError, match='must have the same shape'):
        D.sliced_wasserstein_distance(x, x[:5])
    with pytest.raises(ValueError, match='`num_projections` must be at le'):
        D.sliced_wasserstein_distance(x, x, 0)


@pytest.mark.parametrize('size', [(32, 32), (21, 34)])
def test_laplacian_pyramid_can_be_collapsed(size):
    images = _images(2, *size)
    levels = D.laplacian_pyramid(images, 3)
    heights = [level.shape[-2] for level in levels]
    assert heights == [size[0], math.ceil(size[0] / 2),
                       math.ceil(size[0] / 4)]
    result = levels[-1]
    for level in reversed(levels[:-1]):
        result = level + _expand(result, level.shape[-2:])
    torch.testing.assert_close(result, images)


def test_laplacian_pyramid_of_a_constant_image_is_empty():
    levels = D.laplacian_pyramid(torch.full((1, 3, 32, 32), 7.), 3)
    torch.testing.assert_close(levels[2], torch.full((1, 3, 8, 8), 7.))
    # Away from the border, where the pattern of zeros is not mirrored.
    for level in levels[:2]:
        torch.testing.assert_close(
            level[..., 2:-2, 2:-2],
            torch.zeros_like(level[..., 2:-2, 2:-2]),
            rtol=0,
            atol=1e-5)


def test_patch_descriptors_are_patches_of_their_image():
    images = _images(3, 12, 15)
    generator = torch.Generator().manual_seed(0)
    patches = D.patch_descriptors(images, 5, 20, generator)
    assert patches.shape == (3, 20, 3, 5, 5)
    for image, found in zip(images, patches):
        every = image.unfold(1, 5, 1).unfold(2, 5, 1).permute(1, 2, 0, 3, 4)
        every = every.reshape(-1, 3, 5, 5)
        for patch in found:
            assert (every == patch).flatten(1).all(dim=1).any()
    again = D.patch_descriptors(images, 5, 20,
                                torch.Generator().manual_seed(0))
    torch.testing.assert_close(patches, again)


def test_patches_refuse_small_images():
    with pytest.raises(ValueError, match='at least 7 pixels'):
        D.patch_descriptors(torch.zeros(1, 3, 6, 9))
    with pytest.raises(ValueError, match='leave 3 pixels'):
        D.laplacian_pyramid(torch.zeros(1, 3, 8, 8), 4)
