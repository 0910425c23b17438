r"""Batch normalisation with a fast double backward.

The gradient penalty of SinGAN differentiates the input gradient of batch
normalisation. PyTorch composes that of some thirty passes over the map; here
it takes a few. With the normalised input :math:`\hat x`, the reciprocal
standard deviation r, the weight w, the output's gradient g and bars for means
over a channel, the input gradient is (Ioffe and Szegedy, "Batch
Normalization", ICML 2015)

.. math:: dx = r w\,(g - \bar g - \hat x\,\overline{g \hat x}).

Its own gradients, for a gradient h of dx and with
:math:`s = \overline{g h} - \bar g \bar h
- \overline{g \hat x}\,\overline{h \hat x}`, are

.. math::
    g:&\quad r w\,(h - \bar h - \hat x\,\overline{h \hat x}) \\
    w:&\quad N r s \\
    x:&\quad -w r^2\,\big((g - \bar g)\,\overline{h \hat x}
        + (h - \bar h)\,\overline{g \hat x}
        + \hat x\,(s - 2\,\overline{g \hat x}\,\overline{h \hat x})\big)

for N values per channel. Each is a linear combination of maps, with one factor
per channel and map.
"""
from typing import Any, Optional, Tuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ['batch_norm']

Grads = Tuple[Optional[Tensor], ...]


class _BatchNorm(torch.autograd.Function):
    """Batch normalisation; updates the running statistics."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor,
                running_mean: Tensor, running_var: Tensor, momentum: float,
                eps: float) -> Tensor:
        output, mean, scale = torch.ops.aten.native_batch_norm(
            x, weight, bias, running_mean, running_var, True, momentum, eps)
        ctx.save_for_backward(x, weight, mean, scale)
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Grads:
        return (*_BatchNormGrad.apply(grad, *ctx.saved_tensors), None, None,
                None, None)


class _BatchNormGrad(torch.autograd.Function):
    """Gradients of input, weight and bias from the output's.

    Mean and scale (r) are functions of the input, so their gradients are part
    of the input's.
    """

    @staticmethod
    def forward(ctx: Any, grad: Tensor, x: Tensor, weight: Tensor,
                mean: Tensor, scale: Tensor) -> Grads:
        grads = _backward(grad, x, weight, mean, scale)
        ctx.save_for_backward(grad, x, weight, mean, scale, *grads[1:])
        return grads

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_x: Tensor, grad_weight: Tensor,
                 grad_bias: Tensor) -> Grads:
        # g is `grad`, h is `grad_x`; sums over a channel come from PyTorch's
        # own backward: those of the weight's and the bias' gradient.
        grad, x, weight, mean, scale, *sums = ctx.saved_tensors
        number = x.numel() // x.shape[1]
        _, *other_sums = _backward(grad_x, x, weight, mean, scale,
                                   (False, True, True))
        product = _backward(grad, grad_x, weight, torch.zeros_like(mean),
                            torch.ones_like(scale), (False, True, False))[1]
        # Means over a channel, [C]: of g x^, g, h x^, h and g h.
        grad_of_x, grad_mean, other_of_x, other_mean, product = (
            total / number for total in (*sums, *other_sums, product))
        slope = product - grad_mean * other_mean - grad_of_x * other_of_x

        # Gradient of x: the formula above, plus that of the weight's gradient
        # sum(g x^), which depends on x, too.
        factor = -weight * scale**2
        of_grad = factor * other_of_x + scale * grad_weight
        of_other = factor * grad_of_x
        of_x = factor * (slope - 2 * grad_of_x * other_of_x) \
            - scale * grad_weight * grad_of_x
        constant = -of_grad * grad_mean - of_other * other_mean
        of_x, constant = _of_raw(of_x, constant, mean, scale)
        from_x = _combined(constant, (of_grad, grad), (of_other, grad_x),
                           (of_x, x))

        # Gradient of g: dx is linear in g, with a symmetric matrix.
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
    """PyTorch's gradients of a normalisation with batch statistics."""
    return torch.ops.aten.native_batch_norm_backward(grad, x, weight, None,
                                                     None, mean, scale, True,
                                                     0., mask)


def _of_raw(factor: Tensor, constant: Tensor, mean: Tensor,
            scale: Tensor) -> Tuple[Tensor, Tensor]:
    """Rewrite a linear function of the normalised x as one of x."""
    return factor * scale, constant - factor * scale * mean


def _combined(constant: Tensor, *terms: Tuple[Tensor, Tensor]) -> Tensor:
    """Sum of a constant (C, ) and maps (N, C, H, W) times factors (C, )."""
    result = constant[:, None, None]
    for factor, x in terms:
        result = torch.addcmul(result, factor[:, None, None],
                               x.to(factor.dtype))
    return result.to(x.dtype)


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, running_mean: Tensor,
               running_var: Tensor, momentum: float, eps: float) -> Tensor:
    """``torch.nn.functional.batch_norm`` in training mode, on a CPU.

    Differentiable twice, but not more often.

    Args:
        x: (N, C, H, W), with more than one value in each channel.
        weight: (C, ).
        bias: (C, ).
        running_mean: (C, ), updated in place.
        running_var: (C, ), updated in place.
        momentum: Weight of the batch in the running statistics.
        eps: Added to the variance.

    Returns:
        (N, C, H, W), in the dtype of ``x``.
    """
    return _BatchNorm.apply(x, weight, bias, running_mean, running_var,
                            momentum, eps)
