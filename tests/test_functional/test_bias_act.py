import pytest
import torch

from mmpe.functional.bias_act import bias_act


def reference(x, bias, gain, slope, scale, noise):
    shape = (1, -1) + (1, ) * (x.dim() - 2)
    if scale is not None:
        x = x * scale.reshape(len(scale), *shape[1:])
    x = x + bias.reshape(shape)
    if noise is not None:
        x = x + noise
    return gain * torch.where(x > 0, x, slope * x)


@pytest.mark.parametrize('with_noise', [False, True])
@pytest.mark.parametrize('with_scale', [False, True])
@pytest.mark.parametrize('shape', [(2, 3), (2, 3, 5, 4)])
def test_values_and_gradients(shape, with_scale, with_noise):
    torch.manual_seed(0)
    tensors = [torch.randn(shape), torch.randn(3)]
    if with_scale:
        tensors.append(torch.rand(2, 3) + 0.5)
    if with_noise:
        tensors.append(torch.randn(2, 1, *shape[2:]))
    tensors = [tensor.double().requires_grad_() for tensor in tensors]

    def arguments(tensors):
        tensors = list(tensors)
        x, bias = tensors[:2]
        scale = tensors[2] if with_scale else None
        noise = tensors[-1] if with_noise else None
        return x, bias, 1.5, 0.3, scale, noise

    torch.testing.assert_close(
        bias_act(*arguments(tensors)), reference(*arguments(tensors)))
    assert torch.autograd.gradcheck(
        lambda *tensors: bias_act(*arguments(tensors)), tensors)
    assert torch.autograd.gradgradcheck(
        lambda *tensors: bias_act(*arguments(tensors)).square(), tensors)


def test_half_precision_stays():
    x = torch.randn(2, 3, 4, 4).bfloat16()
    out = bias_act(x, torch.zeros(3), scale=torch.ones(2, 3),
                   noise=torch.zeros(2, 1, 4, 4))
    assert out.dtype == torch.bfloat16


def test_channels_last_stays():
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    out = bias_act(x, torch.zeros(3), noise=torch.zeros(2, 1, 4, 4))
    assert out.is_contiguous(memory_format=torch.channels_last)
