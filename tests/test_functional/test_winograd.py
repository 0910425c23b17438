import contextlib
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch.nn.grad import conv2d_weight

from mmpe.functional import winograd
from mmpe.functional.conv import conv2d
from mmpe.functional.winograd import (direct_convolutions, winograd_conv2d,
                                      winograd_is_faster, winograd_weight_grad)

# Heights and widths that fill tiles of 4 x 4 and that do not.
SIZES = [(8, 8), (9, 11), (3, 6), (14, 5)]


def tensors(size, dtype=torch.float64, num=2):
    torch.manual_seed(0)
    return (torch.randn(num, 3, *size, dtype=dtype),
            torch.randn(4, 3, 3, 3, dtype=dtype))


@pytest.fixture(params=[1, 3, 128])
def tiles_in_a_piece(request, monkeypatch):
    monkeypatch.setattr(winograd, '_TILES', request.param)


@pytest.fixture
def everywhere(monkeypatch):
    """Let small convolutions be computed by the module too."""
    for name in ('_LEAST_CHANNELS', '_LEAST_CHANNELS_OF_WEIGHT_GRAD',
                 '_LEAST_TILES'):
        monkeypatch.setattr(winograd, name, 1)
    monkeypatch.setattr('mmpe.functional.conv._FEW_CHANNELS', 0)


@pytest.mark.parametrize('memory_format',
                         [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize('padding', [0, 1, 2])
@pytest.mark.parametrize('size', SIZES)
def test_values(size, padding, memory_format, tiles_in_a_piece):
    x, weight = (
        tensor.contiguous(memory_format=memory_format)
        for tensor in tensors(size))
    bias = torch.randn(4, dtype=x.dtype)
    expected = F.conv2d(x, weight, bias, padding=padding)
    out = winograd_conv2d(x, weight, bias, padding)
    torch.testing.assert_close(out, expected)
    assert out.is_contiguous(memory_format=torch.channels_last)

    grad = torch.randn_like(expected)
    torch.testing.assert_close(
        winograd_weight_grad(x, grad, padding),
        conv2d_weight(x, weight.shape, grad, padding=padding))


def test_rounding_errors():
    torch.manual_seed(0)
    x, weight = torch.randn(1, 128, 32, 32), torch.randn(128, 128, 3, 3)
    expected = F.conv2d(x.double(), weight.double(), padding=1)
    error = (winograd_conv2d(x, weight, padding=1) - expected).abs().max()
    assert error < 2e-5 * expected.abs().max()
    expected = conv2d_weight(
        x.double(), weight.shape, expected, padding=1)
    actual = winograd_weight_grad(
        x, F.conv2d(x.double(), weight.double(), padding=1).float(), 1)
    assert (actual - expected).abs().max() < 2e-5 * expected.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize('padding', [0, 1])
def test_gradients(padding, everywhere):
    x, weight = (tensor.requires_grad_() for tensor in tensors((9, 6)))
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)

    def conv(*args):
        return conv2d(*args, padding=padding)

    assert torch.autograd.gradcheck(conv, (x, weight, bias))
    assert torch.autograd.gradgradcheck(conv, (x, weight, bias))


@pytest.fixture
def used(monkeypatch):
    """Which of the module's functions were called."""
    names = []
    for name in ('winograd_conv2d', 'winograd_weight_grad'):

        def called(*args, name=name, function=getattr(winograd, name)):
            names.append(name)
            return function(*args)

        monkeypatch.setattr(f'mmpe.functional.conv.{name}', called)
    return names


def test_outputs_to_be_differentiated_are_exact(everywhere, used):
    x, weight = tensors((9, 6), torch.float32)
    bias = torch.randn(4)
    with torch.no_grad():
        out = conv2d(x, weight, bias, padding=1)
    assert used == ['winograd_conv2d']
    assert 0 < (out - F.conv2d(x, weight, bias, padding=1)).abs().max() < 1e-4

    x.requires_grad_()
    out = conv2d(x, weight, bias, padding=1)
    assert used == ['winograd_conv2d']
    assert out.equal(F.conv2d(x, weight, bias, padding=1))
    # But this gradient need not be, nor what is made from it.
    grad, = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    grad.square().sum().backward()
    assert used[1:] == ['winograd_conv2d'] * (len(used) - 1)
    assert len(used) > 2
    weight.requires_grad_()
    conv2d(x, weight, padding=1).sum().backward()
    assert used.count('winograd_weight_grad') == 1


@pytest.mark.parametrize('change, is_faster', [
    ({}, True),
    (dict(shape=(128, 127, 3, 3)), False),
    (dict(shape=(127, 128, 3, 3)), False),
    (dict(shape=(64, 64, 3, 3), weight_grad=True), True),
    (dict(shape=(128, 128, 1, 1)), False),
    (dict(stride=2), False),
    (dict(size=(28, 32)), False),
    (dict(num=2, size=(28, 32)), True),
    (dict(dtype=torch.float64), True),
    (dict(dtype=torch.bfloat16), False),
    (dict(device='meta'), False),
    (dict(type=torch.nn.Parameter), False),
    (dict(context=direct_convolutions), False),
])
def test_where_it_is_used(change, is_faster):
    setting = dict(
        shape=(128, 128, 3, 3),
        stride=1,
        num=1,
        size=(32, 32),
        dtype=torch.float32,
        device='cpu',
        weight_grad=False,
        type=torch.Tensor,
        context=contextlib.nullcontext)
    setting.update(change)
    x = torch.empty(
        setting['num'],
        setting['shape'][1],
        *setting['size'],
        dtype=setting['dtype'],
        device=setting['device'])
    if setting['type'] is not torch.Tensor:
        x = setting['type'](x)
    with setting['context']():
        assert winograd_is_faster(x, setting['shape'], setting['stride'],
                                  setting['weight_grad']) is is_faster
    assert winograd._enabled


@pytest.mark.tools
@pytest.mark.parametrize('value, enabled', [('0', False), ('1', True)])
def test_environment_variable(value, enabled, monkeypatch):
    monkeypatch.setenv('MMPE_WINOGRAD', value)
    code = 'from mmpe.functional import winograd; print(winograd._enabled)'
    output = subprocess.run([sys.executable, '-c', code],
                            check=True,
                            capture_output=True,
                            text=True).stdout
    assert output.split() == [str(enabled)]
