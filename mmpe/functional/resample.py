"""Resampling of feature maps: FIR filters, interpolation and area means."""
from typing import Any, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .dtypes import at_least_float32

__all__ = [
    'area_matrix', 'filter_by_products', 'fir_filter2d', 'fir_kernel',
    'fir_matrix', 'resample_area', 'resize_bilinear', 'resize_images'
]

# Zeros before and after the rows, and before and after the columns.
Pads = Tuple[int, int, int, int]


def fir_kernel(taps: Sequence[float], gain: float = 1.) -> Tensor:
    """Normalised 2-D kernel of a filter.

    Args:
        taps: Taps of a separable filter, or the rows of a 2-D one.
        gain: Sum of the kernel.

    Returns:
        Float32 (K, K).
    """
    kernel = torch.as_tensor(taps, dtype=torch.float32)
    if kernel.dim() == 1:
        kernel = torch.outer(kernel, kernel)
    return kernel * (gain / kernel.sum())


def fir_filter2d(x: Tensor,
                 kernel: Tensor,
                 pad: Tuple[int, int],
                 up: int = 1,
                 down: int = 1) -> Tensor:
    """Insert zeros, pad, filter each channel and decimate (``upfirdn2d``).

    Upsampling is composed with the filter into one transposed convolution,
    decimation into one strided convolution, so no intermediate map is made.
    Both are depthwise, which is fast for channels-last maps.

    Args:
        x: Feature map (N, C, H, W).
        kernel: Filter (K, K), not flipped; receives no gradient.
        pad: Zeros before and after each axis of the upsampled map; negative
            numbers crop.
        up: Upsampling factor; zeros are inserted between cells.
        down: Decimation factor; every ``down``-th value is kept.

    Returns:
        (N, C, H', W') with H' = (H * up + sum(pad) - K) // down + 1, in the
        dtype of ``x``.
    """
    return _FIR.apply(x, kernel, (*pad, *pad), up, down)


class _FIR(torch.autograd.Function):
    """The filter; its gradient is one with the kernel flipped.

    Up- and downsampling swap roles, so gradients of any order are filters.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor, pads: Pads, up: int,
                down: int) -> Tensor:
        out = _filter(x, kernel, pads, up, down)
        # A copy, as wrappers for distributed training may write into buffers.
        ctx.kernel = kernel.flip(0, 1)
        ctx.size, ctx.pads, ctx.up, ctx.down = x.shape[2:], pads, up, down
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Optional[Tensor], ...]:
        pads = tuple(
            value for axis in range(2) for value in _gradient_pads(
                ctx.size[axis], grad.shape[2 + axis], ctx.kernel.shape[0],
                ctx.pads[2 * axis], ctx.up, ctx.down))
        grad = _FIR.apply(grad, ctx.kernel, pads, ctx.down, ctx.up)
        return grad, None, None, None, None


def _gradient_pads(in_size: int, out_size: int, taps: int, before: int,
                   up: int, down: int) -> Tuple[int, int]:
    """Zeros before and after an axis in the filter's gradient."""
    return taps - 1 - before, in_size * up - out_size * down + before - up + 1


def _filter(x: Tensor, kernel: Tensor, pads: Pads, up: int,
            down: int) -> Tensor:
    """The filter, with different numbers of zeros on the four sides."""
    weight = kernel.to(x.dtype).expand(x.shape[1], 1, -1, -1)  # [C, 1, K, K]
    with torch.autocast(x.device.type, enabled=False):
        if up > 1:
            dtype = x.dtype
            if not x.is_cuda:
                # On CPUs, depthwise transposed convolutions in bfloat16 take
                # ten times as long as in float32.
                x, weight = at_least_float32(x), at_least_float32(weight)
            x = _spread_and_filter(x, weight, pads, up).to(dtype)
            return x[:, :, ::down, ::down] if down > 1 else x
        top, bottom, left, right = pads
        if top != bottom or left != right or min(top, left) < 0:
            x = F.pad(x, (left, right, top, bottom))
            top = left = 0
        return F.conv2d(
            x,
            weight.flip(2, 3),
            stride=down,
            padding=(top, left),
            groups=x.shape[1])


def _spread_and_filter(x: Tensor, weight: Tensor, pads: Pads,
                       up: int) -> Tensor:
    """Insert zeros and filter, as one transposed convolution."""
    # It returns K - 1 values before the first input and K - up after the
    # last, of which the pads keep all but `before` and `after`.
    size = weight.shape[-1]
    before = (size - 1 - pads[0], size - 1 - pads[2])
    after = (size - up - pads[1], size - up - pads[3])
    extra = tuple(first - last for first, last in zip(before, after))
    groups = x.shape[1]
    weight = weight.contiguous()
    if min(before) >= 0 and min(extra) >= 0 and max(extra) < up:
        return F.conv_transpose2d(x, weight, None, up, before, extra, groups)
    x = F.conv_transpose2d(x, weight, stride=up, groups=groups)
    return F.pad(x, (-before[1], -after[1], -before[0], -after[0]))


