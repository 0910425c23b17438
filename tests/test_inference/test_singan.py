"""Manipulations of one photograph, with a small model of random weights."""
import numpy as np
import pytest
import torch
from PIL import Image

from mmpe.inference import (ContextSinGANSampler, LayoutEdit, SinGANSampler,
                            load)
from mmpe.registry import MODELS, build_from

from ..test_models.test_singan.conftest import HEADS, SIZES, model_cfg
from ..test_models.test_singan.conftest import random_pyramid
from ..test_models.test_singan.test_context import make_model

EXPLICIT = [head for head in HEADS if head[:3] in ('csg', 'spe')]
SIZE = SIZES[-1]


def build(head='spe8', **kwargs):
    torch.manual_seed(0)
    model = build_from(MODELS, model_cfg(head, **kwargs))
    with torch.no_grad():
        for name, parameter in model.generator.named_parameters():
            if name.endswith('conv.weight'):
                parameter.mul_(5)
    model.reals = random_pyramid()
    model.construct_fixed_noises()
    model.noise_weights = [1, .3, .2, .25, .15, .4]
    model.curr_stage = len(SIZES) - 1
    return SinGANSampler(model.eval())


@pytest.fixture(scope='module')
def sampler():
    return build()


def photograph_of(sampler, mask=None):
    image = sampler.photograph.copy()
    if mask is not None:
        image[mask] = (250, 30, 10)
    return image


@pytest.fixture
def mask():
    mask = np.zeros(SIZE, bool)
    mask[10:14, 12:17] = True
    return mask


def differ(first, second):
    return np.abs(first.astype(int) - second).max() > 2


def test_images_and_tensors_are_the_same(sampler):
    image = sampler.photograph
    expected = sampler.model.reals[-1]
    torch.testing.assert_close(
        sampler._tensor(image), expected, atol=1 / 127, rtol=0)
    assert (sampler._image(sampler._tensor(image)) == image).all()


def test_a_seed_is_an_image(sampler):
    images = sampler.sample(3, (30, 50), seed=5, batch_size=2)
    assert [x.shape for x in images] == [(30, 50, 3)] * 3
    again = sampler.sample(1, (30, 50), seed=7)[0]
    assert np.abs(again.astype(int) - images[2]).max() <= 1
    assert differ(images[0], images[1])


@pytest.mark.parametrize('head', ['zero-pad', 'interp-pad', 'csg'])
def test_randomness_begins_at_the_start_scale(head):
    sampler = build(head)
    original = sampler.reconstruct()
    changes = [
        np.abs(
            sampler.sample(1, seed=0, start_scale=scale)[0].astype(int)
            - original).mean() for scale in (0, 5)
    ]
    assert changes[0] > changes[1] > 0
    sampler.model.noise_weights = [1, .3, 0, 0, 0, 0]
    same = sampler.sample(1, seed=0, start_scale=2)[0]
    assert np.abs(same.astype(int) - original).max() <= 1
    wide = sampler.sample(1, (28, 72), seed=0, start_scale=2)[0]
    assert wide.shape == (28, 72, 3)


@pytest.mark.parametrize('head', EXPLICIT)
def test_own_growth_changes_nothing(head):
    sampler = build(head)
    growth = 'stretch' if head == 'csg' else 'extend'
    plain = sampler.sample(1, (40, 70), seed=3)[0]
    explicit = sampler.sample(1, (40, 70), seed=3, growth=growth)[0]
    assert np.abs(plain.astype(int) - explicit).max() <= 1
    others = {'stretch', 'extend', 'centre', 'tile'} - {growth}
    for other in others:
        assert differ(sampler.sample(1, (40, 70), 3, growth=other)[0], plain)


@pytest.mark.parametrize('growth', [None, 'stretch', 'extend', 'centre'])
def test_the_own_size_is_the_reconstruction(sampler, growth):
    image = sampler.resize(SIZE, growth)
    assert np.abs(image.astype(int) - sampler.reconstruct()).max() <= 1


