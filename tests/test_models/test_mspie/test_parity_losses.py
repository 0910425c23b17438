"""Losses and gradients of all 13 rows against MMagic's."""
import pytest
import torch
from mmagic.models.data_preprocessors import DataPreprocessor
from mmagic.structures import DataSample
from mmengine import MessageHub

from mmpe.registry import MODELS, build_from

from .. import oracle
from ..oracle import ROWS, float64  # noqa: F401

WIDTH = 1 / 64
SIZE = 64  # instead of 256 or 512; the further blocks are like the last


@pytest.fixture(autouse=True)
def first_iteration():
    MessageHub.get_current_instance().update_info('iter', 0)


def models(row):
    """Our model and MMagic's StyleGAN2, whose losses MS-PIE shares."""
    from mmagic.models.editors.stylegan2 import StyleGAN2
    config = oracle.row_model(row)
    # Style mixing draws from other generators in MMagic.
    generators = oracle.build_pair(
        dict(config.generator, mix_prob=0., out_size=SIZE), WIDTH)
    discriminators = oracle.build_pair(
        dict(config.discriminator, in_size=SIZE), WIDTH)
    kwargs = dict(loss_config=config.loss_config)
    theirs = StyleGAN2(
        generators[1], discriminators[1], DataPreprocessor(),
        **kwargs)
    if 'train_settings' in config:
        kwargs['train_settings'] = dict(
            config.train_settings, num_upblocks=4)
    ours = build_from(
        MODELS,
        dict(
            type=config.type,
            generator=generators[0],
            discriminator=discriminators[0],
            **kwargs))
    for model in (ours, theirs):
        model.mean_path_length.fill_(0.7)
    return ours, theirs, config


def assert_same_gradients(ours, theirs):
    expected = dict(theirs.named_parameters())
    for name, param in ours.named_parameters():
        if expected[name].grad is None:
            # A term MMagic leaves out must not matter in ours.
            assert param.grad is None or not param.grad.any(), name
        else:
            oracle.assert_close(param.grad, expected[name].grad)


def check_discriminator_loss(ours, theirs, scale):
    torch.manual_seed(1)
    size = ours.discriminator.in_size * (4 + scale) // 4
    fakes, reals = torch.randn(2, 2, 3, size, size).unbind()
    disc = theirs.discriminator
    expected, expected_log = theirs.disc_loss(disc(fakes), disc(reals), reals)
    loss, log = ours.parse_losses(ours.disc_loss(fakes, reals, 0))
    assert {'loss_disc_fake', 'loss_disc_real', 'loss_r1_gp'} < set(log)
    for key, value in expected_log.items():
        oracle.assert_close(log[key].detach(), value.detach())
    expected.backward()
    loss.backward()
    assert_same_gradients(ours.discriminator, disc)


def check_generator_loss(ours, theirs):
    torch.manual_seed(1)
    fakes = theirs.generator(theirs.noise_fn(num_batches=2))
    expected, expected_log = theirs.gen_loss(theirs.discriminator(fakes), 2)
    expected.backward()
    torch.manual_seed(1)
    ours.sample_kwargs = lambda iteration: {}  # the base scale
    loss, log = ours.parse_losses(ours.gen_loss(2, 0))
    loss.backward()
    assert {'loss_gen', 'loss_path_regular'} < set(log)
    for key, value in expected_log.items():
        oracle.assert_close(log[key].detach(), value.detach())
    oracle.assert_close(ours.mean_path_length, theirs.mean_path_length)
    assert_same_gradients(ours.generator, theirs.generator)


@pytest.mark.slow
@pytest.mark.parametrize('row', ROWS)
def test_losses(row, float64):  # noqa: F811
    ours, theirs, _ = models(row)
    # One row at another scale: all of these discriminators are alike.
    check_discriminator_loss(ours, theirs, 2 if 'config-f_c2' in row else 0)
    check_generator_loss(ours, theirs)


def test_model_state_dict_has_the_same_keys():
    from mmagic.models.editors.stylegan2 import StyleGAN2
    ours, theirs, _ = models(ROWS[0])
    ema = dict(type='ExponentialMovingAverage', momentum=0.1)
    theirs = StyleGAN2(theirs.generator, theirs.discriminator,
                       DataPreprocessor(), ema_config=dict(ema))
    ours = build_from(
        MODELS,
        dict(
            type='StyleGAN2',
            generator=ours.generator,
            discriminator=ours.discriminator,
            ema_config=ema))
    assert oracle.shapes(ours) == oracle.shapes(theirs)
    sample = ours(dict(num_batches=2))
    assert isinstance(sample[0], DataSample)
