import pytest
import torch

from mmpe.models.mspie import MSStyleGAN2Discriminator
from mmpe.models.stylegan2 import StyleGAN2Discriminator
from mmpe.models.stylegan2.discriminator import MinibatchStddev

from ..oracle import assert_close, build_pair, shapes


def reference_stddev(x, group_size, channel_groups, eps):
    """One group, channel group and sample after the other."""
    num, channels = x.shape[:2]
    group_size = min(num, group_size)
    per_group = channels // channel_groups
    maps = torch.zeros(num, channel_groups, *x.shape[2:])
    for start in range(num // group_size):
        members = range(start, num, num // group_size)
        for part in range(channel_groups):
            group = torch.stack([
                x[member, part * per_group:(part + 1) * per_group]
                for member in members
            ])
            mean = group.mean(dim=0)
            variance = sum((item - mean)**2 for item in group) / len(group)
            for member in members:
                maps[member, part] = (variance + eps).sqrt().mean()
    return torch.cat((x, maps), dim=1)


@pytest.mark.parametrize('num', [1, 3, 4, 8])
@pytest.mark.parametrize('channel_groups', [1, 2])
def test_minibatch_stddev(num, channel_groups):
    torch.manual_seed(0)
    x = torch.randn(num, 6, 3, 2)
    layer = MinibatchStddev(4, channel_groups)
    torch.testing.assert_close(
        layer(x), reference_stddev(x, 4, channel_groups, 1e-8))


@pytest.mark.parametrize('num', [1, 3, 8])
def test_several_batches_are_scored_as_if_alone(num):
    torch.manual_seed(0)
    network = StyleGAN2Discriminator(16, width=1 / 32)
    first, second = torch.randn(2, num, 3, 16, 16)
    scores = network(torch.cat((first, second)), num_batches=2)
    alone = torch.cat((network(first), network(second)))
    torch.testing.assert_close(scores, alone)
    if num != 3:  # which would not make groups
        joint = network(torch.cat((first, second)))
        assert not torch.allclose(joint, alone, rtol=1e-3)


def test_minibatch_stddev_refuses_other_batches():
    with pytest.raises(ValueError, match='`group_size` of 4 or divisible by '
                       'it, but got 6'):
        MinibatchStddev()(torch.zeros(6, 2, 1, 1))


@pytest.mark.parametrize('config', [
    dict(
        type='StyleGAN2Discriminator',
        img_channels=4,
        mbstd_cfg=dict(group_size=2)),
    dict(type='StyleGAN2Discriminator', input_bgr2rgb=True),
    dict(type='MSStyleGAN2Discriminator', blur_kernel=[1, 2, 2, 1]),
    dict(
        type='MSStyleGAN2Discriminator',
        with_adaptive_pool=True,
        pool_size=(1, 3)),
])
def test_options_against_mmagic(config):
    ours, theirs = build_pair(dict(config, in_size=32), 1 / 32)
    assert shapes(ours) == shapes(theirs)
    images = torch.randn(4, config.get('img_channels', 3), 32, 32)
    assert_close(ours(images), theirs(images))


def test_label_against_mmagic():
    ours, theirs = build_pair(
        dict(
            type='StyleGAN2Discriminator',
            in_size=16,
            cond_size=3,
            cond_mapping_channels=8,
            cond_mapping_layers=2), 1 / 32)
    assert shapes(ours) == shapes(theirs)
    images, label = torch.randn(2, 3, 16, 16), torch.rand(2, 3)
    assert_close(ours(images, label), theirs(images, label))
    with pytest.raises(ValueError, match='`label` must have 3 channels'):
        ours(images)


def test_adaptive_pool_takes_any_size():
    model = MSStyleGAN2Discriminator(32, width=1 / 32, with_adaptive_pool=True)
    for size in ((32, 32), (48, 64), (8, 8)):
        assert model(torch.randn(2, 3, *size)).shape == (2, 1)


@pytest.mark.parametrize('cls', [StyleGAN2Discriminator,
                                 MSStyleGAN2Discriminator])
def test_without_it_other_sizes_are_refused(cls):
    with pytest.raises(ValueError, match='Images must have 32 x 32 pixels'):
        cls(32, width=1 / 32)(torch.randn(2, 3, 48, 48))
    with pytest.raises(ValueError, match='`in_size` must be a power of 2'):
        cls(30)


def test_half_precision_blocks():
    torch.manual_seed(0)
    model = StyleGAN2Discriminator(16, width=1 / 32, num_fp16_scales=1)
    dtypes = []
    for block in model.convs:
        block.register_forward_hook(
            lambda module, args, output: dtypes.append(output.dtype))
    images = torch.randn(2, 3, 16, 16)
    scores = model(images)
    assert dtypes == [torch.bfloat16, torch.bfloat16, torch.float32]
    assert scores.dtype == torch.float32
    exact = StyleGAN2Discriminator(16, width=1 / 32)
    exact.load_state_dict(model.state_dict())
    assert_close(scores, exact(images), rtol=0.05)
