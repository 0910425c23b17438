"""MS-PIE that draws one picture at every size."""
import copy

import pytest
import torch

from mmpe.functional.resample import resize_images
from mmpe.models.mspie.scales import RegionSampler, other_scale
from mmpe.registry import MODELS, build_from

from .networks import DISCRIMINATOR, SPE, mspie, optimizers, train

GENERATOR = dict(
    type='MSContextStyleGANv2Generator',
    out_size=32,
    style_channels=16,
    width=1 / 32,
    head_pos_encoding=dict(type='SPE', embedding_dim=8))
CENTRED = dict(SPE, centered=True)


def generator(**kwargs):
    torch.manual_seed(0)
    return build_from(MODELS, {**GENERATOR, **kwargs})


def model(**kwargs):
    torch.manual_seed(0)
    return mspie(
        type='ContextMSPIEStyleGAN2', generator=generator(), **kwargs)


def codes(num=2):
    return torch.randn(num, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('encoding', [dict(type='CSG'), SPE, CENTRED])
def test_a_part_is_cut_out_of_the_whole(encoding):
    network = generator(head_pos_encoding=encoding)
    whole = network(codes(), chosen_scale=4)
    assert whole.shape == (2, 3, 64, 64)
    part = network(
        codes(), chosen_scale=(0, -2), region=(.25, .75, .5, .25))
    assert part.shape == (2, 3, 32, 16)
    torch.testing.assert_close(part, whole[..., 16:48, 48:])


@pytest.mark.parametrize('out_size', [8, 16, 64])
def test_contexts_are_used_up(out_size):
    network = generator(out_size=out_size)
    assert network.contexts[-1] == 0
    assert network(codes(), chosen_scale=(1, -3)).shape == (
        2, 3, 5 * out_size // 4, out_size // 4)


def test_positions_of_the_range_are_those_of_the_rows():
    network = generator(position_range=8)
    context = network.contexts[0] + 1
    codes_ = network.first_map((4, 4))
    assert codes_.shape[-2:] == (8 + 2 * context, ) * 2
    torch.testing.assert_close(
        codes_[..., context:-context, context:-context],
        network.head_pos_enc.make_grid2d(8, 8))


def test_positions_belong_to_the_picture():
    network = generator(head_pos_encoding=dict(type='CSG'))
    context = network.contexts[0] + 1
    edges = []
    for scale in (0, 4):
        x = network.first_map((scale, scale))[0, 0, context, context:-context]
        step = x[1] - x[0]
        edges.append((x[0] - step / 2, x[-1] + step / 2))
    torch.testing.assert_close(edges[0], edges[1])


def test_wrong_arguments():
    with pytest.raises(ValueError, match='position_range'):
        generator(position_range=1)
    with pytest.raises(ValueError, match='at least -3'):
        generator()(codes(), chosen_scale=-4)
    for name, value in (('region_probability', 1.5), ('smallest_region', 0),
                        ('consistency_interval', 0)):
        with pytest.raises(ValueError, match=name):
            model(**{name: value})
    with pytest.raises(ValueError, match='must be 5 .* but got 3'):
        model(show_places=True)
    with pytest.raises(ValueError, match='height and a width'):
        generator()(codes(), size=(0, 32))


def test_regions_depend_on_seed_and_iteration():
    sampler = RegionSampler(0.5, 0.6, seed=3)
    regions = [sampler.at(iteration) for iteration in range(400)]
    assert regions == [
        RegionSampler(0.5, 0.6, seed=3).at(iteration)
        for iteration in range(400)
    ]
    parts = [region for region in regions if region]
    assert 150 < len(parts) < 250
    for top, left, height, width in parts:
        assert height == width and 0.6 <= height <= 1
        assert 0 <= top <= 1 - height and 0 <= left <= 1 - width
    assert min(part[2] for part in parts) < 0.65
    assert all(RegionSampler(0., 0.5).at(i) is None for i in range(20))
    assert all(RegionSampler(1., 0.5).at(i) for i in range(20))


def test_scales_are_compared_in_turn():
    assert {other_scale([0, 2, 4], 2, i) for i in range(4)} == {0, 4}
    assert other_scale([3], 3, 5) == 3


def test_networks_see_the_same_parts():
    network = model(region_probability=0.5, smallest_region=0.5)
    regions, sizes = [], []
    network.generator.register_forward_pre_hook(
        lambda module, args, kwargs: regions.append(kwargs.get('region')),
        with_kwargs=True)
    network.discriminator.register_forward_pre_hook(
        lambda module, args: sizes.append(tuple(args[0].shape[-2:])))
    for iteration in range(1, 4):
        kwargs = network.sample_kwargs(iteration)
        train(network, optimizers(network), [iteration])
        # Fakes of both steps, and two images of each latent in the third.
        expected = [kwargs.get('region')] * (4 if iteration == 3 else 2)
        assert regions == expected
        assert set(sizes) == {network.size_of(kwargs['chosen_scale'])}
        regions.clear(), sizes.clear()


def test_discriminator_is_told_the_places():
    network = model(
        region_probability=0.5,
        smallest_region=0.5,
        show_places=True,
        discriminator=dict(DISCRIMINATOR, img_channels=5))
    seen = []
    network.discriminator.register_forward_pre_hook(
        lambda module, args: seen.append(args[0].detach()))
    regions = [network.region_sampler.at(i) for i in range(6)]
    assert None in regions and any(regions)
    for iteration, region in enumerate(regions):
        train(network, optimizers(network), [iteration], size=96)
        top, left, height, width = region or (0, 0, 1, 1)
        for images in seen:
            y, x = images[:, 3], images[:, 4]
            step = 2 * height / y.shape[1], 2 * width / x.shape[2]
            for actual, start, extent, pixel in (
                    (y[:, :, 0], top, height, step[0]),
                    (x[:, 0], left, width, step[1])):
                first, last = 2 * start - 1, 2 * (start + extent) - 1
                torch.testing.assert_close(
                    actual[:, [0, -1]],
                    torch.tensor([first + pixel / 2, last - pixel / 2]
                                 ).expand(len(actual), 2))
            assert (y == y[:, :, :1]).all() and (x == x[:, :1]).all()
        assert seen
        seen.clear()


def test_real_images_are_cut_like_the_generators():
    network = model(train_settings=dict(antialias=True))
    images = torch.rand(2, 3, 96, 96)
    actual = network.match_reals(
        images, dict(chosen_scale=4, region=(1 / 3, 0., 2 / 3, 2 / 3)))
    torch.testing.assert_close(actual, images[..., 32:, :64])
    images = torch.rand(2, 3, 128, 128)
    whole = torch.nn.functional.avg_pool2d(images, 2)
    torch.testing.assert_close(
        network.match_reals(images, dict(chosen_scale=4)), whole)
    torch.testing.assert_close(
        network.match_reals(images, dict(chosen_scale=2)),
        resize_images(whole, (48, 48)))


def test_consistency_is_the_difference_of_two_scales():
    network = model(consistency_weight=3., consistency_interval=2)
    drawn = []
    network.generator.register_forward_hook(
        lambda module, args, output: drawn.append(
            output['fake_img'] if isinstance(output, dict) else output))
    loss = network.consistency_loss(2, iteration=0)
    x, y = drawn
    assert x.shape != y.shape
    size = min(x.shape[-2:], y.shape[-2:])
    difference = resize_images(x, size) - resize_images(y, size)
    torch.testing.assert_close(loss, 6 * difference.abs().mean())
    loss.backward()
    assert network.generator.conv1.conv.weight_orig.grad.abs().sum() > 0


def test_training_makes_the_scales_agree():
    network = model(consistency_weight=10., consistency_interval=1)
    wrapper = optimizers(network)['generator']
    losses = []
    for iteration in range(40):
        loss = network.consistency_loss(4, iteration)
        wrapper.update_params(loss)
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


@pytest.mark.parametrize('adversarial', ['logistic', 'relativistic'])
def test_it_trains_and_logs(adversarial):
    network = model(
        loss_config=dict(
            adversarial=adversarial, r1_interval=3, g_reg_interval=2),
        augmentation=dict(type='Augmentation'))
    before = copy.deepcopy(network.generator.state_dict())
    logs = train(network, optimizers(network), range(8), size=96)
    assert ['loss_consistency' in log for log in logs] == 2 * [
        False, False, False, True]
    assert all(torch.isfinite(log['loss']) for log in logs)
    changed = {
        name for name, value in network.generator.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {
        name for name, parameter in network.generator.named_parameters()
        if parameter.requires_grad
    }


@pytest.mark.parametrize('size', [(32, 32), (45, 70), (3, 100)])
def test_any_size(size):
    network = model()
    kwargs = network.kwargs_for_size(size)
    assert network.generator(codes(), **kwargs).shape == (2, 3, *size)


def test_a_size_is_a_whole_picture():
    network = generator()
    torch.testing.assert_close(
        network(codes(), size=(48, 64)), network(codes(), chosen_scale=(2, 4)))
    # Five cells of which the last is half beyond the picture.
    outputs = network(codes(), size=(36, 36), return_latents=True)
    drawn = network.synthesize(
        outputs['latent'], [None] * network.num_injected_noises, (1, 1), False,
        region=(0., 0., 10 / 9, 10 / 9))[0]
    torch.testing.assert_close(outputs['fake_img'], drawn[..., :36, :36])
