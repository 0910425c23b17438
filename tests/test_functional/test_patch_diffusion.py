"""The denoiser in closed form against slow computations in float64."""
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmpe.functional import patch_diffusion as P
from mmpe.functional.patch_diffusion import blending, posterior, search
from mmpe.functional.upsample import upsample, upsample_window

PATCH, STD = 3, 0.8


def random_image(height, width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator) * 2 - 1


def random_prior(places, num_patches, seed=1):
    """Positions of places and patches, by a Gaussian around each place."""
    generator = torch.Generator().manual_seed(seed)
    told = 3 * torch.rand(*places, 2, generator=generator)
    own = 3 * torch.rand(num_patches, 2, generator=generator)
    prior = P.PatchPrior(told, own, -own.square().sum(1) / 2)
    return prior, told, own


def own_matches(height, width):
    return torch.stack(
        torch.meshgrid(
            torch.arange(height), torch.arange(width), indexing='ij'))


def as_pixels(image):
    return F.pad(image[0].permute(1, 2, 0), (0, 1)).contiguous()


def patches_of(image, size):
    """All patches (H', W', 3, P, P) of a float64 array (3, H, W)."""
    height, width = image.shape[1:]
    return np.array([[
        image[:, y:y + size, x:x + size] for x in range(width - size + 1)
    ] for y in range(height - size + 1)])


def window_of(size, std):
    taps = np.arange(size) - (size - 1) / 2
    window = np.exp(-(taps[:, None]**2 + taps**2) / (2 * std**2))
    return window / window.sum()


def slow_mean(image, photograph, sigma, told=None, own=None):
    """The formula of the module, place by place."""
    queries = patches_of(image[0].double().numpy(), PATCH)
    keys = patches_of(photograph[0].double().numpy(), PATCH)
    keys = keys.reshape(-1, 3, PATCH, PATCH)
    window = window_of(PATCH, STD)
    total, norm = np.zeros(image.shape[1:]), np.zeros(image.shape[2:])
    best = np.zeros(queries.shape[:2], int)
    for y, x in itertools.product(*map(range, best.shape)):
        off = np.array([
            ((queries[y, x] - (1 - sigma) * key)**2).sum() for key in keys
        ])
        logits = -off / (2 * sigma**2)
        if told is not None:
            logits -= ((own - told[y, x])**2).sum(1).double().numpy() / 2
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        best[y, x] = weights.argmax()
        mean = sum(w * key for w, key in zip(weights, keys))
        total[:, y:y + PATCH, x:x + PATCH] += window * mean
        norm[y:y + PATCH, x:x + PATCH] += window
    return total / norm, best


# -- posterior mean --


@pytest.mark.parametrize('with_prior', [False, True])
@pytest.mark.parametrize('sigma', [0, .1, .4, .8, 1])
def test_posterior_mean_is_its_formula(sigma, with_prior):
    photograph, image = random_image(6, 7), random_image(5, 8, 2)
    prior, told, own = random_prior((3, 6), 20)
    if not with_prior:
        prior = told = own = None
    estimate, best = P.posterior_mean(image, P.all_patches(photograph, PATCH),
                                      PATCH, sigma, STD, prior)
    expected, expected_best = slow_mean(image, photograph, max(sigma, 1e-3),
                                        told, own)
    assert np.abs(estimate[0].numpy() - expected).max() < 1e-4
    if sigma < 1 or with_prior:
        assert (best.numpy() == expected_best).all()


@pytest.mark.parametrize('with_prior', [False, True])
@pytest.mark.parametrize('sigma', [.1, .4, 1])
def test_the_fused_mean_is_the_same(sigma, with_prior):
    patches = P.all_patches(random_image(6, 7), PATCH)
    queries = P.all_patches(random_image(5, 8, 2), PATCH)
    prior = random_prior((3, 6), 20)[0] if with_prior else None
    features = prior.queries.flatten(0, 1) if with_prior else None
    factor = (1 - sigma) / sigma**2
    bias = patches.square().sum(1) * (-(1 - sigma) * factor / 2)
    if with_prior:
        bias = bias + prior.bias
    arguments = (factor * queries, features, patches, prior, bias)
    expected, _ = posterior._attend(*arguments)
    torch.testing.assert_close(
        posterior._attend_fused(*arguments), expected, atol=1e-4, rtol=1e-4)


def test_best_patches_are_not_always_wanted():
    image, patches = random_image(9, 8), P.all_patches(random_image(6, 7), 3)
    expected, _ = P.posterior_mean(image, patches, PATCH, .3, STD)
    estimate, best = P.posterior_mean(
        image, patches, PATCH, .3, STD, want_best=False)
    assert best is None
    torch.testing.assert_close(estimate, expected)


