import pytest
import torch
import torch.nn.functional as F

from mmpe.functional.batch_norm import batch_norm

EPS = 1e-2


def make_inputs(dtype, memory_format):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, 5, dtype=dtype, generator=generator)
    x = (3 * x + 1).contiguous(memory_format=memory_format)
    weight = torch.rand(3, dtype=dtype, generator=generator) + 0.5
    bias = torch.rand(3, dtype=dtype, generator=generator)
    return [t.requires_grad_() for t in (x, weight, bias)]


def statistics(dtype):
    return torch.zeros(3, dtype=dtype), torch.ones(3, dtype=dtype)


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last])
def memory_format(request):
    return request.param


def test_output_and_statistics(memory_format):
    inputs = make_inputs(torch.float32, memory_format)
    ours, theirs = statistics(torch.float32), statistics(torch.float32)
    x, *params = inputs
    actual = batch_norm(x, *params, *ours, 0.1, EPS)
    expected = F.batch_norm(x, *theirs, *params, True, 0.1, EPS)
    assert torch.equal(actual, expected)
    assert actual.is_contiguous(memory_format=memory_format)
    for a, b in zip(ours, theirs):
        assert torch.equal(a, b)


def test_derivatives(memory_format):

    def normalise(*inputs):
        return batch_norm(*inputs, *statistics(torch.float64), 0.1, EPS)

    inputs = make_inputs(torch.float64, memory_format)
    assert torch.autograd.gradcheck(normalise, inputs)
    assert torch.autograd.gradgradcheck(normalise, inputs)


@pytest.mark.parametrize('dtype, tolerance', [(torch.float32, 1e-5),
                                              (torch.bfloat16, 2e-2)])
def test_penalty(memory_format, dtype, tolerance):
    """As WGAN-GP differentiates it, in what is trained in."""

    def gradients(normalise):
        inputs = make_inputs(torch.float32, memory_format)
        output = normalise(inputs[0].to(dtype), *inputs[1:])
        gradient, = torch.autograd.grad(
            output.float().pow(3).sum(), inputs[0], create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), inputs[:2])

    actual = gradients(lambda *inputs: batch_norm(
        *inputs, *statistics(torch.float32), 0.1, EPS))
    expected = gradients(lambda x, *params: F.batch_norm(
        x, *statistics(torch.float32), *params, True, 0.1, EPS))
    for a, b in zip(actual, expected):
        error = (a - b).abs().max() / b.abs().max()
        assert error < tolerance


def test_no_third_derivative():
    inputs = make_inputs(torch.float64, torch.contiguous_format)
    output = batch_norm(*inputs, *statistics(torch.float64), 0.1, EPS)
    first, = torch.autograd.grad(
        output.pow(3).sum(), inputs[0], create_graph=True)
    second, = torch.autograd.grad(
        first.pow(3).sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match='once_differentiable'):
        second.sum().backward()
