"""Manipulations of one photograph by its patches."""
import math
import os

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from PIL import Image

from mmpe.functional.distances import ssim
from mmpe.functional.patch_diffusion import gaussian_blur
from mmpe.inference import LayoutEdit, load
from mmpe.inference.patch_diffusion import PatchSampler
from mmpe.inference.patch_tiles import to_pixels
from mmpe.registry import MODELS, build_from
from mmpe.utils.images import save_image

from ..test_models.test_patch_diffusion.test_model import (build, model_cfg,
                                                           photograph)
from .conftest import small_config

SIZE = (48, 72)
EDGE = 2  # 5 % of the short side
BOX = (4, 10, 26, 34)  # in it the disc, and sky alone
GROWTHS = ['stretch', 'extend', 'centre', 'tile']


def sampler_of(**kwargs):
    return PatchSampler(build(photograph(*SIZE), max_size=72, **kwargs))


@pytest.fixture(scope='module')
def sampler():
    return sampler_of()


@pytest.fixture(scope='module')
def original():
    return photograph(*SIZE).astype(int)


@pytest.fixture
def path(tmp_path):
    return str(save_image(tmp_path / 'photograph.png', photograph(*SIZE)))


@pytest.fixture
def mask():
    mask = np.zeros(SIZE, bool)
    mask[8:16, 48:58] = True
    return mask


def as_batch(image):
    return torch.from_numpy(image[None].astype(np.float32)).permute(0, 3, 1, 2)


def differences(first, second):
    return np.abs(first.astype(int) - second).max(2)


def disc(image):
    """Where an image is red."""
    return image[..., 0].astype(int) - image[..., 1] > 40


def assert_moved(part, expected, slope=2):
    """See that pixels are the same up to a smooth change of tone."""
    assert (disc(part) != disc(expected)).mean() < .03
    off = (part - expected)[4:-4, 4:-4]
    assert np.abs(off).max() < 80
    for axis in (0, 1):
        assert np.abs(np.diff(off, axis=axis)).mean() < slope


# -- the sampler --


def test_the_photograph_by_itself(path):
    sampler = load(path)
    assert isinstance(sampler, PatchSampler)
    assert sampler.has_positions and sampler.size == SIZE
    for image in (sampler.photograph, sampler.reconstruct(),
                  sampler.training_image):
        assert image.dtype == np.uint8
        assert (image == photograph(*SIZE)).all()
    assert sampler.sample(1, seed=0)[0].shape == (*SIZE, 3)


def test_the_photograph_is_not_handed_out(sampler, original):
    sampler.photograph[:] = 0
    assert (sampler.photograph == original).all()


def test_images_and_tensors_are_the_same(sampler):
    image = sampler.photograph
    tensor = sampler._tensor(image)
    torch.testing.assert_close(tensor, sampler.model.levels[-1].image)
    assert (to_pixels(tensor) == image).all()
    assert to_pixels(torch.tensor([-3., 0, 3]).view(1, 3, 1, 1)).tolist() == [
        [[0, 128, 255]]]


def test_a_seed_is_an_image(sampler):
    images = sampler.sample(3, (30, 50), seed=5, batch_size=2)
    assert [x.shape for x in images] == [(30, 50, 3)] * 3
    assert (sampler.sample(1, (30, 50), seed=7)[0] == images[2]).all()
    assert differences(images[0], images[1]).mean() > 3
    assert sampler.sample()[0].shape == (*SIZE, 3)


def test_samples_are_those_of_the_model(sampler):
    image = sampler.sample(1, (30, 50), 5)[0]
    batch = sampler.model.sample((30, 50), 5)
    expected = ((batch[0] + 1) * 127.5).permute(1, 2, 0).numpy()
    assert np.abs(image - expected.clip(0, 255)).max() <= .5 + 1e-3


@pytest.mark.parametrize('growth', GROWTHS)
@pytest.mark.parametrize('size', [(30, 100), (90, 40)])
def test_growths(sampler, growth, size):
    image = sampler.sample(1, size, 3, growth=growth)[0]
    assert image.shape == (*size, 3)
    plain = sampler.sample(1, size, 3)[0]
    if growth == 'stretch':  # what CSG does
        assert differences(image, plain).max() <= 1
    else:
        assert differences(image, plain).mean() > 3