@pytest.mark.parametrize('with_prior', [False, True])
def test_posterior_mean_in_blocks(monkeypatch, with_prior):
    photograph, image = random_image(6, 7), random_image(9, 8, 2)
    prior = random_prior((7, 6), 20)[0] if with_prior else None
    arguments = (image, P.all_patches(photograph, PATCH), PATCH, .3, STD,
                 prior)
    estimate, best = P.posterior_mean(*arguments)
    for rows in (1, 2, 3):
        monkeypatch.setattr(posterior, 'BLOCK_LOGITS', rows * 20 * 6)
        blocked, blocked_best = P.posterior_mean(*arguments)
        torch.testing.assert_close(blocked, estimate)
        assert (blocked_best == best).all()


def test_the_mean_of_noise_is_that_of_all_patches():
    photograph = random_image(6, 7)
    patches = P.all_patches(photograph, PATCH)
    estimate, _ = P.posterior_mean(random_image(PATCH, PATCH, 3), patches,
                                   PATCH, 1, STD)
    torch.testing.assert_close(
        estimate.flatten(), patches.mean(0), atol=1e-6, rtol=0)


def test_a_sharp_prior_decides():
    photograph = random_image(6, 7)
    patches = P.all_patches(photograph, PATCH)
    number = torch.arange(20.)[:, None]
    told = torch.tensor([[[7.]]])
    prior = P.PatchPrior(100 * told, number, -50 * number[:, 0]**2)
    estimate, best = P.posterior_mean(random_image(PATCH, PATCH, 3), patches,
                                      PATCH, 1, STD, prior)
    assert best.tolist() == [[7]]
    torch.testing.assert_close(
        estimate.flatten(), patches[7], atol=1e-5, rtol=0)


def test_a_photograph_without_noise_is_itself():
    photograph = random_image(9, 8)
    estimate, best = P.posterior_mean(
        photograph, P.all_patches(photograph, PATCH), PATCH, 0, STD)
    torch.testing.assert_close(estimate, photograph, atol=1e-4, rtol=0)
    assert (best.flatten() == torch.arange(42)).all()


def test_all_patches_row_by_row():
    photograph = random_image(5, 6)
    expected = patches_of(photograph[0].numpy(), PATCH)
    assert (P.all_patches(photograph, PATCH).numpy() == expected.reshape(
        12, -1)).all()


# -- filters --


