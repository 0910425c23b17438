"""A photograph's patches as a model; nothing is trained."""
import math

import numpy as np
import pytest
import torch
from mmagic.structures import DataSample

from mmpe.functional.pyramid import pyramid_sizes
from mmpe.models.patch_diffusion.positions import position_features
from mmpe.models import PatchDiffusion
from mmpe.models.patch_diffusion.known import (KnownPixels, bounding_window,
                                               dilate, is_rigid, known_pyramid,
                                               match_tone, pixels_at, rims)
from mmpe.registry import MODELS, build_from

SIZE = (40, 56)
CSG, SPE = dict(type='CSG'), dict(type='SPE', embedding_dim=4)


def photograph(height=SIZE[0], width=SIZE[1]):
    """A red disc in the sky above rough ground; uint8 (H, W, 3)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    slope = (y / height)[..., None]
    sky = np.array([90, 140, 230]) + slope * np.array([60, 50, -40])
    ground = np.array([90, 120, 50]) + rng.normal(0, 18, (height, width, 1))
    image = np.where(slope < .6, sky, ground)
    disc = np.hypot(y - .3 * height, x - .3 * width) < .14 * height
    image[disc] = (220, 60, 40)
    image += rng.normal(0, 2, image.shape)
    return image.round().clip(0, 255).astype(np.uint8)


def model_cfg(**kwargs):
    return {
        **dict(
            type='PatchDiffusion',
            positions=CSG,
            patch_size=5,
            min_size=12,
            max_size=64),
        **kwargs
    }


def build(image=None, **kwargs):
    model = build_from(MODELS, model_cfg(**kwargs)).eval()
    model.set_photograph(photograph() if image is None else image)
    return model


def features_of(model, places, size):
    return position_features(model.encoding, places, size,
                             model.levels[0].size)


@pytest.fixture(scope='module')
def model():
    return build()


def similarity(first, second):
    """PSNR in dB of images in [-1, 1]."""
    return float(10 * torch.log10(4 / (first - second).square().mean()))


def redness(image):
    """Red less green of (..., 3, H, W): above 0.3 in the disc alone."""
    return image[..., 0, :, :] - image[..., 1, :, :]


# -- state --


def test_the_photograph_is_the_state(model):
    assert isinstance(model, PatchDiffusion)
    assert list(model.parameters()) == []
    assert (model.photograph.permute(1, 2, 0).numpy() == photograph()).all()
    assert model.pyramid_sizes == pyramid_sizes(SIZE, 12, 64, .5)
    assert [x.size for x in model.levels] == model.pyramid_sizes
    finest = (model.levels[-1].image[0] + 1) * 127.5
    torch.testing.assert_close(finest, model.photograph.float())


def test_large_photographs_are_reduced():
    large = photograph().repeat(3, 0).repeat(3, 1)
    model = build(large, max_size=56)
    assert model.photograph.shape == (3, *SIZE)
    middle = model.photograph[:, 2:-2, 2:-2].permute(1, 2, 0).numpy()
    # bicubic, not the mean of 3 x 3 pixels
    off = middle.astype(int) - photograph()[2:-2, 2:-2]
    assert np.abs(off).mean() < 6


def test_a_new_photograph_replaces_the_old_one():
    model = build()
    model.sample()
    model.set_photograph(photograph()[:, ::-1])
    expected = build(np.ascontiguousarray(photograph()[:, ::-1]))
    assert (model.sample(seed=1) == expected.sample(seed=1)).all()


def test_state_dicts(model):
    other = build_from(MODELS, model_cfg())
    other.load_state_dict(model.state_dict())
    assert (other.sample(seed=3) == model.sample(seed=3)).all()
    third = build(photograph(50, 44))
    third.sample()
    third.load_weights(dict(state_dict=model.state_dict(), meta={}))
    assert (third.sample(seed=3) == model.sample(seed=3)).all()
    third.load_weights(model.state_dict())
    assert third.pyramid_sizes == model.pyramid_sizes


@pytest.mark.parametrize('checkpoint', [
    dict(state_dict=dict(weight=torch.zeros(1))), dict(), [1]])
def test_checkpoints_without_a_photograph(checkpoint):
    with pytest.raises(ValueError, match='must have the photograph'):
        build().load_weights(checkpoint)


@pytest.mark.parametrize('image', [
    torch.zeros(3, 40, 50), torch.zeros(1, 40, 50, dtype=torch.uint8),
    torch.zeros(40, 50, dtype=torch.uint8)])
def test_checkpoints_with_another_photograph(image):
    with pytest.raises(ValueError, match=r'must be uint8 \(3, H, W\), but is'):
        build().load_weights(dict(photograph=image))


def test_checkpoints_with_a_small_photograph():
    image = torch.zeros(3, 11, 50, dtype=torch.uint8)
    with pytest.raises(ValueError, match='photograph is too small: it has 11'):
        build().load_weights(dict(photograph=image))


# -- arguments --


@pytest.mark.parametrize('arguments, message', [
    (dict(spread=0), r'`spread` must be above 0 .* but got \[0\]'),
    (dict(spread=(.1, -1)), '`spread` must be above 0'),
    (dict(spread=()), '`spread` must be above 0'),
    (dict(patch_size=4), '`patch_size` must be odd .* but got 4'),
    (dict(patch_size=1), '`patch_size` must be .* at least 3, but got 1'),
    (dict(min_size=6), '`min_size` must be at least .* got 6 and 5'),
    (dict(search='near'), "must be one of .*'local'.* but got 'near'"),
    (dict(search_radius=0), '`search_radius` must be at least 1, but got 0'),
    (dict(num_components=0), '`num_components` must be at least 1'),
    (dict(window_std=.4), '`window_std` must be from 0.5 to 4, but got 0.4'),
    (dict(window_std=5), '`window_std` must be from 0.5 to 4, but got 5'),
    (dict(sigmas=(.5, .5)), r'`sigmas` must decrease.*but got \[0.5, 0.5\]'),
    (dict(sigmas=(2, 1)), '`sigmas` must decrease, from at most 1'),
    (dict(fine_sigmas=(.5, -.1)), '`fine_sigmas` must decrease.*at least 0'),
    (dict(fine_sigmas=()), '`fine_sigmas` must decrease'),
    (dict(positions=dict(type='SPE', embedding_dim=3)), '`embedding_dim`'),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_from(MODELS, model_cfg(**arguments))


def test_photographs_that_are_too_small():
    with pytest.raises(ValueError, match='too small: it has 11 x 60 pixels'):
        build(photograph(11, 60))
    with pytest.raises(ValueError, match='80 .* within max_size=64'):
        build(photograph(14, 80))


def test_without_a_photograph():
    with pytest.raises(ValueError, match='no photograph: call'):
        build_from(MODELS, model_cfg()).sample()


@pytest.mark.parametrize('size', [(14, 56), (40, 14), (4, 4)])
def test_sizes_that_are_too_small(model, size):
    with pytest.raises(
            ValueError, match=f'at least 15 x 15 .*got {size[0]} x {size[1]}'):
        model.sample(size)


def test_bad_seeds(model):
    with pytest.raises(ValueError, match='`seed` must be between 0'):
        model.sample(seed=-1)


# -- sampling --


def test_a_seed_is_a_picture(model):
    first, second = model.sample(seed=1), model.sample(seed=2)
    assert first.shape == (1, 3, *SIZE) and first.abs().max() <= 1.01
    assert (model.sample(seed=1) == first).all()
    assert (first - second).abs().mean() > .03


@pytest.mark.parametrize('size', [(17, 17), (30, 90), (61, 41)])
@pytest.mark.parametrize('positions', [None, CSG, SPE])
def test_sizes(size, positions):
    image = build(positions=positions).sample(size, seed=1)
    assert image.shape == (1, 3, *size)
    assert image.isfinite().all() and image.abs().max() <= 1.01


@pytest.mark.parametrize('search', ['local', 'exact'])
@pytest.mark.parametrize('positions', [CSG, SPE])
def test_a_small_spread_draws_the_photograph(search, positions):
    model = build(positions=positions, spread=1e-3, search=search)
    image = model.sample(seed=4)
    # vote repeats the border, by which it is off there
    inner = (..., slice(3, -3), slice(3, -3))
    assert similarity(image[inner], model.levels[-1].image[inner]) > 40


def test_a_small_spread_keeps_the_layout():
    noises = [similarity(model.sample(seed=4), model.levels[-1].image)
              for model in (build(spread=(x, math.inf))
                            for x in (.001, .06, math.inf))]
    assert noises[0] > noises[1] > noises[2]
    assert noises[0] > 20


def test_an_infinite_spread_is_no_positions():
    expected = build(positions=None).sample(seed=2)
    assert (build(spread=math.inf).sample(seed=2) == expected).all()
    assert (expected - build().sample(seed=2)).abs().mean() > .03


def test_own_positions_are_the_default(model):

    def positions(rows, cols, stage):
        y, x = torch.meshgrid(
            torch.tensor(rows).float(),
            torch.tensor(cols).float(),
            indexing='ij')
        return torch.stack((y, x))

    told = [lambda rows, cols, i=i: positions(rows, cols, i)
            for i in range(len(model.levels))]
    image = model.sample(seed=2, positions=told)
    torch.testing.assert_close(image, model.sample(seed=2))


def test_told_positions_move_the_disc():
    model = build(spread=.02)

    def mirrored(size):

        def positions(rows, cols):
            y, x = torch.meshgrid(
                torch.tensor(rows).float(),
                size[1] - 1 - torch.tensor(cols).float(),
                indexing='ij')
            return torch.stack((y, x))

        return positions

    told = [mirrored(size) for size in model.pyramid_sizes]
    disc = redness(model.levels[-1].image)[0].flip(1) > .3
    for seed in (1, 2, 3):
        seen = redness(model.sample(seed=seed, positions=told))[0] > .3
        # patches are not mirrored, by which the disc is larger
        off = seen.nonzero().float().mean(0) - disc.nonzero().float().mean(0)
        assert off.abs().max() < 4
        assert seen[disc].float().mean() > .7


def test_noise_in_place_of_the_seeds(model):
    noises = [
        model.noise(5, stage, range(height), range(width))
        for stage, (height, width) in enumerate(model.pyramid_sizes)
    ]
    image = model.sample(noise=lambda stage: noises[stage])
    assert (image == model.sample(seed=5)).all()


def test_finer_stages_refine_the_guide(model):
    guide = model.levels[1].image
    image = model.sample(seed=1, guide=guide, start_stage=2)
    assert similarity(image, model.levels[-1].image) > 20


def test_data_samples(model):
    samples = model(dict(num_batches=2, seed=6, size=(20, 30)))
    assert len(samples) == 2
    for seed, sample in zip((6, 7), samples):
        assert isinstance(sample, DataSample)
        image = model.sample((20, 30), seed)[0]
        expected = ((image + 1) * 127.5).clamp(0, 255)[[2, 1, 0]]
        torch.testing.assert_close(sample.fake_img, expected)
    with pytest.raises(TypeError, match='must be a dict .*but got list'):
        model([1])


@pytest.mark.parametrize('positions', [None, CSG])
def test_exact_search_resembles_the_local_one(positions):
    local = build(positions=positions)
    exact = build(positions=positions, search='exact')
    assert exact.halo > 0
    near, far = [], []
    for seed in range(4):
        image = local.sample(seed=seed)
        near.append(similarity(exact.sample(seed=seed), image))
        far.append(similarity(local.sample(seed=seed + 50), image))
    # the coarsest scale is the same, and finer ones keep what it says
    assert min(near) > 20
    assert np.mean(near) > np.mean(far) + 4


# -- matches of scales --


def test_finer_matches_of_copies_are_copies(model):
    for stage in range(1, len(model.levels)):
        own = [
            torch.stack(
                torch.meshgrid(*map(torch.arange, size), indexing='ij'))
            for size in model.pyramid_sizes[stage - 1:stage + 1]
        ]
        size = model.pyramid_sizes[stage]
        finer = model.finer_matches(stage, own[0], size)
        assert finer.dtype == torch.int64
        assert (finer == own[1]).all()


def test_finer_matches_keep_their_offsets(model):
    coarse, size = (9, 16), (14, 23)
    trained = model.pyramid_sizes[:2]
    generator = torch.Generator().manual_seed(0)
    matches = torch.randint(0, 12, (2, *coarse), generator=generator)
    finer = model.finer_matches(1, matches, size)
    for axis in (0, 1):
        ratio = trained[1][axis] / trained[0][axis]
        for place in np.ndindex(size):
            at = [(i + .5) * old / new - .5
                  for i, old, new in zip(place, coarse, size)]
            nearest = [round(x) for x in at]
            match = matches[axis, nearest[0], nearest[1]].item()
            match += at[axis] - nearest[axis]  # beside its middle
            expected = (match + .5) * ratio - .5
            expected = min(max(expected, 0), trained[1][axis] - 1)
            assert abs(finer[(axis, *place)] - expected) <= .5 + 1e-4


def test_windows_of_finer_matches_are_crops(model):
    generator = torch.Generator().manual_seed(0)
    coarse, size = (13, 21), (23, 35)
    matches = torch.randint(0, 12, (2, *coarse), generator=generator)
    whole = model.finer_matches(1, matches, size)
    rows, cols = range(5, 17), range(20, 35)
    window = model.finer_matches_window(
        1, lambda r, c: matches[:, r.start:r.stop, c.start:c.stop], coarse,
        size, rows, cols)
    assert (window == whole[:, 5:17, 20:35]).all()


# -- positions --


@pytest.mark.parametrize('positions', [CSG, SPE])
@pytest.mark.parametrize('stage', [0, 2])
def test_neighbouring_cells_of_the_coarsest_scale_have_distance_one(
        positions, stage):
    model = build(positions=positions)
    size, coarsest = (model.pyramid_sizes[i] for i in (stage, 0))
    ratios = torch.tensor(
        [new / old for new, old in zip(size, coarsest)])[:, None]
    middle = torch.tensor([x // 2 for x in coarsest])[:, None]
    cells = middle + torch.tensor([[0, 1, 0], [0, 0, 1]])
    places = (cells + .5) * ratios - .5
    first, below, right = features_of(model, places[..., None],
                                          size).permute(1, 0, 2)
    assert (first - below).norm() == pytest.approx(1, abs=1e-4)
    assert (first - right).norm() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize('stage', [0, 1, 3])
def test_distances_of_csg_are_those_in_the_plane(model, stage):
    size, coarsest = (model.pyramid_sizes[i] for i in (stage, 0))
    generator = torch.Generator().manual_seed(0)
    places = 60 * torch.rand(2, 9, 1, generator=generator) - 10
    features = features_of(model, places, size)[..., 0].t()
    ratios = torch.tensor([a / b for a, b in zip(coarsest, size)])
    expected = torch.cdist(*[places[..., 0].t() * ratios] * 2)
    torch.testing.assert_close(
        torch.cdist(features, features), expected, atol=1e-3, rtol=1e-4)


def test_sines_liken_positions_a_period_apart():
    # with 4 channels the angles are the position, and a 10000th of it
    model = build(positions=SPE)
    size = model.pyramid_sizes[0]
    places = torch.tensor([0, math.pi, 2 * math.pi]).expand(2, 3)[..., None]
    first, half, whole = features_of(model, places, size).permute(1, 0, 2)
    assert (first - half).norm() > 1.5
    assert (first - whole).norm() < .01
    longer = build(positions=dict(type='SPE', embedding_dim=32))
    first, _, whole = features_of(longer, places, size).permute(1, 0, 2)
    assert (first - whole).norm() > 1


@pytest.mark.parametrize('positions', [CSG, SPE])
@pytest.mark.parametrize('stage', [0, 2])
def test_the_prior_is_a_gaussian_of_positions(positions, stage):
    spread = .3
    model = build(positions=positions, spread=spread)
    size, level = (31, 57), model.levels[stage]
    sizes = model.stage_sizes(size)
    rows, cols = range(2, 9), range(1, 11)
    prior = model.prior(stage, None, sizes, rows, cols)
    assert prior.queries.shape[:2] == (3, 6)
    logits = (prior.queries @ prior.keys.t() + prior.bias).double()
    tau = spread * min(model.pyramid_sizes[0])
    trained = level.size
    for i, j in ((0, 0), (2, 5), (1, 3)):
        place = [i + rows.start + 2., j + cols.start + 2.]
        if positions is CSG:  # stretched, else counted
            place = [
                p * (old - 1) / (new - 1)
                for p, old, new in zip(place, trained, sizes[stage])
            ]
        told = torch.tensor(place).clamp(min=2)
        told = told.minimum(torch.tensor(trained) - 3.)
        keys = torch.cat((told[:, None], torch.stack(
            torch.meshgrid(
                *[torch.arange(n) + 2. for n in level.grid],
                indexing='ij')).flatten(1)), 1)[..., None]
        codes = features_of(model, keys, trained)[..., 0].double().t()
        expected = -(codes[0] - codes[1:]).square().sum(1) / (2 * tau**2)
        got = logits[i, j]
        torch.testing.assert_close(
            got - got.max(), expected - expected.max(), atol=1e-3, rtol=1e-3)


def test_where_positions_do_not_count(model):
    arguments = (None, model.pyramid_sizes, range(9), range(9))
    assert model.prior(0, *arguments) is not None
    assert model.prior(1, *arguments) is None  # infinite spread
    assert model.prior(1, *arguments, 0) is not None  # drawn first
    assert build(positions=None).prior(0, *arguments) is None


# -- known pixels --


def known_pixels(model, mask, holes=None, taken=None):
    image = model.levels[-1].image
    return known_pyramid(image, mask[None, None], model.pyramid_sizes, holes,
                         taken, model.pyramid_sizes)


@pytest.mark.parametrize('start', [0, 2])
@pytest.mark.parametrize('search', ['local', 'exact'])
def test_known_pixels_are_kept(search, start):
    model = build(search=search)
    mask = torch.ones(SIZE, dtype=torch.bool)
    mask[20:30, 30:45] = False
    image = model.sample(
        seed=1, known=known_pixels(model, mask), start_stage=start)
    original = model.levels[-1].image
    assert (image[..., mask] == original[..., mask]).all()
    assert (image - original)[..., ~mask].abs().max() > .02


def test_all_known_is_the_photograph(model):
    known = known_pixels(model, torch.ones(SIZE, dtype=torch.bool))
    assert (model.sample(known=known) == model.levels[-1].image).all()


def test_nothing_known_is_a_sample(model):
    known = known_pixels(model, torch.zeros(SIZE, dtype=torch.bool))
    assert (model.sample(seed=2, known=known) == model.sample(seed=2)).all()


def test_holes_do_not_show_what_was_taken(model):
    disc = dilate(redness(model.levels[-1].image)[0] > .3, 1)
    known = known_pixels(model, ~dilate(disc, 2))
    model = build(spread=.02)
    shown = model.sample(seed=1, known=known)
    assert (redness(shown)[0][disc] > .3).float().mean() > .5
    known = known_pixels(model, ~dilate(disc, 2), disc, disc)
    for seed in range(3):
        image = model.sample(seed=seed, known=known)
        assert redness(image).max() < .3


def test_what_was_taken_is_never_chosen_in_holes(model):
    holes, taken = (torch.zeros(x, dtype=torch.bool)
                    for x in (SIZE, model.pyramid_sizes[0]))
    holes[:, :30] = True
    taken[4:7, 3:8] = True
    given = known_pyramid(
        torch.zeros(1, 3, *SIZE), torch.zeros(1, 1, *SIZE, dtype=bool),
        model.pyramid_sizes, holes, taken, model.pyramid_sizes)[0]
    rows, cols = map(range, model.pyramid_sizes[0])
    prior = model.prior(
        0, None, model.pyramid_sizes, rows, cols, known=given)
    logits = prior.queries @ prior.keys.t() + prior.bias
    height, width = model.levels[0].grid
    for y in range(height):
        for x in range(width):
            # middle of a patch within two pixels of what was taken
            near = 4 - 2 <= y + 2 < 7 + 2 and 3 - 2 <= x + 2 < 8 + 2
            column = logits[..., y * width + x]
            is_hole = given.holes[2:-2, 2:-2]
            assert ((column[is_hole] < -1e8) == near).all()
            assert (column[~is_hole] > -1e8).all()


def test_known_pixels_at_each_scale():
    image = torch.rand(1, 3, 12, 16)
    mask = torch.zeros(1, 1, 12, 16, dtype=torch.bool)
    mask[..., 2:8, 3:12] = True
    mask[..., 4, 8] = False
    holes = torch.zeros(12, 16, dtype=torch.bool)
    holes[4, 4] = holes[8:10, 8:9] = True
    half, full = known_pyramid(image, mask, [(6, 8), (12, 16)], holes, holes,
                               [(3, 4), (12, 16)])
    assert (full.mask == mask).all() and (full.holes == holes).all()
    torch.testing.assert_close(full.image, image * mask)
    expected = torch.zeros(6, 8, dtype=torch.bool)
    expected[1:4, 2:6] = True  # all of a pixel is known
    expected[2, 4] = False
    assert (half.mask[0, 0] == expected).all()
    for y, x in expected.nonzero().tolist():
        torch.testing.assert_close(
            half.image[0, :, y, x],
            image[0, :, 2 * y:2 * y + 2, 2 * x:2 * x + 2].mean((1, 2)))
    # a part is known: its mean
    torch.testing.assert_close(half.image[0, :, 1, 1],
                               image[0, :, 2:4, 3].mean(1))
    torch.testing.assert_close(
        half.image[0, :, 2, 4],
        (image[0, :, 4, 9] + image[0, :, 5, 8] + image[0, :, 5, 9]) / 3)
    assert half.holes.nonzero().tolist() == [[2, 2], [4, 4]]
    assert half.taken.shape == (3, 4) and not half.taken.any()
    plain = known_pyramid(image, mask, [(12, 16)])[0]
    assert isinstance(plain, KnownPixels) and plain.holes is None


# -- parts of images --


def test_dilated_masks():
    mask = torch.zeros(7, 9, dtype=torch.bool)
    mask[0, 1] = mask[5, 6] = True
    expected = torch.zeros_like(mask)
    expected[:3, :4] = expected[3:, 4:] = True
    assert (dilate(mask, 2) == expected).all()


@pytest.mark.parametrize('margin', [0, 2])
def test_bounding_windows(margin):
    mask = torch.zeros(12, 9, dtype=torch.bool)
    assert bounding_window(mask, margin) is None
    mask[1, 6] = mask[4, 5] = True
    rows, cols = bounding_window(mask, margin)
    assert rows == slice(max(1 - margin, 0), 5 + margin)
    assert cols == slice(5 - margin, min(7 + margin, 9))


def test_pixels_at_whole_positions_are_the_pixels():
    image = torch.rand(1, 3, 6, 7)
    y, x = torch.meshgrid(
        torch.arange(-2., 9), torch.arange(9.), indexing='ij')
    got = pixels_at(image, torch.stack((y, x)))
    rows, cols = y.long().clamp(0, 5), x.long().clamp(0, 6)
    assert (got == image[:, :, rows, cols]).all()


def test_pixels_between_are_bicubic():
    image = torch.rand(1, 3, 12, 13)
    y, x = torch.meshgrid(
        torch.arange(3., 9), torch.arange(3., 9), indexing='ij')
    got = pixels_at(image, torch.stack((y, x + .5)))
    # Keys' kernel with a = -0.75 halfway
    weights = (-.09375, .59375, .59375, -.09375)
    expected = sum(w * image[..., 3:9, 2 + i:8 + i]
                   for i, w in enumerate(weights))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_rims_are_at_jumps_and_bends():
    y, x = torch.meshgrid(
        torch.arange(9.), torch.arange(20.), indexing='ij')
    positions = torch.stack((y, torch.where(x < 10, x, x + 5)))
    expected = torch.zeros(9, 20, dtype=torch.bool)
    expected[:, 7:13] = True
    assert (rims(positions, 2) == expected).all()
    smooth = torch.stack((y / 2, 3 * x))
    assert not rims(smooth, 2).any()


@pytest.mark.parametrize('angle, factor, expected', [
    (0, 1, True), (.4, 1, True), (.4, -1, True), (0, 1.3, False),
    (.4, .8, False)])
def test_rigid_fields_move_turn_and_mirror(angle, factor, expected):
    y, x = torch.meshgrid(
        torch.arange(9.), torch.arange(8.), indexing='ij')
    cos, sin = math.cos(angle), math.sin(angle)
    positions = torch.stack((cos * y + sin * x, cos * x - sin * y))
    positions[0] = factor * positions[0]
    assert (is_rigid(positions) == expected).all()


def test_tones_of_a_part_become_those_around_it():
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, 24, 26, generator=generator) * .1
    part = torch.zeros(24, 26, dtype=torch.bool)
    part[6:16, 8:20] = True
    brighter = torch.where(part, image + .3, image)
    result = match_tone(brighter, part, image, ~part)
    assert (result[..., ~part] == image[..., ~part]).all()
    change = result - brighter
    # all of it at the edge, and less and less of it inside
    edge = part & dilate(~part, 1)
    assert (change[..., edge] + .3).abs().max() < .12
    inner = change[..., part]
    assert -.35 < inner.min() and inner.max() < 0
    assert change[..., 10:12, 13:15].mean() >= change[..., edge].mean()
    # more than a difference of tone
    other = torch.where(part, image + 1.2, image)
    assert (match_tone(other, part, image, ~part) == other).all()
    # nothing to be compared with
    nothing = torch.zeros_like(part)
    assert (match_tone(brighter, part, image, nothing) == brighter).all()
