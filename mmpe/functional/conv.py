"""Convolutions with a fast double backward.

R1 and the path length penalty differentiate gradients. PyTorch's double
backward of a convolution runs convolutions with kernels as large as the map,
group by group. Here the convolution and its two gradients are three functions,
bilinear in their arguments, so that each one's gradients are the other two at
the cost of an ordinary convolution (the idea behind StyleGAN2-ADA's
``conv2d_gradfix``)::

    function                  gradients, given that of its output
    y  = conv(x, w)           input_grad(dy, w),   weight_grad(x, dy)
    dx = input_grad(dy, w)    conv(ddx, w),        weight_grad(ddx, dy)
    dw = weight_grad(x, dy)   input_grad(dy, ddw), conv(x, ddw)

On CPUs, gradients and outputs without gradients go through
:mod:`mmpe.functional.winograd` where that is faster. Differentiable outputs do
not: its larger rounding errors flip the sign of some inputs of leaky ReLUs,
which changes gradients more than images.
"""
from typing import Any, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .dtypes import autocast_dtype
from .memory_format import like_maps
from .patches import patches, pieces
from .winograd import (winograd_conv2d, winograd_is_faster,
                       winograd_weight_grad)

__all__ = ['conv2d', 'conv_transpose2d']

Grads = Tuple[Optional[Tensor], ...]
# Without AVX-512, PyTorch's weight gradient of channels-last maps with many
# channels takes three to seven times as long as the convolution.
_SLOW_WEIGHT_GRAD = 'AVX512' not in torch.backends.cpu.get_cpu_capability()
_SLOW_CHANNELS = 64
# With fewer channels, one call for all gradients is faster than one for each.
_FEW_CHANNELS = 64
# Elements in the patches of one matrix product: 2 MiB in float32.
_PATCH_ELEMENTS = 2**19


class _Geometry(NamedTuple):
    """Parameters of a convolution.

    Args:
        stride: Stride.
        padding: Zeros on each side.
        is_exact: Never use Winograd's algorithm for the output.
    """

    stride: int
    padding: int
    is_exact: bool = False


class _Conv(torch.autograd.Function):
    """Output of a convolution, from input and weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Optional[Tensor],
                geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry._replace(is_exact=False)
        stride, padding, is_exact = geometry
        if is_exact or not winograd_is_faster(x, weight.shape, stride):
            return F.conv2d(x, weight, bias, stride, padding)
        return winograd_conv2d(x, weight, bias, padding)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Grads:
        x, weight = ctx.saved_tensors
        if not torch.is_grad_enabled() and all(ctx.needs_input_grad[:2]) \
                and max(weight.shape[:2]) < _FEW_CHANNELS:
            with_bias = ctx.needs_input_grad[2]
            return (*_backward(grad, x, weight, ctx.geometry,
                               (True, True, with_bias)), None)
        bias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return (_input_grad(ctx, 0, grad, weight, x.shape),
                _weight_grad(ctx, 1, x, grad, weight.shape), bias, None)


class _InputGrad(torch.autograd.Function):
    """Gradient of the input, from the output's gradient and the weight."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, weight: Tensor, shape: Sequence[int],
                geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(grad, weight)
        ctx.geometry = geometry
        if geometry.padding <= 2 and winograd_is_faster(
                grad, weight.shape, geometry.stride):
            # The transpose of a convolution of stride 1 is a convolution with
            # the flipped kernel and complementary padding.
            weight = weight.flip(2, 3).transpose(0, 1)  # [I, O, 3, 3]
            return winograd_conv2d(grad, weight, None, 2 - geometry.padding)
        return _backward(grad, _like(grad, shape), weight, geometry,
                         (True, False, False))[0]

    @staticmethod
    def backward(ctx: Any, x: Tensor) -> Grads:
        grad, weight = ctx.saved_tensors
        # In the memory format of `grad`: mixed formats are slow.
        if grad.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous(memory_format=torch.channels_last)
        return (_output(ctx, 0, x, weight),
                _weight_grad(ctx, 1, x, grad, weight.shape), None, None)


