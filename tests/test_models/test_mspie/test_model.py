import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine import MessageHub
from mmengine.optim import OptimWrapper

from mmpe.engine.optimizers import BFloat16OptimWrapper
from mmpe.models.mspie import MSPIEStyleGAN2

from .networks import (assert_resume_is_exact, batch, mspie, optimizers,
                       train)


def test_one_process_trains_at_all_scales():
    model = mspie()
    sizes = []
    model.discriminator.register_forward_pre_hook(
        lambda module, args: sizes.extend(len(args[0]) * args[0].shape[-1:]))
    before = copy.deepcopy(model.state_dict())
    logs = train(model, optimizers(model), range(12))
    scales = [int(log['scale']) for log in logs]
    assert set(scales) == {0, 2, 4}
    # Real and fake in the D step and fake in the G step, of the same size.
    num = 3 * len(batch()['inputs'])
    expected = [(4 + scale) * 8 for scale in scales for _ in range(num)]
    assert sizes == expected
    assert all(torch.isfinite(log['loss']) for log in logs)
    changed = {
        name.split('.')[0] for name, value in model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {'generator', 'discriminator', 'generator_ema',
                       'mean_path_length'}


def test_other_discriminators_score_one_batch_at_a_time():
    model = mspie(loss_config=dict(r1_interval=3))
    torch.manual_seed(0)
    images = torch.randn(2, 3, 3, 32, 32)
    expected = model.disc_loss(*images, iteration=1)
    own = model.discriminator
    model.discriminator = torch.nn.Sequential(own)
    actual = model.disc_loss(*images, iteration=1)
    assert actual.keys() == expected.keys()
    for key, value in actual.items():
        torch.testing.assert_close(value, expected[key])


def test_relativistic_loss_and_both_penalties():
    model = mspie(
        loss_config=dict(
            adversarial='relativistic', r2_loss_weight=3., r1_loss_weight=2.,
            r1_interval=2))
    torch.manual_seed(0)
    reals, fakes = torch.randn(2, 4, 3, 32, 32)
    losses = model.disc_loss(fakes, reals, iteration=2)
    x, y = (images.clone().requires_grad_() for images in (reals, fakes))
    real, fake = model.discriminator(x), model.discriminator(y)
    expected = dict(
        loss_disc=(fake - real).exp().log1p().mean(),
        loss_r1_gp=2 * _squared_gradient(real, x),
        loss_r2_gp=3 * _squared_gradient(fake, y))
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)
    without, = model.disc_loss(fakes, reals, iteration=1).items()
    assert without[0] == 'loss_disc'
    torch.testing.assert_close(without[1], losses['loss_disc'])

    model.generator.forward = lambda *args, **kwargs: fakes
    loss = model.gen_loss(4, 1, reals)['loss_gen']
    torch.testing.assert_close(loss, (real - fake).exp().log1p().mean())


def _squared_gradient(scores, images):
    gradient, = torch.autograd.grad(
        scores.sum(), images, create_graph=True)
    return gradient.square().sum(dim=(1, 2, 3)).mean()


def test_relativistic_training():
    model = mspie(loss_config=dict(
        adversarial='relativistic', r2_loss_weight=1., r1_interval=2))
    logs = train(model, optimizers(model), range(6))
    assert len({int(log['scale']) for log in logs}) > 1
    assert all(torch.isfinite(log['loss']) for log in logs)
    assert ['loss_r2_gp' in log for log in logs] == 3 * [True, False]


def test_regularisers_are_lazy():
    model = mspie(loss_config=dict(r1_interval=3, g_reg_interval=2))
    logs = train(model, optimizers(model), range(6))
    assert ['loss_r1_gp' in log for log in logs] == 2 * [True, False, False]
    assert ['loss_path_regular' in log for log in logs] == 3 * [True, False]


def test_path_length_comes_by_with_accumulated_gradients():
    model = mspie(loss_config=dict(g_reg_interval=2))
    wrappers = optimizers(model, accumulative_counts=2)
    logs = train(model, wrappers, range(8))
    assert ['loss_gen' in log for log in logs] == 4 * [False, True]
    assert ['loss_path_regular' in log for log in logs[1::2]] == \
        2 * [True, False]


def test_accumulated_gradients_are_the_mean():
    step = dict(train_settings=dict(multi_input_scales=[0]),
                loss_config=dict(r1_interval=1))
    gradients = []
    for counts in (1, 2):
        model = mspie(**step)
        with torch.no_grad():  # the same fakes each time
            fakes = model.generator(torch.randn(
                2, 16, generator=torch.Generator().manual_seed(0)),
                randomize_noise=False)
        model.generator.forward = lambda *args, fakes=fakes, **kwargs: fakes
        wrapper = OptimWrapper(
            torch.optim.SGD(model.discriminator.parameters(), lr=0.),
            accumulative_counts=counts)
        wrapper.initialize_count_status(model.discriminator, 0, 8)
        wrapper.zero_grad = lambda: None
        MessageHub.get_current_instance().update_info('iter', 0)
        for _ in range(counts):
            data = model.data_preprocessor(batch(), True)
            model.train_discriminator(**data, optimizer_wrapper=wrapper)
        gradients.append([p.grad for p in model.discriminator.parameters()])
    for one, two in zip(*gradients):
        torch.testing.assert_close(one, two)


