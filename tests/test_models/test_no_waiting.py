"""No iteration waits for the device, nor copies to it but images."""
import pytest
import torch
from mmengine import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict

from mmpe.engine.optimizers import Adam
from mmpe.registry import MODELS, build_from

from .no_waiting import DEVICE, waits
from .test_mspie.networks import POLICIES, batch, mspie
from .test_mspie.test_context import GENERATOR as CONTEXT
from .test_singan.conftest import HEADS, SIZES, context_cfg, model_cfg
from .test_singan.training import build, train

DOUBLED = [(12, 16), (24, 32)]
STYLEGAN2 = dict(
    type='StyleGAN2',
    generator=dict(
        type='StyleGANv2Generator', out_size=32, style_channels=16,
        width=1 / 32),
    discriminator=dict(
        type='StyleGAN2Discriminator', in_size=32, width=1 / 32),
    ema_config=dict(type='ExponentialMovingAverage', momentum=.1))


def waits_of_style(model):
    """What waits in an iteration with all penalties, and in one without."""
    model = model.to(DEVICE)
    wrappers = OptimWrapperDict(
        **{
            name: OptimWrapper(Adam(getattr(model, name).parameters()))
            for name in ('generator', 'discriminator')
        })
    with waits() as found:
        for iteration in (0, 1):
            MessageHub.get_current_instance().update_info('iter', iteration)
            model.train_step(batch(num=2), wrappers)
    return found


def assert_only_images(found):
    """Of each image there are two copies, for `inputs` and for `gt_img`."""
    assert len(found) == 2 * 2 * 2
    assert all(line.startswith('copy') and '/mmengine/' in line
               for line in found)


@pytest.mark.slow
@pytest.mark.parametrize(
    'row, scale', [*((row, 2) for row in POLICIES), (next(iter(POLICIES)), 0)])
def test_mspie(row, scale):
    assert_only_images(
        waits_of_style(
            mspie(row, train_settings=dict(multi_input_scales=[scale]))))


@pytest.mark.slow
@pytest.mark.parametrize('probability', [0., 1.])
def test_mspie_with_context(probability):
    assert_only_images(
        waits_of_style(
            mspie(
                type='ContextMSPIEStyleGAN2',
                generator=CONTEXT,
                region_probability=probability,
                consistency_interval=1)))


def test_stylegan2():
    assert_only_images(waits_of_style(build_from(MODELS, STYLEGAN2)))


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['Augmentation', 'AdaptiveAugmentation'])
def test_augmentation(kind):
    more = dict(interval=1) if kind == 'AdaptiveAugmentation' else {}
    config = dict(STYLEGAN2, augmentation=dict(type=kind, **more))
    assert_only_images(waits_of_style(build_from(MODELS, config)))
    assert_only_images(
        waits_of_style(mspie(augmentation=config['augmentation'])))


def waits_of_singan(cfg, sizes):
    """What waits in a scale's iterations, but for its first and last ones."""
    model, wrappers = build(cfg, DEVICE)
    train(model, wrappers, [0], sizes)
    model.noise_weights.append(.1)
    first = model.iters_of_scale
    train(model, wrappers, range(first, first + 3), sizes)
    with waits() as found:
        train(model, wrappers, range(first + 3, 2 * first - 1), sizes)
    return found


@pytest.mark.slow
@pytest.mark.parametrize('head', HEADS)
def test_singan(head):
    ema = dict(type='ExponentialMovingAverage', momentum=.1)
    cfg = model_cfg(head, num_scales=1, iters_per_scale=3, ema_config=ema)
    assert waits_of_singan(cfg, SIZES[:2]) == []


@pytest.mark.slow
@pytest.mark.parametrize('encoding', ['CSG', 'SPE'])
@pytest.mark.parametrize('objective', ['WholeImages', 'EditedLayouts'])
def test_context_singan(encoding, objective):
    embedding = dict(embedding_dim=8) if encoding == 'SPE' else {}
    more = dict(probability=1) if objective == 'EditedLayouts' else {}
    cfg = context_cfg(
        positional_encoding=dict(type=encoding, **embedding),
        num_scales=1,
        iters_per_scale=6,
        objective=dict(type=objective, penalty_interval=2, **more))
    assert waits_of_singan(cfg, DOUBLED) == []


def test_they_are_found():
    x, mask = torch.ones(3, device=DEVICE), torch.ones(3, device=DEVICE) > 0
    host = torch.ones(3)
    with waits() as found:
        x.to(DEVICE) + 1 + torch.tensor(2.)
        assert found == []
        for wait in (lambda: x.sum().item(), lambda: x[mask],
                     lambda: mask.nonzero(), lambda: bool(x[0] > 0)):
            with pytest.raises((RuntimeError, NotImplementedError)):
                wait()
        host.to(DEVICE)
        torch.tensor([1., 2.], device=DEVICE)
        x.new_tensor(3.)
        x.copy_(host)
        x[[0, 1]]
    kinds = [line.split(':')[0] for line in found]
    assert kinds[:4] == ['read'] * 4
    assert kinds[4:8] == [
        'copy', 'made from numbers', 'made from numbers', 'copy'
    ]
    assert 'made from numbers' in kinds[8:]