class _WeightGrad(torch.autograd.Function):
    """Gradient of the weight, from the input and the output's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, grad: Tensor, shape: Sequence[int],
                geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(x, grad)
        ctx.geometry = geometry
        if winograd_is_faster(x, shape, geometry.stride, weight_grad=True):
            return winograd_weight_grad(x, grad, geometry.padding)
        if _SLOW_WEIGHT_GRAD and x.device.type == 'cpu' and shape[-1] > 1 \
                and min(shape[:2]) >= _SLOW_CHANNELS \
                and x.is_contiguous(memory_format=torch.channels_last):
            return _weight_grad_by_products(x, grad, shape[-1], geometry)
        return _backward(grad, x, _like(grad, shape), geometry,
                         (False, True, False))[1]

    @staticmethod
    def backward(ctx: Any, weight: Tensor) -> Grads:
        x, grad = ctx.saved_tensors
        return (_input_grad(ctx, 0, grad, weight, x.shape),
                _output(ctx, 1, x, weight), None, None)


def _output(ctx: Any, index: int, *args: Any) -> Optional[Tensor]:
    """:class:`_Conv`, if this argument needs a gradient."""
    if not ctx.needs_input_grad[index]:
        return None
    return _Conv.apply(*args, None, ctx.geometry)


def _input_grad(ctx: Any, index: int, *args: Any) -> Optional[Tensor]:
    if not ctx.needs_input_grad[index]:
        return None
    return _InputGrad.apply(*args, ctx.geometry)


def _weight_grad(ctx: Any, index: int, *args: Any) -> Optional[Tensor]:
    if not ctx.needs_input_grad[index]:
        return None
    return _WeightGrad.apply(*args, ctx.geometry)


def _like(x: Tensor, shape: Sequence[int]) -> Tensor:
    """An empty tensor that only conveys shape and memory format."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.empty(
        shape,
        dtype=x.dtype,
        device=x.device,
        memory_format=torch.channels_last
        if channels_last else torch.contiguous_format)


def _backward(grad: Tensor, x: Tensor, weight: Tensor, geometry: _Geometry,
              mask: Tuple[bool, bool, bool]) -> Tuple[Any, ...]:
    """PyTorch's gradients of input, weight and bias, or None."""
    stride, padding = ([value, value] for value in geometry[:2])
    return torch.ops.aten.convolution_backward(
        grad, x, weight, [grad.shape[1]] if mask[2] else None, stride, padding,
        [1, 1], False, [0, 0], 1, mask)


def _weight_grad_by_products(x: Tensor, grad: Tensor, kernel_size: int,
                             geometry: _Geometry) -> Tensor:
    """Gradient of the weight, by matrix products with patches of ``x``.

    With patches X [P, kkI] and output gradients G [O, P], it is G X.
    """
    channels = x.shape[1]
    total = x.new_zeros(grad.shape[1], kernel_size**2 * channels)  # [O, kkI]
    most = _PATCH_ELEMENTS // total.shape[1]
    for piece in pieces(len(x), grad.shape[2], grad.shape[3], most):
        seen = patches(x, piece, kernel_size, geometry.stride,
                       geometry.padding)
        seen = seen.permute(0, 1, 2, 4, 5, 3).reshape(
            -1, total.shape[1])  # [P, kkI]
        rows = slice(piece.row, piece.row + piece.num_rows)
        total.addmm_(grad[piece.images, :, rows].transpose(0, 1).flatten(1),
                     seen)
    total = total.view(-1, kernel_size, kernel_size, channels)  # [O, k, k, I]
    return total.permute(0, 3, 1, 2)  # [O, I, k, k]


def _autocast(*tensors: Tensor) -> Tuple[Tensor, ...]:
    """Cast tensors to autocast's dtype of convolutions, if it is on."""
    dtype = autocast_dtype(tensors[0].device.type)
    if dtype is None:
        return tensors
    return tuple(tensor.to(dtype) for tensor in tensors)


def conv2d(x: Tensor,
           weight: Tensor,
           bias: Optional[Tensor] = None,
           stride: int = 1,
           padding: int = 0) -> Tensor:
    """``torch.nn.functional.conv2d`` with a fast double backward.

    Args:
        x: (N, in, H, W).
        weight: (out, in, K, K).
        bias: (out, ).
        stride: Stride.
        padding: Zeros on each side.

    Returns:
        (N, out, H', W').
    """
    x, weight = _autocast(x, like_maps(weight, x))
    if bias is not None:
        bias = bias.to(x.dtype)
    is_exact = torch.is_grad_enabled() and (
        x.requires_grad or weight.requires_grad)
    return _Conv.apply(x, weight, bias, _Geometry(stride, padding, is_exact))


def conv_transpose2d(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """``torch.nn.functional.conv_transpose2d`` with a fast double backward.

    Args:
        x: (N, in, H, W).
        weight: (in, out, K, K).
        stride: Stride.

    Returns:
        (N, out, (H - 1) * stride + K, (W - 1) * stride + K).
    """
    x, weight = _autocast(x, like_maps(weight, x))
    if not torch.is_grad_enabled():  # can be exported
        return F.conv_transpose2d(x, weight, stride=stride)
    # A transposed convolution is the input gradient of a convolution.
    sides = ((side - 1) * stride + weight.shape[-1] for side in x.shape[2:])
    shape = (len(x), weight.shape[1], *sides)
    return _InputGrad.apply(x, weight, shape, _Geometry(stride, 0))