def fir_matrix(taps: Tensor,
               size: int,
               pad: Tuple[int, int],
               up: int = 1,
               down: int = 1) -> Tensor:
    """Matrix of :func:`fir_filter2d` along one axis.

    Args:
        taps: Filter (K, ), not flipped.
        size: Length of the axis.
        pad: Zeros before and after the upsampled axis; negative numbers crop.
        up: Upsampling factor; zeros are inserted between cells.
        down: Decimation factor; every ``down``-th value is kept.

    Returns:
        (size', size), with size' = (size * up + sum(pad) - K) // down + 1.
    """
    out_size = (size * up + sum(pad) - len(taps)) // down + 1
    # Output i sums the flipped taps from `first` on; input j is at j * up.
    first = torch.arange(out_size, device=taps.device) * down - pad[0]
    place = torch.arange(size, device=taps.device) * up - first[:, None]
    inside = (place >= 0) & (place < len(taps))
    return taps.flip(0)[place.clamp(0, len(taps) - 1)] * inside


def filter_by_products(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Separable filter: multiply each channel by matrices from both sides.

    Args:
        x: Feature map (N, C, H, W).
        rows: (H', H).
        columns: (W', W).

    Returns:
        (N, C, H', W'), in the memory format of ``x``.
    """
    if not x.is_contiguous(memory_format=torch.channels_last):
        return rows @ (x @ columns.t())
    x = rows @ x.permute(0, 2, 3, 1).flatten(2)  # [N, H', W * C]
    x = columns @ x.unflatten(
        2, (columns.shape[1], -1)).flatten(0, 1)  # [N * H', W', C]
    return x.unflatten(0, (-1, len(rows))).permute(0, 3, 1, 2)


def resize_bilinear(x: Tensor, size: Tuple[int, int]) -> Tensor:
    """Bilinear resize with aligned corners and without antialiasing.

    Returns the input itself if it has the size already.

    Args:
        x: (N, C, H, W).
        size: Height H' and width W' of the result.

    Returns:
        (N, C, H', W').
    """
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=size, mode='bilinear', align_corners=True)


def resize_images(images: Tensor, size: Tuple[int, int]) -> Tensor:
    """Resize images for evaluation: bilinear, antialiased when shrinking.

    Pixel centres, not corners, are aligned (``align_corners=False``). Images
    that have the size already are returned as they are.

    Args:
        images: Float tensor (N, C, H, W).
        size: Target (H, W).

    Returns:
        Images of the given size, same dtype and range.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(
        images, size=size, mode='bilinear', antialias=True)


def resample_area(x: Tensor,
                  size: Tuple[int, int],
                  region: Sequence[float] = (0., 0., 1., 1.)) -> Tensor:
    """Resample by area: each pixel is the mean over the area it covers.

    Args:
        x: (N, C, H, W).
        size: Height H' and width W' of the result.
        region: Part of ``x``, (top, left, height, width) as fractions of its
            sides.

    Returns:
        (N, C, H', W'); ``x`` itself if nothing changes.
    """
    region = tuple(region)
    if tuple(x.shape[-2:]) == tuple(size) and region == (0., 0., 1., 1.):
        return x
    rows, columns = (
        area_matrix(length, out, start, extent, x.device).to(x.dtype)
        for length, out, start, extent in zip(x.shape[-2:], size, region[:2],
                                              region[2:]))
    return filter_by_products(x, rows, columns)


def area_matrix(length: int,
                out_length: int,
                start: float = 0.,
                extent: float = 1.,
                device: Optional[torch.device] = None) -> Tensor:
    """Matrix that maps an axis to means over intervals.

    Args:
        length: Length of the axis.
        out_length: Number of equal intervals.
        start: Start of the first interval, as a fraction of the axis.
        extent: Length of all intervals, as a fraction of the axis.
        device: Device of the result.

    Returns:
        Float32 (out_length, length); rows sum to 1 inside the axis.
    """
    step = length * extent / out_length
    edges = length * start + step * torch.arange(
        out_length + 1, device=device)[:, None]
    cells = torch.arange(length, device=device)
    # Length of each cell [j, j + 1] inside each interval, [out, length].
    overlap = torch.minimum(edges[1:], cells + 1) - torch.maximum(
        edges[:-1], cells)
    return overlap.clamp_(min=0) / step
