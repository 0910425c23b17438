"""Convolutions whose gradients are themselves plain convolutions.

R1 and the path length penalty differentiate gradients. PyTorch does that for
convolutions by others with kernels as large as a map, group by group. Here the
convolution, its input gradient and its weight gradient are three functions
whose gradients are again these three, at the cost of an ordinary one.
"""
import itertools
from typing import NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

__all__ = ['conv2d', 'conv_transpose2d']

Grads = Tuple[Optional[Tensor], ...]
# Without AVX-512 PyTorch takes five to seven times as long for the weight
# gradient of channels-last maps as for the convolution itself.
_SLOW_WEIGHT_GRAD = 'AVX512' not in torch.backends.cpu.get_cpu_capability()


class _Geometry(NamedTuple):
    stride: int
    padding: int


class _Conv(torch.autograd.Function):
    """Output of a convolution from input and weight."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, weight: Tensor,
                bias: Optional[Tensor], geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.geometry = geometry
        return F.conv2d(x, weight, bias, *geometry)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor) -> Grads:
        x, weight = ctx.saved_tensors
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
        return _backward(grad, _like(grad, shape), weight, geometry, 0)

    @staticmethod
    def backward(ctx: FunctionCtx, x: Tensor) -> Grads:
        grad, weight = ctx.saved_tensors
        return (_output(ctx, 0, x, weight),
                _weight_grad(ctx, 1, x, grad, weight.shape), None, None)


class _WeightGrad(torch.autograd.Function):
    """Gradient of the weight from the input and that of the output."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, grad: Tensor,
                shape: Sequence[int], geometry: _Geometry) -> Tensor:
        ctx.save_for_backward(x, grad)
        ctx.geometry = geometry
        if _SLOW_WEIGHT_GRAD and x.device.type == 'cpu' and shape[-1] > 1 \
                and x.is_contiguous(memory_format=torch.channels_last):
            return _weight_grad_by_products(x, grad, shape[-1], geometry)
        return _backward(grad, x, _like(grad, shape), geometry, 1)

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
              index: int) -> Tensor:
    """One of the gradients PyTorch computes for a convolution."""
    stride, padding = ([value, value] for value in geometry)
    mask = [index == 0, index == 1, False]
    return torch.ops.aten.convolution_backward(grad, x, weight, None, stride,
                                               padding, [1, 1], False, [0, 0],
                                               1, mask)[index]


def _weight_grad_by_products(x: Tensor, grad: Tensor, kernel_size: int,
                             geometry: _Geometry) -> Tensor:
    """Gradient of the weight, one matrix product for each of its cells.

    With rows of ``x`` and ``grad`` of one length, a cell of the kernel moves
    ``x`` by a number of pixels, across the ends of rows too: there ``grad``
    is zero. With stride 2 that holds for even and odd rows and columns.
    """
    stride, padding = geometry
    height, width = grad.shape[2:]
    extra = (kernel_size - 1) // stride
    rows, columns = height + extra, width + extra
    x = F.pad(x, (padding, columns * stride - padding - x.shape[3],
                  padding, rows * stride - padding - x.shape[2]))
    x = x.unflatten(2, (rows, stride)).unflatten(4, (columns, stride))
    x = x.permute(3, 5, 0, 2, 4, 1).flatten(2, 4)  # [YXPI], P for pixels
    grad = F.pad(grad, (0, extra, 0, extra))
    grad = grad.permute(1, 0, 2, 3).flatten(1)  # [OP]
    out = x.new_empty(len(grad), kernel_size, kernel_size, x.shape[3])
    for i, j in itertools.product(range(kernel_size), repeat=2):
        shift = i // stride * columns + j // stride
        pixels = x[i % stride, j % stride, shift:]
        out[:, i, j] = grad[:, :len(pixels)] @ pixels
    return out.permute(0, 3, 1, 2)


def _autocast(*tensors: Tensor) -> Tuple[Tensor, ...]:
    """Tensors in the type autocast computes convolutions in, if it is on."""
    device = tensors[0].device.type
    if hasattr(torch, 'get_autocast_dtype'):
        enabled = torch.is_autocast_enabled(device)
        dtype = torch.get_autocast_dtype(device)
    elif device == 'cpu':
        enabled = torch.is_autocast_cpu_enabled()
        dtype = torch.get_autocast_cpu_dtype()
    else:
        enabled = torch.is_autocast_enabled()
        dtype = torch.get_autocast_gpu_dtype()
    if not enabled:
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
    x, weight = _autocast(x, weight)
    if bias is not None:
        bias = bias.to(x.dtype)
    return _Conv.apply(x, weight, bias, _Geometry(stride, padding))


def conv_transpose2d(x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
    """``torch.nn.functional.conv_transpose2d``, fast to differentiate twice.

    Args:
        x: (N, in, H, W).
        weight: (in, out, K, K).
        stride: Stride.

    Returns:
        (N, out, (H - 1) * stride + K, (W - 1) * stride + K).
    """
    x, weight = _autocast(x, weight)
    if not torch.is_grad_enabled():  # the form that can be exported
        return F.conv_transpose2d(x, weight, stride=stride)
    sides = ((side - 1) * stride + weight.shape[-1] for side in x.shape[2:])
    shape = (len(x), weight.shape[1], *sides)
    return _InputGrad.apply(x, weight, shape, _Geometry(stride, 0))
