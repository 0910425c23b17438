"""Convolutions whose gradients are themselves plain convolutions.

R1 and the path length penalty differentiate gradients. PyTorch does that for
convolutions by others with kernels as large as a map, group by group. Here the
convolution, its input gradient and its weight gradient are three functions
whose gradients are again these three, at the cost of an ordinary one.

On processors, gradients and what needs none go through
:mod:`mmpe.functional.winograd` where that is faster. Outputs that are to be
differentiated do not: its larger rounding errors bring some more leaky ReLUs
to their other side, and so change gradients more than images.
"""
from typing import NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

from .dtypes import autocast_dtype
from .memory_format import like_maps
from .patches import patches, pieces
from .winograd import (winograd_conv2d, winograd_is_faster,
                       winograd_weight_grad)

__all__ = ['conv2d', 'conv_transpose2d']

Grads = Tuple[Optional[Tensor], ...]
# Without AVX-512 PyTorch takes three to seven times as long for the weight
# gradient of channels-last maps with many channels as for the convolution.
_SLOW_WEIGHT_GRAD = 'AVX512' not in torch.backends.cpu.get_cpu_capability()
_SLOW_CHANNELS = 64
# With fewer, one call for all gradients costs less than faster ways for each.
_FEW_CHANNELS = 64
# Numbers in the patches of one matrix product: 2 MiB in float32.
_PATCH_ELEMENTS = 2**19


class _Geometry(NamedTuple):
    """How a convolution is computed.

    Args:
        stride: Stride.
        padding: Zeros on each side.
        is_exact: Whether its output is computed directly in any case.
    """

    stride: int
    padding: int
    is_exact: bool = False


class _Conv(torch.autograd.Function):
    """Output of a convolution from input and weight."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor,
                bias: Optional[Tensor], geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry._replace(is_exact=False)
        stride, padding, is_exact = geometry
        if is_exact or not winograd_is_faster(x, weight.shape, stride):
            return F.conv2d(x, weight, bias, stride, padding)
        return winograd_conv2d(x, weight, bias, padding)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Grads:
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
    """Gradient of the input from those of the output and the weight."""

    @staticmethod
    def forward(ctx: FunctionCtx, grad: Tensor, weight: Tensor,
                shape: Sequence[int], geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(grad, weight)
        ctx.geometry = geometry
        if geometry.padding <= 2 and winograd_is_faster(
                grad, weight.shape, geometry.stride):
            weight = weight.flip(2, 3).transpose(0, 1)
            return winograd_conv2d(grad, weight, None, 2 - geometry.padding)
        return _backward(grad, _like(grad, shape), weight, geometry,
                         (True, False, False))[0]

    @staticmethod
    def backward(ctx: FunctionCtx, x: Tensor) -> Grads:
        grad, weight = ctx.saved_tensors
        # Of one format with `grad`: operations on mixed ones are slow.
        if grad.is_contiguous(memory_format=torch.channels_last):
            x = x.contiguous(memory_format=torch.channels_last)
        return (_output(ctx, 0, x, weight),
                _weight_grad(ctx, 1, x, grad, weight.shape), None, None)


class _WeightGrad(torch.autograd.Function):
    """Gradient of the weight from the input and that of the output."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, grad: Tensor,
                shape: Sequence[int], geometry: _Geometry) -> Tensor:
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
    def backward(ctx: FunctionCtx, weight: Tensor) -> Grads:
        x, grad = ctx.saved_tensors
        return (_input_grad(ctx, 0, grad, weight, x.shape),
                _output(ctx, 1, x, weight), None, None)


def _output(ctx: FunctionCtx, index: int, *args) -> Optional[Tensor]:
    """:class:`_Conv`, if the gradient of this argument is asked for."""
    if not ctx.needs_input_grad[index]:
        return None
    return _Conv.apply(*args, None, ctx.geometry)


def _input_grad(ctx: FunctionCtx, index: int, *args) -> Optional[Tensor]:
    if not ctx.needs_input_grad[index]:
        return None
    return _InputGrad.apply(*args, ctx.geometry)


def _weight_grad(ctx: FunctionCtx, index: int, *args) -> Optional[Tensor]:
    if not ctx.needs_input_grad[index]:
        return None
    return _WeightGrad.apply(*args, ctx.geometry)


def _like(x: Tensor, shape: Sequence[int]) -> Tensor:
    """An unused tensor that only says which shape and format to return."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.empty(
        shape,
        dtype=x.dtype,
        device=x.device,
        memory_format=torch.channels_last
        if channels_last else torch.contiguous_format)


def _backward(grad: Tensor, x: Tensor, weight: Tensor, geometry: _Geometry,
              mask: Tuple[bool, bool, bool]) -> Grads:
    """The gradients PyTorch computes for input, weight and bias."""
    stride, padding = ([value, value] for value in geometry[:2])
    return torch.ops.aten.convolution_backward(
        grad, x, weight, [grad.shape[1]] if mask[2] else None, stride, padding,
        [1, 1], False, [0, 0], 1, mask)


def _weight_grad_by_products(x: Tensor, grad: Tensor, kernel_size: int,
                             geometry: _Geometry) -> Tensor:
    """Gradient of the weight by matrix products with patches of ``x``."""
    channels = x.shape[1]
    total = x.new_zeros(grad.shape[1], kernel_size**2 * channels)  # [OHWI]
    most = _PATCH_ELEMENTS // total.shape[1]
    for piece in pieces(len(x), *grad.shape[2:], most):
        seen = patches(x, piece, kernel_size, geometry.stride,
                       geometry.padding)
        seen = seen.permute(0, 1, 2, 4, 5, 3).reshape(-1, total.shape[1])
        rows = slice(piece.row, piece.row + piece.num_rows)
        total.addmm_(grad[piece.images, :, rows].transpose(0, 1).flatten(1),
                     seen)
    total = total.view(-1, kernel_size, kernel_size, channels)
    return total.permute(0, 3, 1, 2)


def _autocast(*tensors: Tensor) -> Tuple[Tensor, ...]:
    """Tensors in the type autocast computes convolutions in, if it is on."""
    dtype = autocast_dtype(tensors[0].device.type)
    if dtype is None:
        return tensors
    return tuple(tensor.to(dtype) for tensor in tensors)


def conv2d(x: Tensor,
           weight: Tensor,
           bias: Optional[Tensor] = None,
           stride: int = 1,
           padding: int = 0) -> Tensor:
    """``torch.nn.functional.conv2d``, fast to differentiate twice.

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
    """``torch.nn.functional.conv_transpose2d``, fast to differentiate twice.

    Args:
        x: (N, in, H, W).
        weight: (in, out, K, K).
        stride: Stride.

    Returns:
        (N, out, (H - 1) * stride + K, (W - 1) * stride + K).
    """
    x, weight = _autocast(x, like_maps(weight, x))
    if not torch.is_grad_enabled():  # the form that can be exported
        return F.conv_transpose2d(x, weight, stride=stride)
    sides = ((side - 1) * stride + weight.shape[-1] for side in x.shape[2:])
    shape = (len(x), weight.shape[1], *sides)
    return _InputGrad.apply(x, weight, shape, _Geometry(stride, 0))
