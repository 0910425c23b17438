"""Noise, bias and activation in as few passes over a map as possible.

Operations on large maps are bound by memory bandwidth, and allocating memory
is slower than any arithmetic, so these functions work in place. Gradients of
any order are supported.
"""
from typing import Any, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .memory_format import in_map_format

__all__ = ['GAIN', 'leaky_relu_', 'noise_bias_act_']

# Gain after a leaky ReLU, which keeps the variance of its input about the
# same. As it is positive and commutes with it, callers fold it into weights.
GAIN = 2**0.5


class _LeakyReLU(torch.autograd.Function):
    """In-place leaky ReLU.

    Unlike PyTorch's, it does not compute the second derivative, which is 0.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        ctx.mark_dirty(x)
        ctx.slope = slope
        out = F.leaky_relu_(x, slope)
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, None]:
        out, = ctx.saved_tensors
        return _leaky_relu_backward(grad, out, ctx.slope), None


class _NoiseBiasAct(torch.autograd.Function):
    """In-place ``leaky_relu(x + basis @ coefficients)``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, basis: Tensor, coefficients: Tensor,
                slope: float) -> Tensor:
        ctx.mark_dirty(x)
        ctx.slope = slope
        # Bias and noise are a product of rank 1 or 2: [N, HW, R] @ [N, R, C].
        _rows(x).baddbmm_(basis, coefficients)
        out = F.leaky_relu_(x, slope)
        ctx.save_for_backward(out, basis)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        out, basis = ctx.saved_tensors
        grad = in_map_format(grad)
        # The sign of the output is that of the input, so only `out` is kept.
        grad = _leaky_relu_backward(grad, out, ctx.slope)
        return grad, None, basis.transpose(1, 2) @ _rows(grad), None


def _leaky_relu_backward(grad: Tensor, out: Tensor, slope: float) -> Tensor:
    return torch.ops.aten.leaky_relu_backward(grad, out.detach(), slope, True)


def _rows(x: Tensor) -> Tensor:
    """View (N, H * W, C) of a map (N, C, H, W)."""
    num, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).view(num, height * width, channels)


def leaky_relu_(x: Tensor, slope: float = 0.2) -> Tensor:
    """Leaky ReLU that writes into its input.

    Args:
        x: Tensor of any shape, which is overwritten.
        slope: Slope below zero; positive.

    Returns:
        ``x``.
    """
    return _LeakyReLU.apply(x, slope)


def noise_bias_act_(x: Tensor,
                    bias: Tensor,
                    noise: Optional[Tensor] = None,
                    noise_weight: Optional[Tensor] = None,
                    slope: float = 0.2) -> Tensor:
    """In-place ``leaky_relu(x + noise_weight * noise + bias)``.

    Args:
        x: Feature map (N, C, H, W), which is overwritten.
        bias: (N, C).
        noise: (1 or N, 1, H, W), without gradient; None for no noise.
        noise_weight: (N, C).
        slope: Slope of the leaky ReLU below zero; positive.

    Returns:
        (N, C, H, W), in the memory format of :func:`.in_map_format`.
    """
    x = in_map_format(x)
    num, _, height, width = x.shape
    basis = x.new_ones(num, height * width, 1)
    coefficients = bias[:, None]  # [N, 1, C]
    if noise is not None:
        noise = noise.to(x.dtype).flatten(1).unsqueeze(2)  # [1 or N, HW, 1]
        basis = torch.cat((basis, noise.expand_as(basis)), dim=2)  # [N, HW, 2]
        coefficients = torch.stack(  # [N, 2, C]; `noise` comes with a weight
            (bias, noise_weight), dim=1)  # type: ignore[arg-type]
    return _NoiseBiasAct.apply(x, basis, coefficients.to(x.dtype), slope)