def test_a_random_variant_is_a_sample(sampler):
    variant = sampler.resize((30, 50), 'centre', seed=2)
    assert (variant == sampler.sample(1, (30, 50), 2,
                                      growth='centre')[0]).all()


def test_the_extended_photograph_is_the_photograph_at_the_beginning(sampler):
    wide = sampler.resize((SIZE[0], 3 * SIZE[1]), 'extend')
    assert wide.shape == (SIZE[0], 3 * SIZE[1], 3)
    # sizes of the pyramid are rounded, so that nothing is quite in its place
    start = np.corrcoef(wide[:, :12].ravel(), sampler.reconstruct()
                        [:, :12].ravel())[0, 1]
    assert start > 0.5


def test_layouts(sampler):
    edit = LayoutEdit((5, 5, 15, 15), shift=(8, 10))
    image = sampler.layout([edit])
    assert image.shape == (*SIZE, 3)
    assert differ(image, sampler.reconstruct())
    assert differ(sampler.layout([edit], seed=1), image)
    wide = sampler.layout([edit], (28, 50), 'stretch', seed=1)
    assert wide.shape == (28, 50, 3)


@pytest.mark.parametrize('method', ['edit', 'harmonize'])
@pytest.mark.parametrize('scale', [None, 1, 5])
def test_composites(sampler, mask, method, scale):
    composite = photograph_of(sampler, mask)
    result = getattr(sampler, method)(composite, mask, scale, dilation=1)
    assert result.shape == composite.shape and result.dtype == np.uint8
    assert differ(result[mask], composite[mask])
    far = np.ones(SIZE, bool)
    far[6:18, 8:21] = False
    assert np.abs(result[far].astype(int) - composite[far]).max() <= 1
    again = getattr(sampler, method)(composite, mask, scale, dilation=1)
    assert (again == result).all()
    noisy = getattr(sampler, method)(composite, mask, scale, 3, dilation=1)
    assert differ(noisy, result)


def test_composites_of_another_resolution(sampler, mask):
    composite = photograph_of(sampler, mask).repeat(3, 0).repeat(3, 1)
    large = mask.repeat(3, 0).repeat(3, 1)
    assert sampler.edit(composite, large).shape == (*SIZE, 3)


def test_harmonizing_is_finer_and_nearer_than_editing(sampler, mask):
    composite = photograph_of(sampler, mask)
    changed = [
        (getattr(sampler, method)(composite, mask) != composite).any(2).sum()
        for method in ('harmonize', 'edit')
    ]
    assert 0 < changed[0] <= changed[1]


def test_paintings_keep_their_shape(sampler):
    painting = np.full((40, 80, 3), 128, np.uint8)
    result = sampler.paint(painting)
    height, width = result.shape[:2]
    assert width / height == pytest.approx(2, rel=.05)
    assert height * width == pytest.approx(SIZE[0] * SIZE[1], rel=.05)
    assert differ(sampler.paint(painting, colours=0), result)


@pytest.mark.parametrize('factor, steps', [(1.5, 3), (1.1, 1), (4, 9)])
def test_super_resolution(sampler, factor, steps):
    assert sampler.super_resolution_steps(factor) == steps
    result = sampler.super_resolution(factor)
    assert result.shape == (round(28 * factor), round(36 * factor), 3)
    other = sampler.super_resolution(factor, sampler.photograph[:20])
    assert other.shape == (round(20 * factor), round(36 * factor), 3)


def test_a_walk_follows_its_equation(sampler):
    frames = list(sampler.animate(3, alpha=.2, beta=.7, start_scale=0, seed=4))
    shapes = sampler.model.noise_shapes()
    center = sampler.model.fixed_noises
    u = [sampler._noises(shapes, [4 + i]) for i in range(3)]
    for scale, z in enumerate(center):
        z1 = .95 * z + .05 * u[0][scale]
        z2 = .2 * z + .8 * (z1 + .7 * (z1 - z) + .3 * u[1][scale])
        z3 = .2 * z + .8 * (z2 + .7 * (z2 - z1) + .3 * u[2][scale])
        if scale == 0:
            noises = [[z1], [z2], [z3]]
        else:
            for list_, value in zip(noises, (z1, z2, z3)):
                list_.append(value)
    for frame, noise in zip(frames, noises):
        assert (sampler._images(noise)[0] == frame).all()


