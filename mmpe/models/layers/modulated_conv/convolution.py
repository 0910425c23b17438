"""Convolution whose input channels are scaled by a style."""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.conv import conv2d
from ..equalized import EqualizedLinear

__all__ = ['ModulatedConv2d']

Size = Tuple[int, int]


class ModulatedConv2d(nn.Module):
    """Convolution whose input channels are scaled by a style.

    Analyzing and Improving the Image Quality of StyleGAN, Sec. 2.2. With
    padding the size is unchanged, without it the map shrinks by
    ``kernel_size - 1``; subclasses double the size.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: Size of the square kernel, odd.
        style_channels: Channels of the style code.
        padding: Pad with zeros to keep the size of the map.
    """

    eps = 1e-8

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: int,
                 style_channels: int,
                 padding: bool = True) -> None:
        super().__init__()
        weight = torch.randn(out_channels, in_channels, kernel_size,
                             kernel_size)
        self.weight_orig = nn.Parameter(
            weight.contiguous(memory_format=torch.channels_last)[None])
        self.style_modulation = EqualizedLinear(
            style_channels, in_channels, bias_init=1.)
        # 1 / sqrt(fan-in) of the equalised weight is applied to the style,
        # [N, I], which is smaller than the weight.
        self.weight_scale = self.weight_orig[0, 0].numel()**-0.5
        self.padding = kernel_size // 2 if padding else 0
        self.shrink = kernel_size - 1 - 2 * self.padding

    def forward(self, x: Tensor, style: Tensor, factor: Tensor) -> Tensor:
        """Convolve, without demodulation.

        Args:
            x: Feature map (N or 1, in_channels, H, W).
            style: (N, in_channels), see :meth:`style`.
            factor: Pending factor (N or 1, in_channels) on ``x``.

        Returns:
            The map (N, out_channels, H', W').
        """
        weight = self.weight_orig.squeeze(0)  # [O, I, k, k]
        scale = (style * factor).to(x.dtype)  # [N, I]
        # StyleGAN2 (Appendix B) modulates weights per sample and runs a
        # grouped convolution, which is slow, and slower still to
        # differentiate twice. Scaling the map instead reads and writes 8
        # bytes per value, each of which then takes 18 operations per output
        # channel: more than 1000 from 64 channels on, enough to keep even a
        # GPU busy. For a single sample the smaller of the two is scaled.
        # `scale.shape[0]`, as `len` cannot be symbolic when exporting.
        if scale.shape[0] == 1 and weight.numel() < x.numel():
            return self.convolve(x, weight * scale[..., None, None])
        return self.convolve(x * scale[..., None, None], weight)

    def style(self, code: Tensor) -> Tensor:
        """Style (N, in), including the scale of the equalised weight."""
        return self.style_modulation(code) * self.weight_scale

    def demodulation(self, style: Tensor) -> Tensor:
        """Factors (N, out) for unit expected output variance (Eq. 3)."""
        with torch.autocast(style.device.type, enabled=False):
            # sum_{i, k} (s_i w_oik)^2 = sum_i s_i^2 sum_k w_oik^2, so that no
            # weight per sample, [N, O, I, k, k], is needed.
            power = self.weight_orig.squeeze(0).square().sum(
                dim=(2, 3))  # [O, I]
            return torch.rsqrt(
                F.linear(style.square(), power) + self.eps)  # [N, O]

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve and resample; subclasses override it."""
        return conv2d(x, weight, padding=self.padding)

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return size[0] - self.shrink, size[1] - self.shrink