@pytest.mark.parametrize('length, std', [(3, .7), (7, 2)])
def test_gaussian_kernel_values(length, std):
    expected = np.exp(-(np.arange(length) - length // 2)**2 / (2 * std**2))
    np.testing.assert_allclose(
        P.gaussian_kernel(length, std), expected / expected.sum(), rtol=1e-5)


@pytest.mark.parametrize('std', [.3, 1, 6])
def test_gaussian_blur_keeps_constants(std):
    image = torch.tensor([.5, -2, 3]).view(1, 3, 1, 1).expand(2, 3, 8, 9)
    torch.testing.assert_close(P.gaussian_blur(image, std), image)


def test_gaussian_blur_of_a_point_is_the_kernel():
    image = torch.zeros(1, 1, 15, 15)
    image[..., 7, 7] = 1
    kernel = P.gaussian_kernel(11, 2)
    expected = torch.zeros(15, 15)
    expected[2:13, 2:13] = torch.outer(kernel, kernel)
    torch.testing.assert_close(P.gaussian_blur(image, 2)[0, 0], expected)


# -- principal components --


@pytest.mark.parametrize('num', [1, 5, 27, 90])
def test_principal_patches_are_those_of_numpy(num):
    image = random_image(9, 11)
    basis = P.principal_patches(image, PATCH, num)
    kept = min(num, 27)
    assert basis.shape == (kept, 3, PATCH, PATCH)
    flat = basis.flatten(1).double().numpy()
    np.testing.assert_allclose(flat @ flat.T, np.eye(kept), atol=1e-5)
    samples = P.all_patches(image, PATCH).double().numpy()
    rows = np.linalg.svd(samples - samples.mean(0))[2][:kept]
    np.testing.assert_allclose(flat.T @ flat, rows.T @ rows, atol=1e-3)


def test_principal_patches_of_some_patches(monkeypatch):
    image = P.gaussian_blur(random_image(30, 32), 1)
    every = P.principal_patches(image, PATCH, 3).flatten(1)
    # a step of 5 would see each sixth column alone
    monkeypatch.setattr(search, '_MAX_SAMPLES', 840 // 5)
    some = P.principal_patches(image, PATCH, 3).flatten(1)
    overlap = torch.linalg.svdvals(some @ every.t())
    assert overlap.min() > .9


# -- matches --


def slow_nearest(queries, table, corners, radius):
    num_rows, num_cols = table.shape[:2]
    result = np.zeros((2, *queries.shape[:2]), int)
    for y, x in itertools.product(*map(range, queries.shape[:2])):
        rows, cols = range(num_rows), range(num_cols)
        if corners is not None:
            row, col = corners[:, y, x].tolist()
            rows, cols = ({
                min(max(i, 0), length - 1)
                for i in range(middle - radius, middle + radius + 1)
            } for middle, length in ((row, num_rows), (col, num_cols)))
        result[:, y, x] = max(
            itertools.product(rows, cols),
            key=lambda i: float(table[i].double() @ queries[y, x].double()))
    return result


@pytest.mark.parametrize('radius', [0, 1, 3])
@pytest.mark.parametrize('block', [2**20, 100])
def test_nearest_corners_within_a_window(monkeypatch, radius, block):
    monkeypatch.setattr(search, '_BLOCK_CANDIDATES', block)
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(5, 6, 4, generator=generator)
    table = torch.randn(7, 8, 4, generator=generator)
    corners = torch.stack(
        (torch.randint(-2, 9, (5, 6), generator=generator),
         torch.randint(-2, 10, (5, 6), generator=generator)))
    corners[:, 0, :2] = torch.tensor([[0, 6], [0, 7]])  # two of the borders
    found = P.nearest_corners(queries, table, corners, radius)
    assert found.dtype == torch.int64
    assert (found.numpy() == slow_nearest(queries, table, corners,
                                          radius)).all()


@pytest.mark.parametrize('block', [2**22, 60])
def test_nearest_corners_anywhere(monkeypatch, block):
    monkeypatch.setattr(search, 'BLOCK_LOGITS', block)
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(5, 6, 4, generator=generator)
    table = torch.randn(7, 8, 4, generator=generator)
    found = P.nearest_corners(queries, table, None, 1)
    assert (found.numpy() == slow_nearest(queries, table, None, 1)).all()


@pytest.mark.parametrize('patch_size', [3, 5])
def test_corners_are_matches_and_back(patch_size):
    generator = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 9, (2, 6, 7), generator=generator)
    matches = P.corners_to_matches(corners, patch_size)
    assert matches.shape == (2, 5 + patch_size, 6 + patch_size)
    assert (P.matches_to_corners(matches, patch_size) == corners).all()


@pytest.mark.parametrize('patch_size', [3, 5])
def test_matches_at_the_border_are_beside_the_nearest(patch_size):
    generator = torch.Generator().manual_seed(0)
    corners = torch.randint(0, 9, (2, 3, 4), generator=generator)
    matches = P.corners_to_matches(corners, patch_size)
    half = patch_size // 2
    for y, x in itertools.product(*map(range, matches.shape[1:])):
        # corner of the patch that has the pixel nearest to its middle
        row, col = min(max(y - half, 0), 2), min(max(x - half, 0), 3)
        expected = corners[:, row, col] + torch.tensor([y - row, x - col])
        assert matches[:, y, x].tolist() == expected.tolist()


def test_copies_have_their_own_matches():
    corners = own_matches(5, 6)
    assert (P.corners_to_matches(corners, 5) == own_matches(9, 10)).all()


@pytest.mark.parametrize('std, radius', [(.5, 1), (1, 2), (1.7, 3)])
def test_votes_within_the_image(std, radius):
    image = random_image(9, 10)
    generator = torch.Generator().manual_seed(0)
    matches = torch.stack(
        (torch.randint(0, 9, (11, 12), generator=generator),
         torch.randint(0, 10, (11, 12), generator=generator)))
    got = P.vote(as_pixels(image), matches, std)
    assert got.shape == (1, 3, 11, 12)
    window = window_of(2 * radius + 1, std)
    photograph = image[0].double().numpy()
    for y, x in itertools.product(
            range(radius, 11 - radius), range(radius, 12 - radius)):
        mean = np.zeros(3)
        for i, j in itertools.product(range(-radius, radius + 1), repeat=2):
            # the patch of the neighbour, at this pixel
            row, col = matches[:, y + i, x + j].tolist()
            row, col = min(max(row - i, 0), 8), min(max(col - j, 0), 9)
            mean += window[radius + i, radius + j] * photograph[:, row, col]
        assert got[0, :, y, x].numpy() == pytest.approx(mean, abs=1e-5)


@pytest.mark.parametrize('top, left', [(0, 0), (3, 4)])
def test_copies_vote_for_the_photograph(top, left):
    image = random_image(14, 16)
    matches = own_matches(11, 12) + torch.tensor([top, left])[:, None, None]
    expected = image[..., top:top + 11, left:left + 12]
    got = P.vote(as_pixels(image), matches, 1)
    torch.testing.assert_close(got[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2])


# -- tones --


def test_matched_steps_of_a_copy_are_those_of_the_photograph():
    image = random_image(7, 8)
    down, right = P.matched_steps(
        as_pixels(image), own_matches(7, 8), torch.zeros_like(image), 9)
    torch.testing.assert_close(down, image.diff(dim=2))
    torch.testing.assert_close(right, image.diff(dim=3))


def test_matched_steps_of_any_matches():
    image, drawn = random_image(7, 8), random_image(5, 6, 1)
    limit = .8
    generator = torch.Generator().manual_seed(0)
    matches = torch.stack(
        (torch.randint(-1, 9, (5, 6), generator=generator),
         torch.randint(-1, 10, (5, 6), generator=generator)))

    def colour(place, y=0, x=0):
        row, col = place.tolist()
        return image[0, :, min(max(row + y, 0), 6), min(max(col + x, 0), 7)]

    steps = P.matched_steps(as_pixels(image), matches, drawn, limit)
    changed = 0
    for got, (y, x) in zip(steps, ((1, 0), (0, 1))):
        for row, col in itertools.product(*map(range, got.shape[2:])):
            here, there = matches[:, row, col], matches[:, row + y, col + x]
            expected = (colour(here, y, x) - colour(here) + colour(there) -
                        colour(there, -y, -x)) / 2
            step = drawn[0, :, row + y, col + x] - drawn[0, :, row, col]
            if (expected - step).abs().max() >= limit:
                expected = step
            else:
                changed += 1
            torch.testing.assert_close(got[0, :, row, col], expected)
    assert 0 < changed < 49


def dense_steps(height, width):
    """Matrices of the differences of neighbours, down and right."""
    number = np.arange(height * width).reshape(height, width)
    rows = []
    for first, second in ((number[:-1], number[1:]),
                          (number[:, :-1], number[:, 1:])):
        for a, b in zip(first.ravel(), second.ravel()):
            row = np.zeros(height * width)
            row[a], row[b] = -1, 1
            rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize('weight', [.01, .3])
@pytest.mark.parametrize('share', [.5, 1])
def test_screened_poisson_is_the_least_squares_solution(weight, share):
    height, width = 6, 7
    image = random_image(height, width)
    down, right = random_image(5, 7, 1), random_image(6, 6, 2)
    mask = random_image(height, width, 3)[:, :1] < 2 * share - 1
    got = P.screened_poisson(image, down, right, mask, weight)
    assert (got[(~mask).expand_as(got)] == image[(~mask).expand_as(got)]).all()

    free = mask.flatten().numpy()
    matrix = dense_steps(height, width)
    for channel in range(3):
        colours = image[0, channel].double().numpy().ravel()
        steps = np.concatenate(
            [x[0, channel].double().numpy().ravel() for x in (down, right)])
        rows = np.concatenate((matrix[:, free],
                               weight**.5 * np.eye(len(free))[:, free]))
        values = np.concatenate((steps - matrix[:, ~free] @ colours[~free],
                                 weight**.5 * colours * free))
        expected = colours.copy()
        expected[free] = np.linalg.lstsq(rows, values, rcond=None)[0]
        # conjugate gradients stop at a thousandth of the residual
        assert np.abs(got[0, channel].numpy().ravel() - expected).max() < .02


def test_screened_poisson_with_its_own_steps_is_the_image():
    image = random_image(6, 7)
    mask = torch.ones(1, 1, 6, 7, dtype=torch.bool)
    got = P.screened_poisson(image, image.diff(dim=2), image.diff(dim=3), mask,
                             .01)
    assert (got == image).all()


def test_screened_poisson_takes_out_a_step():
    image = torch.zeros(1, 3, 8, 40)
    image[..., 20:] = .2
    mask = torch.ones(1, 1, 8, 40, dtype=torch.bool)
    mask[..., :5] = mask[..., -5:] = False
    got = P.screened_poisson(image, torch.zeros(1, 3, 7, 40),
                             torch.zeros(1, 3, 8, 39), mask, 1e-3)
    # what is left of the step is spread over all free pixels
    assert got.diff(dim=3).abs().max() < .02
    assert (got[..., :5] == 0).all() and (got[..., -5:] == .2).all()


# -- membrane --


def some_known(height, width):
    known = torch.zeros(height, width, dtype=torch.bool)
    known[0, :3] = known[-1, -2:] = known[4, 5] = True
    return known


def test_a_membrane_of_a_constant_is_constant():
    known = some_known(9, 11)
    wanted = torch.zeros_like(known)
    wanted[2:7] = True
    values = torch.tensor([1., -2]).view(2, 1, 1).expand(2, 9, 11)
    result = P.membrane(values, known, wanted, math.inf)
    assert result.shape == (2, 9, 11)
    torch.testing.assert_close(result, values * wanted)


@pytest.mark.parametrize('reach', [2, 9, math.inf])
def test_a_membrane_is_a_mean_by_inverse_cubes(monkeypatch, reach):
    known, wanted = some_known(9, 11), torch.ones(9, 11, dtype=torch.bool)
    wanted[3] = False
    values = random_image(9, 11)[0]
    places = known.nonzero().double()
    expected = torch.zeros(3, 9, 11, dtype=torch.float64)
    for y, x in wanted.nonzero().tolist():
        far = (places - torch.tensor([y, x])).norm(dim=1).clamp(min=.5)
        weights = far**-3 / ((far**-3).sum() + 2 / reach**2)
        expected[:, y, x] = values[:, known].double() @ weights
    for block in (2**22, 13):
        monkeypatch.setattr(blending, '_BLOCK_WEIGHTS', block)
        result = P.membrane(values, known, wanted, reach)
        torch.testing.assert_close(
            result.double(), expected, atol=1e-5, rtol=0)


def test_a_membrane_between_two_edges_rises_from_one_to_the_other():
    known = torch.zeros(21, 11, dtype=torch.bool)
    known[:, 0] = known[:, -1] = True
    values = torch.zeros(1, 21, 11)
    values[..., -1] = 1
    row = P.membrane(values, known, ~known, math.inf)[0, 10, 1:-1]
    assert (row.diff() > 0).all()
    assert row[4] == pytest.approx(.5, abs=1e-5)
    # flat at the edges, steeper in the middle than a straight line
    assert (row - torch.arange(1, 10) / 10).abs().max() < .2


@pytest.mark.parametrize('reach', [3, 8])
def test_a_membrane_fades_to_a_half_at_its_reach(reach):
    known = torch.zeros(201, 20, dtype=torch.bool)
    known[:, 0] = True
    row = P.membrane(torch.ones(1, 201, 20), known, ~known, reach)[0, 100]
    assert row[reach] == pytest.approx(.5, abs=.01)
    assert (row[1:].diff() < 0).all()


def test_a_membrane_is_near_what_is_known_beside_it():
    known = torch.zeros(9, 9, dtype=torch.bool)
    known[0] = known[-1] = known[:, 0] = known[:, -1] = True
    values = random_image(9, 9)[0]
    result = P.membrane(values, known, known, 6)
    assert (result - values * known).abs().max() < .6
    assert (result * ~known == 0).all()


@pytest.mark.parametrize('known, wanted', [(False, True), (True, False)])
def test_a_membrane_of_nothing(known, wanted):
    masks = [torch.full((4, 5), x) for x in (known, wanted)]
    assert (P.membrane(torch.ones(2, 4, 5), *masks, 6) == 0).all()


# -- resizing without aligned corners --


@pytest.mark.parametrize('size, new_size', [
    ((7, 9), (13, 20)), ((7, 9), (7, 9)), ((6, 5), (11, 31)), ((13, 9),
                                                               (8, 5))])
def test_windows_of_what_torch_enlarges(size, new_size):
    x = random_image(*size)
    expected = F.interpolate(
        x, new_size, mode='bicubic', align_corners=False)
    torch.testing.assert_close(
        upsample(x, new_size, align_corners=False), expected)
    seen = []

    def read(rows, cols):
        seen.append((rows, cols))
        return x[..., rows.start:rows.stop, cols.start:cols.stop]

    for rows, cols in itertools.product(
            (range(new_size[0]), range(2, 6), range(new_size[0] - 1,
                                                    new_size[0])),
            (range(new_size[1]), range(3, 5), range(1))):
        window = upsample_window(read, size, new_size, rows, cols, False)
        torch.testing.assert_close(
            window,
            expected[..., rows.start:rows.stop, cols.start:cols.stop],
            atol=1e-5,
            rtol=0)
    assert all(0 <= r.start < r.stop <= size[0] and 0 <= c.start < c.stop <=
               size[1] for r, c in seen)