def test_repeated_positions_repeat_the_disc():
    sampler = sampler_of(spread=.03)
    wide = sampler.sample(1, (48, 216), 3, growth='tile')[0]
    count = [disc(wide[:, i:i + 72]).sum() for i in (0, 72, 144)]
    once = disc(sampler.photograph).sum()
    assert count == pytest.approx([once] * 3, rel=.5)
    extended = sampler.sample(1, (48, 216), 3, growth='extend')[0]
    assert disc(extended[:, :72]).any()
    assert not disc(extended[:, 72:]).any()


def test_randomness_begins_at_the_start_scale(sampler, original):
    changes = [
        differences(sampler.sample(1, seed=1, start_scale=i)[0],
                    original).mean() for i in range(4)
    ]
    assert changes[0] > changes[1] > changes[3] > 0
    again = sampler.sample(1, seed=1, start_scale=2)[0]
    assert (again == sampler.sample(1, seed=1, start_scale=2)[0]).all()
    assert sampler.sample(1, (30, 90), 1, start_scale=2)[0].shape == (30, 90,
                                                                     3)


# -- other sizes --


@pytest.mark.parametrize('growth', [None, *GROWTHS])
def test_the_own_size_is_the_photograph(sampler, original, growth):
    assert (sampler.resize(SIZE, growth) == original).all()


@pytest.mark.parametrize('size', [(60, 101), (31, 44), (70, 50)])
def test_the_middle_is_kept(sampler, original, size):
    image = sampler.resize(size, 'centre')
    assert image.shape == (*size, 3)
    # the place of the middle pixel, by which 'centre' is defined
    top, left = ((new + 1) // 2 - (old + 1) // 2
                 for new, old in zip(size, SIZE))
    here, there = [], []
    for offset, new, old in zip((top, left), size, SIZE):
        first, last = max(offset, 0), min(offset + old, new)
        if new > old:  # the photograph's border is drawn anew
            first, last = first + EDGE, last - EDGE
        here.append(slice(first, last))
        there.append(slice(first - offset, last - offset))
    assert (image[tuple(here)] == original[tuple(there)]).all()


@pytest.mark.parametrize('size', [(60, 100), (30, 44)])
def test_the_beginning_is_kept(sampler, original, size):
    image = sampler.resize(size, 'extend')
    height, width = (
        a if a <= b else b - EDGE for a, b in zip(size, SIZE))
    assert (image[:height, :width] == original[:height, :width]).all()


def test_the_photograph_is_repeated(sampler, original):
    image = sampler.resize((48, 150), 'tile')
    for left in (0, 72):  # but for the cuts
        part = image[:, left + 5:left + 67]
        assert (part == original[:, 5:67]).all()


def test_the_photograph_is_stretched(sampler, original):
    image = sampler.resize((60, 108), 'stretch')
    stretched = F.interpolate(
        as_batch(original), (60, 108), mode='bicubic', align_corners=True)
    blurred = [gaussian_blur(x, 6) for x in (as_batch(image), stretched)]
    assert (blurred[0] - blurred[1]).abs().mean() < 12
    # textures are drawn, at their own scale
    sharpness = [x[..., -12:, :].diff(dim=3).std()
                 for x in (as_batch(image), as_batch(original))]
    assert sharpness[0] > .4 * sharpness[1]


def test_a_random_variant_is_a_sample(sampler):
    variant = sampler.resize((30, 50), 'centre', seed=2)
    expected = sampler.sample(1, (30, 50), 2, growth='centre')[0]
    assert (variant == expected).all()


# -- layouts --


@pytest.mark.parametrize('seed', [None, 1, 2])
@pytest.mark.parametrize('down, right', [(0, 34), (-2, 36)])
def test_a_moved_part_keeps_its_pixels(sampler, original, seed, down, right):
    edit = LayoutEdit(BOX, shift=(down, right))
    image = sampler.layout([edit], seed=seed)
    top, left, bottom, last = BOX
    part = image[top + down:bottom + down, left + right:last + right]
    expected = original[top:bottom, left:last]
    assert_moved(part, expected)
    assert ssim(as_batch(part), as_batch(expected)) > .98
    assert not disc(image[:, :38]).any()


