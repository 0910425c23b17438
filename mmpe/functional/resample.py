"""FIR filtering of feature maps, with optional up- and downsampling."""
from typing import Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['fir_filter2d', 'fir_kernel', 'resize_bilinear']


def fir_kernel(taps: Sequence[float], gain: float = 1.) -> Tensor:
    """A normalised 2-D filter from its taps.

    Args:
        taps: Taps of a separable filter, or the rows of a 2-D one.
        gain: Sum of the result.

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
    """Insert zeros, pad, convolve every channel with a filter, and decimate.

    All channels go through one depthwise convolution, which is fast where the
    map is in the channels-last format.

    Args:
        x: Feature map (N, C, H, W).
        kernel: Filter (K, K), not flipped; receives no gradient.
        pad: Zeros before and after each axis of the upsampled map; negative
            numbers crop.
        up: The map is spread by this factor, with zeros in between.
        down: Every ``down``-th value of the result is kept.

    Returns:
        (N, C, H', W') with H' = (H * up + sum(pad) - K) // down + 1.
    """
    num_channels = x.shape[1]
    # A copy, since wrappers for distributed training may write into buffers.
    weight = kernel.to(x.dtype).expand(num_channels, 1, -1, -1)
    if up > 1:
        # A transposed convolution convolves with the zeros left out. It gives
        # K - 1 values before the first input and K - up after the last.
        size = kernel.shape[-1]
        x = F.conv_transpose2d(
            x, weight.contiguous(), stride=up, groups=num_channels)
        before, after = pad[0] - size + 1, pad[1] - size + up
        x = F.pad(x, (before, after, before, after))
        return x[:, :, ::down, ::down] if down > 1 else x
    weight = weight.flip(2, 3)
    if pad[0] != pad[1] or pad[0] < 0:
        x, pad = F.pad(x, (pad[0], pad[1], pad[0], pad[1])), (0, 0)
    return F.conv2d(
        x, weight, stride=down, padding=pad[0], groups=num_channels)


def resize_bilinear(x: Tensor, size: Tuple[int, int]) -> Tensor:
    """Bilinear resize with aligned corners; the input itself if it fits.

    Args:
        x: (N, C, H, W).
        size: Height and width of the result.

    Returns:
        (N, C, *size).
    """
    if tuple(x.shape[-2:]) == tuple(size):
        return x
    return F.interpolate(x, size=size, mode='bilinear', align_corners=True)
