import pytest
import torch
import torch.nn.functional as F

from mmpe.functional.conv import conv2d, conv_transpose2d

CASES = [(1, 0), (1, 1), (2, 0), (2, 1)]


def tensors(in_channels, out_channels, size=5):
    torch.manual_seed(0)
    return (torch.randn(
        2, in_channels, size, size - 1, dtype=torch.float64,
        requires_grad=True),
            torch.randn(
                out_channels, in_channels, 3, 3, dtype=torch.float64,
                requires_grad=True))


@pytest.mark.slow
@pytest.mark.parametrize('by_products', [False, True])
@pytest.mark.parametrize('channels_last', [False, True])
@pytest.mark.parametrize('stride, padding', CASES)
def test_conv(stride, padding, channels_last, by_products, monkeypatch):
    for name, value in dict(
            _SLOW_WEIGHT_GRAD=by_products, _SLOW_CHANNELS=1,
            _FEW_CHANNELS=0 if by_products else 64,
            # Two rows of patches of 2 x 3 x 3 at a time.
            _PATCH_ELEMENTS=2 * 4 * 18).items():
        monkeypatch.setattr(f'mmpe.functional.conv.{name}', value)
    x, weight = tensors(2, 3)
    if channels_last:
        x, weight = (
            t.detach().contiguous(memory_format=torch.channels_last)
            .requires_grad_() for t in (x, weight))
    bias = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def conv(*args):
        return conv2d(*args, stride=stride, padding=padding)

    torch.testing.assert_close(
        conv(x, weight, bias), F.conv2d(x, weight, bias, stride, padding))
    for args in ((x, weight), (x, weight, bias)):
        assert torch.autograd.gradcheck(conv, args)
        assert torch.autograd.gradgradcheck(conv, args)


@pytest.mark.parametrize('stride', [1, 2])
def test_transposed_conv(stride):
    x, weight = tensors(2, 3)
    weight = weight.detach().transpose(0, 1).requires_grad_()

    def conv(x, weight):
        return conv_transpose2d(x, weight, stride)

    torch.testing.assert_close(
        conv(x, weight), F.conv_transpose2d(x, weight, stride=stride))
    assert torch.autograd.gradcheck(conv, (x, weight))
    assert torch.autograd.gradgradcheck(conv, (x, weight))


def test_third_derivative():
    x, weight = tensors(1, 1, size=4)

    def penalty(x):
        grad, = torch.autograd.grad((conv2d(x, weight)**3).sum(), x,
                                    create_graph=True)
        return grad.square()

    assert torch.autograd.gradgradcheck(penalty, x)


def test_autocast():
    x, weight = (tensor.detach().float().requires_grad_()
                 for tensor in tensors(2, 3))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = conv2d(x, weight)
        assert conv_transpose2d(out, weight).dtype == torch.bfloat16
    assert out.dtype == torch.bfloat16
    out.float().square().sum().backward()
    assert x.grad.dtype == weight.grad.dtype == torch.float32


def test_nothing_is_computed_for_what_needs_no_gradient():
    x, weight = tensors(2, 3)
    conv2d(x.detach(), weight).sum().backward()
    assert x.grad is None
    expected = torch.autograd.grad(F.conv2d(x, weight).sum(), weight)[0]
    torch.testing.assert_close(weight.grad, expected)