def test_what_is_far_from_a_moved_part_stays(sampler, original):
    image = sampler.layout([LayoutEdit(BOX, shift=(0, 34))])
    # the region has a margin of 4 pixels, cuts are redrawn 3 pixels around
    far = differences(image, original)[26 + 4 + 1 + 3 + 2:]
    assert (far == 0).all()
    drawn = sampler.layout([LayoutEdit(BOX, shift=(0, 34))], seed=1)
    assert differences(drawn, original)[36:].max() > 20


def test_layouts_have_seeds(sampler):
    edit = LayoutEdit(BOX, shift=(0, 34))
    first, second = (sampler.layout([edit], seed=seed) for seed in (1, 2))
    assert differences(first, second).mean() > 2
    assert (sampler.layout([edit], seed=1) == first).all()
    assert (sampler.layout([edit]) == sampler.layout([edit])).all()


@pytest.mark.parametrize('seed', [None, 3])
def test_a_removed_part_is_drawn_nowhere(sampler, original, seed):
    image = sampler.layout([LayoutEdit(BOX, remove=True)], seed=seed)
    # Variants may show a sliver of it at a border, where patches reach in.
    assert disc(image).sum() <= (0 if seed is None else .1) * disc(
        original).sum()
    if seed is None:
        off = differences(image, original)
        assert (off[36:] == 0).all() and (off[:, 44:] == 0).all()
        assert off[10:20, 16:28].max() > 60


def test_holes_are_drawn_and_not_mirrored(sampler, original):
    edit = LayoutEdit(BOX, remove=True, feather=0, margin=0)
    image = sampler.layout([edit])
    # positions are mirrored at the right edge of the box
    off = differences(image[8:22, 24:30], original[8:22, 43:37:-1])
    assert (off > 0).mean() > .5
    assert not disc(image).any()


@pytest.mark.parametrize('seed', [None, 3])
def test_a_kept_part_is_repeated(sampler, original, seed):
    edit = LayoutEdit(BOX, shift=(0, 34), keep=True)
    image = sampler.layout([edit], seed=seed)
    assert_moved(image[4:26, 44:68], original[4:26, 10:34])
    if seed is None:
        assert (image[:, :34] == original[:, :34]).all()


@pytest.mark.slow
@pytest.mark.parametrize('keep', [True, False])
@pytest.mark.parametrize('flip, step', [('horizontal', (1, -1)),
                                        ('vertical', (-1, 1)),
                                        ('both', (-1, -1))])
def test_a_part_is_mirrored(sampler, original, flip, step, keep):
    box = (2, 12, 25, 40)  # the disc is not in its middle
    image = sampler.layout([LayoutEdit(box, flip=flip, keep=keep)])
    part = original[2:25, 12:40]
    got = image[2:25, 12:40]
    assert_moved(got, part[::step[0], ::step[1]], 4)
    assert (disc(got) != disc(part)).mean() > .03
    assert (image[37:] == original[37:]).all()


def test_everything_is_mirrored(sampler, original):
    image = sampler.layout([LayoutEdit(flip='horizontal')])
    assert (image == original[:, ::-1]).all()


def test_a_part_is_turned(sampler, original):
    box = (3, 12, 26, 35)
    image = sampler.layout([LayoutEdit(box, angle=90, keep=True)])
    expected = np.rot90(original[3:26, 12:35]).copy()
    assert ssim(as_batch(image[3:26, 12:35]), as_batch(expected)) > .95


@pytest.mark.parametrize('factor', [.75, 1.4])
def test_a_part_is_scaled(sampler, original, factor):
    edit = LayoutEdit(BOX, scale=factor, keep=True)
    image = sampler.layout([edit])
    was, got = disc(original), disc(image)
    assert got.sum() == pytest.approx(factor**2 * was.sum(), rel=.25)
    middle = np.argwhere(was).mean(0)
    assert np.abs(np.argwhere(got).mean(0) - middle).max() < 1.5
    assert (image[:, 56:] == original[:, 56:]).all()


