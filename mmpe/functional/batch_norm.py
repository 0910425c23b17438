r"""Batch normalisation that is fast to differentiate twice.

The gradient penalty of SinGAN differentiates the input gradient of batch
normalisation. PyTorch composes that of some thirty passes over the map; here
it takes a few (with :math:`\hat x` the normalised input, r the reciprocal
standard deviation, w the weight and bars for means over a channel):

.. math:: dx = r w\,(g - \bar g - \hat x\,\overline{g \hat x})
"""
from typing import Optional, Tuple

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

__all__ = ['batch_norm']

Grads = Tuple[Optional[Tensor], ...]


class _BatchNorm(torch.autograd.Function):
    """Output of a batch normalisation; moves the running statistics."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor, bias: Tensor,
                running_mean: Tensor, running_var: Tensor, momentum: float,
                eps: float) -> Tensor:
        output, mean, scale = torch.ops.aten.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momentum, eps)
        ctx.save_for_backward(x, weight, mean, scale)
        return output

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Grads:
        return (*_BatchNormGrad.apply(grad, *ctx.saved_tensors), None, None,
                None, None)


class _BatchNormGrad(torch.autograd.Function):
    """Gradients of input, weight and bias from that of the output.

    Mean and scale (r) are functions of the input: their gradients are a part
    of its own.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, grad: Tensor, x: Tensor, weight: Tensor,
                mean: Tensor, scale: Tensor) -> Grads:
        grads = _backward(grad, x, weight, mean, scale)
        ctx.save_for_backward(grad, x, weight, mean, scale, *grads[1:])
        return grads

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_x: Tensor, grad_weight: Tensor,
                 grad_bias: Tensor) -> Grads:
        grad, x, weight, mean, scale, *sums = ctx.saved_tensors
        number = x.numel() // x.shape[1]
        _, *other_sums = _backward(grad_x, x, weight, mean, scale,
                                   (False, True, True))
        product = _backward(grad, grad_x, weight, torch.zeros_like(mean),
                            torch.ones_like(scale), (False, True, False))[1]
        # Means over a channel of grad * normalised x, grad, and so on.
        grad_of_x, grad_mean, other_of_x, other_mean, product = (
            total / number for total in (*sums, *other_sums, product))
        slope = product - grad_mean * other_mean - grad_of_x * other_of_x

        # x's gradient: each term of dx depends on the normalised x, and all
        # of them on the scale.
        factor = -weight * scale**2
        of_grad = factor * other_of_x + scale * grad_weight
        of_other = factor * grad_of_x
        of_x = factor * (slope - 2 * grad_of_x * other_of_x) \
            - scale * grad_weight * grad_of_x
        constant = -of_grad * grad_mean - of_other * other_mean
        of_x, constant = _of_raw(of_x, constant, mean, scale)
        from_x = _combined(constant, (of_grad, grad), (of_other, grad_x),
                           (of_x, x))

        # dx is linear in the gradient of the output, and symmetric.
        of_other = weight * scale
        of_x, constant = _of_raw(grad_weight - of_other * other_of_x,
                                 grad_bias - of_other * other_mean, mean,
                                 scale)
        from_grad = _combined(constant, (of_other, grad_x), (of_x, x))
        return from_grad, from_x, number * scale * slope, None, None


def _backward(grad: Tensor,
              x: Tensor,
              weight: Tensor,
              mean: Tensor,
              scale: Tensor,
              mask: Tuple[bool, bool, bool] = (True, ) * 3) -> Grads:
    """PyTorch's gradients of a normalisation by the batch's statistics."""
    return torch.ops.aten.native_batch_norm_backward(grad, x, weight, None,
                                                     None, mean, scale, True,
                                                     0., mask)


def _of_raw(factor: Tensor, constant: Tensor, mean: Tensor,
            scale: Tensor) -> Tuple[Tensor, Tensor]:
    """The same linear function, of x instead of the normalised x."""
    return factor * scale, constant - factor * scale * mean


def _combined(constant: Tensor, *terms: Tuple[Tensor, Tensor]) -> Tensor:
    """Sum of a constant and of maps (N, C, H, W), with factors (C, )."""
    result = constant[:, None, None]
    for factor, x in terms:
        result = torch.addcmul(result, factor[:, None, None],
                               x.to(factor.dtype))
    return result.to(x.dtype)


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor,
               running_var: Tensor, momentum: float, eps: float) -> Tensor:
    """``torch.nn.functional.batch_norm`` in training, on processors.

    It can be differentiated twice, and no more.

    Args:
        x: (N, C, H, W), with more than one value in each channel.
        weight: (C, ).
        bias: (C, ).
        running_mean: (C, ), overwritten.
        running_var: (C, ), overwritten.
        momentum: How far the running statistics move.
        eps: Added to the variance.

    Returns:
        (N, C, H, W), as large as ``x`` and of its type.
    """
    return _BatchNorm.apply(x, weight, bias, running_mean, running_var,
                            momentum, eps)
