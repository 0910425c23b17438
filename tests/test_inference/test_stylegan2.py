"""StyleGAN2Sampler against the generator itself."""
import numpy as np
import pytest
import torch

from mmpe.inference import StyleGAN2Sampler, load


@pytest.fixture
def sampler(trained):
    return load(*trained())


def reference(generator, seed, **kwargs):
    """The image of a seed, uint8 RGB, without the sampler's help."""
    z = torch.randn(
        1,
        generator.noise_size,
        generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        image = generator(z, randomize_noise=False, **kwargs)[0]
    image = (image.numpy().astype(np.float64) + 1) * 127.5
    # channels are BGR
    return image[::-1].transpose(1, 2, 0).clip(0, 255)


def assert_same(image, expected):
    assert image.dtype == np.uint8
    assert image.shape == expected.shape
    assert np.abs(image - expected.astype(np.float64)).max() <= 1


@pytest.mark.parametrize('size, scale', [(None, 4), ((32, 32), 0),
                                         ((48, 80), (2, 6))])
def test_images_are_those_of_the_average(sampler, size, scale):
    model = sampler.model
    images = sampler.sample(3, size, seed=5)
    for seed, image in enumerate(images, start=5):
        assert_same(
            image,
            reference(
                model.generator_ema.module, seed, chosen_scale=scale))
    last = StyleGAN2Sampler(model, 'orig').sample(1, size, seed=5)[0]
    assert_same(last, reference(model.generator, 5, chosen_scale=scale))
    assert np.abs(last.astype(int) - images[0]).max() > 10


def test_one_picture_at_any_size(trained):
    sampler = load(*trained('mspie_consistent_32-48-64'))
    assert sampler.sizes == [(32, 32), (48, 48), (64, 64)]
    generator = sampler.model.generator_ema.module
    for size in (45, 70), (64, 64):
        image, = sampler.sample(1, size, seed=2)
        assert image.shape == (*size, 3)
        assert_same(image, reference(generator, 2, size=size))


def test_an_image_depends_on_its_seed_only(sampler):
    images = sampler.sample(5, seed=3)
    alone = sampler.sample(1, seed=6)[0]
    assert np.abs(images[3].astype(int) - alone).max() <= 1
    assert np.abs(images[2].astype(int) - alone).max() > 10
    drawn = [sampler.sample()[0] for _ in range(2)]
    assert (drawn[0] != drawn[1]).any()


def test_truncation(sampler):
    kwargs = dict(chosen_scale=4, truncation=0.5)
    generator = sampler.model.generator_ema.module
    assert_same(
        sampler.sample(1, seed=1, truncation=0.5)[0],
        reference(generator, 1, **kwargs))
    mean = sampler.sample(3, seed=1, truncation=0)
    assert (mean[0] == mean[1]).all() and (mean[0] == mean[2]).all()


def test_mix(sampler):
    originals = sampler.sample(4, seed=0)
    coarse, fine = range(2), range(2, 4)
    for num_coarse, expected in ((0, [originals[2:]] * 2),
                                 (8, [[x, x] for x in originals[:2]])):
        np.testing.assert_allclose(
            np.array(sampler.mix(coarse, fine, num_coarse), int),
            np.array(expected, int),
            atol=1)
    z = [
        torch.randn(1, 64, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 2)
    ]
    with torch.no_grad():
        image = sampler.model.generator_ema.module(
            z, inject_index=4, randomize_noise=False, chosen_scale=4)
    expected = ((image[0].numpy() + 1) * 127.5)[::-1].transpose(1, 2, 0)
    assert_same(sampler.mix(coarse, fine)[1][0], expected.clip(0, 255))


def test_interpolate(sampler):
    originals = sampler.sample(3, (32, 32), seed=7)
    frames = sampler.interpolate([7, 8, 9], steps=4, size=(32, 32))
    assert len(frames) == 12
    for frame, original in zip(frames[::4], originals):
        assert np.abs(frame.astype(int) - original).max() <= 1
    code = sampler.codes([7, 8]).mean(dim=0, keepdim=True)
    assert_same(frames[2], sampler.draw(code, (32, 32))[0])


def test_sizes(sampler, trained):
    assert sampler.sizes == [(32, 32), (48, 48), (64, 64)]
    assert sampler.size == (64, 64)
    with pytest.raises(ValueError, match=r'nearest is \(40, 64\)'):
        sampler.sample(1, (41, 66))
    plain = load(*trained('stylegan2_64'))
    assert plain.sizes == [(64, 64)]
    assert plain.sample()[0].shape == (64, 64, 3)
    with pytest.raises(ValueError, match=r'only size .* \(64, 64\), but got '
                       r'\(32, 32\)'):
        plain.sample(1, (32, 32))


@pytest.mark.parametrize('name', [
    'mspie_zero-pad_32-48-64', 'mspie_csg_32-48-64',
    'mspie_spe_no-pad_32-48-64'
])
def test_small_rows(trained, name):
    sampler = load(*trained(name))
    for size in sampler.sizes:
        assert sampler.sample(1, size)[0].shape == (*size, 3)


def test_bad_arguments(sampler):
    for call, message in (
        (lambda: sampler.sample(0), '`num` must be at least 1, but got 0'),
        (lambda: sampler.sample(truncation=1.5), 'from 0 to 1, but got 1.5'),
        (lambda: sampler.interpolate([0], 0), '`steps` must be at least 1'),
        (lambda: sampler.mix([0], [1], 9), 'from 0 to 8, but got 9'),
        (lambda: StyleGAN2Sampler(sampler.model, 'both'),
         "'ema' or 'orig', but got 'both'"),
        (lambda: StyleGAN2Sampler(sampler.model, batch_size=0),
         '`batch_size` must be at least 1')):
        with pytest.raises(ValueError, match=message):
            call()


def test_models_without_average(trained):
    model = load(*trained(ema_config=None)).model
    assert StyleGAN2Sampler(model).generator is model.generator
    with pytest.raises(ValueError, match='without `ema_config`'):
        StyleGAN2Sampler(model, 'ema')