def test_a_walk_may_stand_still(sampler):
    frames = list(sampler.animate(3, alpha=1, start_scale=0))
    assert not differ(frames[1], sampler.reconstruct())
    assert not differ(frames[2], sampler.reconstruct())


def test_checkpoints_without_the_photograph(mask):
    sampler = build()
    composite = photograph_of(sampler, mask)
    expected = sampler.edit(composite, mask)
    sampler.model.reals = []
    assert sampler.photograph is None
    assert (sampler.training_image == sampler.reconstruct()).all()
    assert (sampler.edit(composite, mask) == expected).all()
    assert sampler.super_resolution(1.2).shape == (34, 43, 3)


@pytest.mark.parametrize('kind', ['spe8', 'context'])
def test_checkpoints_before_the_last_scale(kind):
    sampler = build_context() if kind == 'context' else build(kind)
    sampler.model.curr_stage -= 1
    size = sampler.size
    assert size == sampler.model.pyramid_sizes[-2]
    assert (sampler.layout([]) == sampler.reconstruct()).all()
    mask = np.zeros(size, bool)
    mask[8:12, 8:12] = True
    for scale in (1, sampler.last_scale):
        composite = photograph_of(sampler, mask)
        assert sampler.edit(composite, mask, scale).shape == (*size, 3)
        assert sampler.paint(sampler.photograph, scale).shape == (*size, 3)


# ----------------------------------------------- context and learned noise
def build_context(sizes=((12, 16), (24, 32), (48, 64)), **kwargs):
    torch.manual_seed(0)
    model = make_model(sizes, **kwargs)
    for name, value in model.generator.named_parameters():
        if name.endswith('conv.weight'):
            value.data.mul_(3 if value.shape[-1] == 1 else 1.25)
    return ContextSinGANSampler(model)


@pytest.fixture(scope='module')
def context():
    sampler = build_context()
    assert all(x.any() for x in sampler.model.fixed_noises)
    return sampler


@pytest.mark.parametrize('noise_rate', [0.05, 0])
@pytest.mark.parametrize('encoding', [
    dict(type='CSG'), dict(type='SPE', embedding_dim=8),
    dict(type='SPE', embedding_dim=8, center_shift=30, centered=True)])
def test_an_unchanged_layout_is_the_reconstruction(encoding, noise_rate):
    sampler = build_context(
        positional_encoding=encoding, noise_rate=noise_rate)
    expected = sampler.reconstruct()
    assert expected.std() > 5
    assert (sampler.layout([]) == expected).all()
    for growth in ('stretch', 'extend', 'centre'):
        assert (sampler.resize((48, 64), growth) == expected).all()
    moved = sampler.layout([LayoutEdit((8, 8, 24, 24), (16, 16), keep=True)])
    assert differ(moved, expected)


def test_a_moved_part_keeps_its_pixels():
    sampler = build_context(((32, 40), (64, 80), (128, 160)))
    image = sampler.layout([LayoutEdit((24, 8, 104, 88), (16, 64),
                                       keep=True)])
    original = sampler.reconstruct().astype(int)
    # A pixel sees about 25 pixels on each side.
    part, moved = original[54:74, 38:58], image[70:90, 102:122]
    assert np.abs(moved - part).max() <= 1 and part.std() > 5
    # Far from it everything stays.
    assert np.abs(image[:, :40] - original[:, :40]).max() <= 1
    assert differ(image[70:90, 102:122], original[70:90, 102:122])