def test_a_displacement(sampler, original):
    values = np.zeros((2, *SIZE), np.float32)
    values[1, 5:30, 10:40] = 3
    image = sampler.layout([LayoutEdit(displacement=values)])
    assert (image[10:25, 15:35] == original[10:25, 18:38]).all()
    assert (image[36:] == original[36:]).all()
    assert (image[:, 46:] == original[:, 46:]).all()
    values[1] = 3
    edit = LayoutEdit(BOX, displacement=values, margin=0)
    image = sampler.layout([edit])
    assert (image[9:21, 15:29] == original[9:21, 18:32]).all()
    assert (image[32:] == original[32:]).all()


def test_a_mask_is_a_region(sampler):
    region = np.zeros(SIZE, np.uint8)
    region[BOX[0]:BOX[2], BOX[1]:BOX[3]] = 255
    images = [sampler.layout([LayoutEdit(x, shift=(0, 34))])
              for x in (region, region > 0, BOX)]
    assert (images[0] == images[1]).all() and (images[0] == images[2]).all()


def test_edits_follow_each_other(sampler, original):
    edits = [LayoutEdit(BOX, shift=(0, 34)),
             LayoutEdit((4, 44, 26, 68), remove=True)]
    assert disc(sampler.layout(edits[:1])).sum() == pytest.approx(
        disc(original).sum(), rel=.1)
    assert not disc(sampler.layout(edits)).any()


def test_a_layout_of_another_size(sampler, original):
    size = (60, 130)
    edit = LayoutEdit((4, 10, 26, 34), shift=(0, 80))
    image = sampler.layout([edit], size, 'extend')
    assert image.shape == (*size, 3)
    part = as_batch(image[4:26, 90:114])
    assert ssim(part, as_batch(original[4:26, 10:34])) > .98
    assert (image[37:48 - EDGE, :72 - EDGE] == original[
        37:-EDGE, :-EDGE]).all()
    assert not disc(image[:, :80]).any()


# -- composites, paintings, details, walks --


@pytest.mark.parametrize('method', ['edit', 'harmonize'])
@pytest.mark.parametrize('scale', [None, 1, 3])
def test_composites(sampler, original, mask, method, scale):
    composite = sampler.photograph
    composite[mask] = (250, 220, 40)
    draw = getattr(sampler, method)
    result = draw(composite, mask, scale, dilation=2)
    assert result.shape == composite.shape and result.dtype == np.uint8
    off = differences(result, composite)
    assert off[mask].max() > 5
    # two pixels, and what the soft edge reaches
    off[8 - 5:16 + 5, 48 - 5:58 + 5] = 0
    assert (off == 0).all()
    assert (draw(composite, mask, scale, dilation=2) == result).all()
    noisy = draw(composite, mask, scale, 3, dilation=2)
    assert differences(noisy, result).max() > 2


def test_composites_get_colours_of_the_photograph(sampler, original, mask):
    composite = sampler.photograph
    composite[mask] = (250, 220, 40)
    result = sampler.edit(composite, mask, 1)
    colours = original.reshape(-1, 3)

    def off(image):
        return np.mean([
            np.abs(colours - pixel).max(1).min()
            for pixel in image[mask].astype(int)
        ])

    assert off(result) < .3 * off(composite)


def test_composites_of_another_resolution(sampler, mask):
    composite = sampler.photograph.repeat(3, 0).repeat(3, 1)
    large = mask.repeat(3, 0).repeat(3, 1)
    assert sampler.edit(composite, large).shape == (*SIZE, 3)


