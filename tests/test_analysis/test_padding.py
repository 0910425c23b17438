import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmpe.analysis import (ARCHITECTURES, MODES, change_inputs, pad_with,
                           untrained)
from mmpe.models.layers.resample import FIRFilter

KINDS = ('reflect', 'replicate', 'circular')


def noise(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed))


def run(model, mode, *args, **kwargs):
    with torch.no_grad(), pad_with(model, mode, **kwargs):
        return model(*args)


@pytest.mark.parametrize('mode', KINDS)
@pytest.mark.parametrize('kernel, stride, padding, dilation',
                         [(3, 1, 1, 1), (5, 1, 2, 1), (3, 1, 2, 2),
                          (4, 2, 1, 1), (7, 2, 3, 1)])
def test_convolution(mode, kernel, stride, padding, dilation):
    options = dict(stride=stride, padding=padding, dilation=dilation)
    conv = nn.Conv2d(3, 4, kernel, **options)
    reference = nn.Conv2d(3, 4, kernel, padding_mode=mode, **options)
    reference.load_state_dict(conv.state_dict())
    x = noise(2, 3, 8, 10)
    assert torch.allclose(run(conv, mode, x), reference(x), atol=1e-6)


@pytest.mark.parametrize('padding', ['same', (1, 2)])
def test_convolution_with_other_paddings(padding):
    conv = nn.Conv2d(3, 4, (3, 5), padding=padding)
    x = noise(2, 3, 8, 10)
    expected = F.conv2d(
        F.pad(x, (2, 2, 1, 1), mode='circular'), conv.weight, conv.bias)
    assert torch.allclose(run(conv, 'circular', x), expected, atol=1e-6)


@pytest.mark.parametrize('mode', KINDS)
@pytest.mark.parametrize('kernel, padding, output_padding', [(4, 1, 0),
                                                             (3, 1, 1)])
def test_transposed_convolution(mode, kernel, padding, output_padding):
    conv = nn.ConvTranspose2d(3, 4, kernel, 2, padding, output_padding)
    x = noise(2, 3, 5, 6)
    larger = conv(F.pad(x, (2, 2, 2, 2), mode=mode))
    assert torch.allclose(
        run(conv, mode, x), larger[..., 4:14, 4:16], atol=1e-6)
    assert not torch.allclose(conv(x), larger[..., 4:14, 4:16], atol=1e-2)


def test_filter_pooling_and_padding_layers():
    x = noise(2, 3, 6, 8)
    larger = F.pad(x, (4, ) * 4, mode='circular')
    for layer, crop, up in ((FIRFilter.upsampler(), 4, 2),
                            (nn.AvgPool2d(3, 2, 1), 4, 0.5),
                            (nn.MaxPool2d(3, 2, 1), 4, 0.5)):
        first = int(crop * up)
        expected = layer(larger)[..., first:first + int(6 * up),
                                 first:first + int(8 * up)]
        assert torch.allclose(run(layer, 'circular', x), expected, atol=1e-6)
    assert torch.equal(
        run(nn.ZeroPad2d((1, 2, 0, 3)), 'circular', x),
        F.pad(x, (1, 2, 0, 3), mode='circular'))


@pytest.mark.parametrize('name', ARCHITECTURES)
def test_architectures(name):
    subject = untrained(name, 32, seed=3)
    model = subject.model
    before = {key: value.clone() for key, value in model.state_dict().items()}
    attributes = [dict(vars(module)) for module in model.modules()]
    plain = subject.run(2, 0)
    outputs = []
    for mode in MODES:
        with pad_with(model, mode, subject.margin):
            outputs.append(subject.run(2, 0))
        assert outputs[-1].shape == plain.shape
        # exactly as it was, and nothing left behind
        assert torch.equal(subject.run(2, 0), plain)
    assert torch.equal(outputs[0], plain)
    for index, out in enumerate(outputs[1:], start=1):
        assert not any(
            torch.allclose(out, other, atol=1e-4)
            for other in outputs[:index])
    for module, attribute in zip(model.modules(), attributes):
        assert list(vars(module)) == list(attribute)
        # PGGAN itself sets a weight in each call
        assert all(value is attribute[key]
                   for key, value in vars(module).items() if key != 'weight')
        assert not module._forward_hooks
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


@pytest.mark.parametrize('name', ['dcgan', 'pggan', 'stylegan2', 'mspie-spe'])
def test_a_larger_margin_changes_nothing(name):
    subject = untrained(name, 32, seed=3)
    outputs = []
    for extra in (0, 2):
        with pad_with(subject.model, 'none', subject.margin + extra):
            outputs.append(subject.run(2, 0))
    assert torch.allclose(*outputs, atol=1e-5)


@pytest.mark.parametrize('name', ['dcgan', 'pggan', 'stylegan2'])
def test_circular_networks_are_equivariant(name):
    subject = untrained(name, 32, seed=3)

    def roll(x, ratio):
        return x.roll((1, 2), dims=(2, 3))

    with pad_with(subject.model, 'circular'):
        plain = subject.run(2, 0)
        with change_inputs(subject.model, roll):
            shifted = subject.run(2, 0)
    assert torch.allclose(shifted, plain.roll((8, 16), (2, 3)), atol=1e-5)


def test_state_after_an_error():
    conv = nn.Conv2d(3, 4, 3, padding=1)
    x = noise(1, 3, 5, 5)
    plain = conv(x)
    with pytest.raises(KeyError), pad_with(conv, 'circular'):
        raise KeyError
    assert torch.equal(conv(x), plain)


def test_refuses_by_name():

    class Functional(nn.Module):

        def __init__(self):
            super().__init__()
            self.kernel = nn.Parameter(torch.zeros(4, 3, 3, 3))

    for layer, text in (
        (Functional(), r'`net.1` \(Functional\) .* `kernel` of shape '
         r'\(4, 3, 3, 3\)'), (nn.Conv3d(1, 2, 3), r'`net.1` \(Conv3d\)'),
        (nn.ConvTranspose2d(1, 1, 3, (1, 2)), r'`net.1` .*stride is \(1, 2\)'),
        (nn.Conv2d(1, 1, 3, (2, 1), 1), r'`net.1` .*stride is \(2, 1\)'),
        (FIRFilter.before_conv((1, 3, 3, 1), 3), r'`net.1` \(FIRFilter\)')):
        model = nn.ModuleDict(dict(net=nn.Sequential(nn.ReLU(), layer)))
        with pytest.raises(ValueError, match=text):
            with pad_with(model, 'reflect'):
                pass
    with pytest.raises(ValueError, match="`mode` must be .* but got 'ones'"):
        with pad_with(nn.ReLU(), 'ones'):
            pass
    with pytest.raises(ValueError, match="`first_map` .* but got 'a'"):
        with pad_with(nn.ReLU(), 'none', 1, first_map='a'):
            pass