@pytest.mark.parametrize('size', [(48, 96), (70, 50)])
def test_sizes_of_a_context_model(context, size):
    assert context.sample(2, size, seed=1)[1].shape == (*size, 3)
    images = [
        context.resize(size, growth)
        for growth in (None, 'extend', 'centre', 'tile')
    ]
    assert all(x.shape == (*size, 3) for x in images)
    assert all(differ(x, images[0]) for x in images[1:])
    variant = context.resize(size, seed=2)
    assert (variant == context.sample(1, size, 2)[0]).all()
    edit = LayoutEdit((8, 8, 24, 24), shift=(16, 16))
    assert context.layout([edit], size, seed=1).shape == (*size, 3)


@pytest.mark.parametrize('scale', [1, 2])
def test_randomness_of_a_context_model_begins_at_a_scale(context, scale):
    image, = context.sample(1, seed=0, start_scale=scale)
    assert image.shape == (48, 64, 3)
    original = context.reconstruct().astype(int)
    whole, = context.sample(1, seed=0)
    near, far = (np.abs(x - original).mean() for x in (image, whole))
    assert 0 < near < far
    wide, = context.sample(1, (48, 90), seed=0, start_scale=scale)
    assert wide.shape == (48, 90, 3)


@pytest.mark.parametrize('method', ['edit', 'harmonize'])
@pytest.mark.parametrize('scale', [None, 1, 2])
def test_composites_of_a_context_model(context, method, scale):
    mask = np.zeros((48, 64), bool)
    mask[16:22, 20:30] = True
    composite = photograph_of(context, mask)
    call = getattr(context, method)
    result = call(composite, mask, scale, dilation=1)
    assert result.shape == composite.shape and result.dtype == np.uint8
    assert differ(result[mask], composite[mask])
    far = np.ones((48, 64), bool)
    far[12:26, 16:34] = False
    assert np.abs(result[far].astype(int) - composite[far]).max() <= 1
    assert (call(composite, mask, scale, dilation=1) == result).all()
    assert differ(call(composite, mask, scale, 3, dilation=1), result)


@pytest.mark.parametrize('scale', [1, 2])
def test_paintings_of_a_context_model(context, scale):
    result = context.paint(np.full((40, 80, 3), 128, np.uint8), scale)
    assert result.shape == (39, 78, 3)


@pytest.mark.parametrize('factor, steps', [(1.5, 1), (2, 1), (4, 2)])
def test_super_resolution_of_a_context_model(context, factor, steps):
    assert context.super_resolution_steps(factor) == steps
    result = context.super_resolution(factor)
    assert result.shape == (48 * factor, 64 * factor, 3)
    assert (context.super_resolution(factor) == result).all()
    other = context.super_resolution(factor, context.photograph[:20])
    assert other.shape == (20 * factor, 64 * factor, 3)


@pytest.mark.parametrize('start_scale', [0, 2])
def test_walks_of_a_context_model(context, start_scale):
    frames = list(context.animate(12, start_scale=start_scale))
    assert [x.shape for x in frames] == [(48, 64, 3)] * 12
    assert differ(frames[0], frames[-1])
    still = list(context.animate(3, alpha=1, start_scale=start_scale))
    if start_scale == 0:
        assert not differ(still[1], context.reconstruct())
    assert (still[1] == still[2]).all()


def test_context_models_draw_to_files(context, tmp_path):
    path = context.draw_to_file(tmp_path / 'a.png', (70, 90), 3, tile=40)
    expected, = context.sample(1, (70, 90), seed=3)
    with Image.open(path) as image:
        assert np.abs(np.asarray(image).astype(int) - expected).max() <= 1


def test_load_a_folder(tmp_path, sampler):
    with pytest.raises(ValueError, match='has 0 configs and no checkpoints'):
        load(tmp_path)
    (tmp_path / 'config.py').write_text(f'model = {model_cfg("spe8")!r}\n')
    for number in (5, 40):
        torch.save(
            dict(state_dict=sampler.model.state_dict(), meta={}),
            tmp_path / f'iter_{number}.pth')
    (tmp_path / 'iter_5.pth').write_bytes(b'an old one')
    loaded = load(tmp_path)
    assert (loaded.reconstruct() == sampler.reconstruct()).all()