@pytest.mark.parametrize('shape', [(40, 80), (100, 50)])
def test_paintings(sampler, original, shape):
    painting = np.empty((*shape, 3), np.uint8)
    painting[:shape[0] // 2] = (100, 150, 220)
    painting[shape[0] // 2:] = (90, 110, 60)
    result = sampler.paint(painting)
    height, width = result.shape[:2]
    assert height / width == pytest.approx(shape[0] / shape[1], rel=.05)
    assert height * width == pytest.approx(SIZE[0] * SIZE[1], rel=.05)
    # sky above, ground below
    for part, expected in ((result[:height // 3], original[:20, 40:]),
                           (result[-height // 3:], original[36:])):
        means = [x.reshape(-1, 3).mean(0) for x in (part, expected)]
        assert np.abs(means[0] - means[1]).max() < 20
    assert (sampler.paint(painting) == result).all()
    assert differences(sampler.paint(painting, seed=1), result).any()
    assert sampler.paint(painting, colours=0).shape == result.shape


@pytest.mark.parametrize('factor', [1.3, 2, 3])
def test_super_resolution(sampler, original, factor):
    result = sampler.super_resolution(factor)
    assert result.shape == (round(48 * factor), round(72 * factor), 3)
    bicubic = F.interpolate(
        as_batch(original), result.shape[:2], mode='bicubic')
    enlarged = as_batch(result)
    # the low frequencies are there, high ones are added
    off = gaussian_blur(enlarged - bicubic, 2 * factor)
    assert off.abs().mean() < 2.5
    assert enlarged.diff(dim=3).std() > 1.1 * bicubic.diff(dim=3).std()
    assert (sampler.super_resolution(factor) == result).all()
    assert differences(sampler.super_resolution(factor, seed=1), result).any()


def test_super_resolution_of_another_image(sampler):
    image = sampler.photograph[:20, :31]
    assert sampler.super_resolution(1.5, image).shape == (30, 46, 3)


@pytest.mark.parametrize('scale', [0, 1, 3])
def test_walks(sampler, original, scale):
    frames = list(sampler.animate(3, start_scale=scale, seed=4))
    assert len(frames) == 3
    first = differences(frames[0], original).mean()
    assert first < 10
    random = sampler.sample(1, seed=4, start_scale=scale)[0]
    assert first < differences(random, original).mean()
    assert differences(frames[1], frames[0]).any()
    again = list(sampler.animate(3, start_scale=scale, seed=4))
    assert all((a == b).all() for a, b in zip(frames, again))
    other = list(sampler.animate(3, start_scale=scale, seed=5))
    assert differences(other[2], frames[2]).any()


def test_a_walk_may_stand_still(sampler):
    frames = list(sampler.animate(4, alpha=1, start_scale=1))
    assert (frames[2] == frames[1]).all() and (frames[3] == frames[1]).all()


# -- tiles --


@pytest.mark.slow
@pytest.mark.parametrize('positions, size, start_scale, growth', [
    (dict(type='CSG'), None, 0, None),
    (dict(type='CSG'), (70, 111), 0, None),
    (dict(type='CSG'), (70, 111), 0, 'centre'),
    (dict(type='SPE', embedding_dim=4), (70, 111), 0, 'tile'),
    (None, (70, 111), 0, None),
    (None, None, 1, None),
    (None, (70, 111), 2, None),
])
def test_tiled_is_untiled(positions, size, start_scale, growth, tmp_path):
    sampler = sampler_of(positions=positions)
    images = []
    for tile in (2 * sampler.model.halo, 53, 500):
        path = sampler.draw_to_file(tmp_path / 'a.png', size, 3, tile,
                                    start_scale, growth)
        images.append(np.asarray(Image.open(path)))
        assert os.listdir(tmp_path) == ['a.png']
    assert (images[0] == images[1]).all() and (images[0] == images[2]).all()
    expected = sampler.sample(1, size, 3, 4, start_scale, growth)[0]
    assert images[0].shape == expected.shape
    assert (differences(images[0], expected) <= 1).mean() > .99


def test_tiles_of_the_exact_search(tmp_path):
    sampler = PatchSampler(
        build(search='exact', fine_sigmas=(.5, 0), patch_size=3))
    path = sampler.draw_to_file(tmp_path / 'a.png', (50, 70), 3, 31)
    expected = sampler.sample(1, (50, 70), 3)[0]
    off = differences(np.asarray(Image.open(path)), expected)
    assert (off <= 1).mean() > .99


@pytest.mark.parametrize('options, message', [
    (dict(tile=9), r'`tile` must be at least \d+ .* but got 9'),
    (dict(path='a.jpg'), 'must end with one of .png'),
    (dict(size=(9, 90)), '`size` must be at least'),
    (dict(start_scale=4), 'must be from 0 to 3 .* but got 4'),
    (dict(seed=-1), '`seed` must be between 0'),
    (dict(growth='grow'), "but got 'grow'"),
])
def test_bad_tiles(sampler, options, message, tmp_path):
    options = {'path': 'a.png', **options}
    path = tmp_path / options.pop('path')
    with pytest.raises(ValueError, match=message):
        sampler.draw_to_file(path, **options)
    assert not os.listdir(tmp_path)


# -- loading --


def test_a_config_and_a_photograph(path, tmp_path):
    config = Config(dict(model=model_cfg(max_size=72)))
    before = config.model.to_dict()
    sampler = load(config, path)
    expected = sampler_of().sample(1, seed=3)[0]
    assert (sampler.sample(1, seed=3)[0] == expected).all()
    assert load(config, path, max_size=60).size == (40, 60)
    assert config.model.to_dict() == before
    file = tmp_path / 'config.py'
    file.write_text(f'model = {model_cfg(max_size=72)!r}\n')
    assert (load(file, path).sample(1, seed=3)[0] == expected).all()


def test_the_greatest_size(path):
    sampler = load(path, max_size=60)
    assert sampler.size == (40, 60)
    assert sampler.photograph.shape == (40, 60, 3)
    assert load(path, max_size=500).size == SIZE
    with pytest.raises(ValueError, match='too small.*within max_size=30'):
        load(path, max_size=30)


def test_a_checkpoint(tmp_path):
    sampler = sampler_of()
    checkpoint = tmp_path / 'model.pth'
    torch.save(dict(state_dict=sampler.model.state_dict()), checkpoint)
    loaded = load(Config(dict(model=model_cfg(max_size=72))), checkpoint)
    assert (loaded.photograph == sampler.photograph).all()
    expected = sampler.sample(1, seed=3)[0]
    assert (loaded.sample(1, seed=3)[0] == expected).all()
    # with the default model
    by_itself = load(checkpoint)
    assert (by_itself.photograph == sampler.photograph).all()
    assert by_itself.model.patch_size != sampler.model.patch_size


def test_a_checkpoint_without_a_photograph(tmp_path):
    checkpoint = tmp_path / 'model.pth'
    torch.save(dict(state_dict=dict(weight=torch.zeros(3))), checkpoint)
    for arguments in ((checkpoint, ), (Config(dict(model=model_cfg())),
                                       checkpoint)):
        with pytest.raises(ValueError, match='must have the photograph'):
            load(*arguments)


def test_a_text_is_no_photograph(tmp_path):
    path = tmp_path / 'text.png'
    path.write_text('This is not an image.')
    with pytest.raises(ValueError, match='text.png'):
        load(path)


def test_files_that_are_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.png'):
        load(tmp_path / 'none.png')
    with pytest.raises(FileNotFoundError, match='none.png'):
        load(Config(dict(model=model_cfg())), tmp_path / 'none.png')
    with pytest.raises(ValueError, match='must be a photograph'):
        load(Config(dict(model=model_cfg())))


def test_a_photograph_that_is_too_small(tmp_path):
    path = save_image(tmp_path / 'small.png', photograph(11, 60))
    with pytest.raises(ValueError, match='too small: it has 11 x 60'):
        load(path)


def test_a_photograph_goes_without_a_checkpoint(path):
    with pytest.raises(ValueError, match='cannot be combined.*photograph.png'):
        load(path, path)


def test_trained_models_have_a_size(trained):
    with pytest.raises(ValueError, match='`max_size` is for photographs'):
        load(small_config('mspie_spe_32-48-64'), trained()[1], max_size=60)


def test_the_model_of_a_photograph_keeps_the_layout(path):
    model = load(path).model
    expected = build_from(MODELS, dict(type='PatchDiffusion'))
    assert model.patch_size == expected.patch_size
    assert model.spread == expected.spread
    assert model.spread[0] < 1 and model.spread[-1] == math.inf