def test_styles_are_mixed_in_both_adversarial_steps():
    model = mspie()
    model.generator.mix_prob = 1.
    indices = []
    synthesize = model.generator.synthesize

    def record(latent, *args, **kwargs):
        first, last = latent[:, 0], latent[:, -1]
        indices.append(bool((first != last).any()))
        return synthesize(latent, *args, **kwargs)

    model.generator.synthesize = record
    train(model, optimizers(model), [1])  # no path length in this one
    assert indices == [True, True]


def test_no_graph_of_the_fakes_in_the_discriminator_step():
    model = mspie()
    grad_enabled = []
    model.generator.register_forward_pre_hook(
        lambda *args: grad_enabled.append(torch.is_grad_enabled()))
    train(model, optimizers(model), [1])
    assert grad_enabled == [False, True]


@pytest.mark.parametrize('where, sizes', [('base', [32] * 4),
                                          ('sampled', [48] * 4)])
def test_scale_of_the_path_length(where, sizes):
    model = mspie(
        train_settings=dict(
            path_length_scale=where, multi_input_scales=[2]))
    seen = []

    def record(module, args, kwargs, output):
        if kwargs.get('return_latents'):
            seen.append(output['fake_img'].shape[-1])

    model.generator.register_forward_hook(record, with_kwargs=True)
    train(model, optimizers(model), range(0, 16, 4))
    assert seen == sizes


@pytest.mark.parametrize('antialias', [False, True])
def test_filter_of_the_real_images(antialias):
    model = mspie(train_settings=dict(antialias=antialias))
    reals = batch(size=64)['inputs'][0][None]
    expected = F.interpolate(
        reals, size=(48, 48), mode='bilinear',
        **(dict(antialias=True) if antialias else dict(align_corners=True)))
    actual = model.match_reals(reals, dict(chosen_scale=2))
    torch.testing.assert_close(actual, expected)


def test_resume_is_exact():
    assert_resume_is_exact()


def test_bfloat16_reaches_the_losses_of_float32():
    logs = []
    for wrapper in (OptimWrapper, BFloat16OptimWrapper):
        model = mspie()
        model.generator.mix_prob = 0.
        torch.manual_seed(3)
        logs.append(train(model, optimizers(model, wrapper), range(6)))
    for exact, half in zip(*logs):
        assert set(exact) == set(half)
        for name, value in exact.items():
            assert half[name].dtype == torch.float32
            # The path length is the root of a squared gradient.
            rtol = 0.2 if name == 'loss_path_regular' else 0.05
            torch.testing.assert_close(half[name], value, rtol=rtol, atol=0.02)


@pytest.mark.parametrize('sample_model', ['ema', 'orig'])
def test_sampling_at_any_size(sample_model):
    model = mspie().eval()
    inputs = dict(
        num_batches=2,
        sample_model=sample_model,
        sample_kwargs=dict(
            chosen_scale=(1, 3), truncation=0.7, randomize_noise=False))
    samples = model(inputs)
    assert len(samples) == 2
    assert samples[0].fake_img.shape == (3, 40, 56)
    assert 0 <= samples[0].fake_img.min() <= samples[0].fake_img.max() <= 255
    with pytest.raises(ValueError, match='must be at least -3'):
        model(dict(num_batches=1, sample_kwargs=dict(chosen_scale=-4)))


def test_checkpoints_of_0x_load():
    model = mspie()
    torch.nn.init.normal_(model.generator_ema.module.conv1.activate.bias)
    state = {
        key.replace('generator_ema.module.', 'generator_ema.'): value
        for key, value in model.state_dict().items()
        if key not in ('generator_ema.steps', 'mean_path_length')
    }
    other = mspie()
    keys = other.load_state_dict(state, strict=False)
    assert keys.missing_keys == ['mean_path_length']
    assert not keys.unexpected_keys
    assert torch.equal(other.generator_ema.module.conv1.activate.bias,
                       model.generator_ema.module.conv1.activate.bias)


def test_sampling_needs_no_discriminator():
    model = MSPIEStyleGAN2(
        generator=mspie().generator,
        train_settings=dict(multi_input_scales=[0]))
    assert model(dict(num_batches=1))[0].fake_img.shape == (3, 32, 32)


@pytest.mark.parametrize('settings, message', [
    (dict(scales=[0]), r"`train_settings` must have keys .*\['scales'\]"),
    (dict(num_upblocks=6), '`num_upblocks` must be 3 for a generator'),
    (dict(path_length_scale='all'), "must be 'base' or 'sampled'"),
    (dict(multi_scale_probability=[0.5, 0.5]), 'one value for each of 3'),
    (dict(multi_input_scales=[0, -4, 2]), 'at least -3'),
])
def test_bad_train_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        mspie(train_settings=settings)


@pytest.mark.parametrize('config, message', [
    (dict(r1_weight=3), r"`loss_config` must have keys .*\['r1_weight'\]"),
    (dict(adversarial='hinge'), "must be 'logistic' or 'relativistic'"),
    (dict(r1_interval=0), '`r1_interval` of `loss_config` must be a positive'),
])
def test_bad_losses(config, message):
    with pytest.raises(ValueError, match=message):
        mspie(loss_config=config)
