import pytest
import torch

from mmpe.functional.memory_format import contiguous_maps
from mmpe.registry import MODELS, build_from


def gradients():
    """Images, scores and gradients of second order of small networks."""
    torch.manual_seed(0)
    generator, discriminator = (
        build_from(MODELS, dict(cfg, width=1 / 32)) for cfg in (
            dict(type='StyleGANv2Generator', out_size=32, style_channels=16),
            dict(type='StyleGAN2Discriminator', in_size=32)))
    seen = []
    generator.convs[0].conv.register_forward_pre_hook(
        lambda module, args: seen.append(args[0]))
    images = generator(torch.randn(2, 16), randomize_noise=False)
    scores = discriminator(images)
    gradient, = torch.autograd.grad(scores.sum(), images, create_graph=True)
    (gradient.square().sum() + scores.sum()).backward()
    grads = [p.grad for net in (generator, discriminator)
             for p in net.parameters() if p.grad is not None]
    return [images.detach(), scores.detach(), *grads], seen[0]


def test_both_formats_are_the_same():
    expected, x = gradients()
    assert x.is_contiguous(memory_format=torch.channels_last)
    with contiguous_maps():
        actual, x = gradients()
    assert x.is_contiguous()
    assert len(actual) == len(expected)
    for a, b in zip(actual, expected):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


def test_it_ends():
    with pytest.raises(ZeroDivisionError), contiguous_maps():
        raise ZeroDivisionError
    assert not gradients()[1].is_contiguous()
