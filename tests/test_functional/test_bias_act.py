import pytest
import torch

from mmpe.functional.bias_act import leaky_relu_, noise_bias_act_


def reference(x, bias, noise=None, weight=None, slope=0.2):
    x = x + bias[..., None, None]
    if noise is not None:
        x = x + weight[..., None, None] * noise
    return torch.where(x > 0, x, slope * x)


def tensors(with_noise, num_noise=2):
    torch.manual_seed(0)
    result = [torch.randn(2, 3, 5, 4), torch.randn(2, 3)]
    if with_noise:
        result += [torch.randn(num_noise, 1, 5, 4), torch.randn(2, 3)]
    result = [tensor.double().requires_grad_() for tensor in result]
    if with_noise:
        result[2].requires_grad_(False)
    return result


@pytest.mark.parametrize('slope', [0.2, 0.3])
@pytest.mark.parametrize('with_noise, num_noise', [(False, 0), (True, 1),
                                                   (True, 2)])
def test_noise_bias_act(with_noise, num_noise, slope):
    args = tensors(with_noise, num_noise)

    def act(x, *args):
        return noise_bias_act_(x.clone(), *args, slope=slope)

    torch.testing.assert_close(act(*args), reference(*args, slope=slope))
    assert torch.autograd.gradcheck(act, args)
    assert torch.autograd.gradgradcheck(
        lambda *args: act(*args).square(), args)


def test_leaky_relu():
    x = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(
        leaky_relu_(x.clone(), 0.3), torch.where(x > 0, x, 0.3 * x))
    assert torch.autograd.gradcheck(lambda x: leaky_relu_(x.clone()), x)
    assert torch.autograd.gradgradcheck(
        lambda x: leaky_relu_(x.clone()).square(), x)


def test_they_write_into_their_input():
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    out = noise_bias_act_(x, torch.zeros(2, 3))
    assert out.data_ptr() == x.data_ptr()
    assert leaky_relu_(x).data_ptr() == x.data_ptr()


def test_half_precision_and_channels_last_stay():
    x = torch.randn(2, 3, 4, 4).bfloat16()
    out = noise_bias_act_(x, torch.zeros(2, 3), torch.zeros(2, 1, 4, 4),
                          torch.ones(2, 3))
    assert out.dtype == torch.bfloat16
    assert out.is_contiguous(memory_format=torch.channels_last)
