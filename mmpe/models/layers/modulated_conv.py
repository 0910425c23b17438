"""Modulated convolutions (StyleGAN2, Sec. 2.2), one class per upsampling.

With weight w [O, I, k, k], style s [N, I] and demodulation d [N, O]::

    w'  = s_i w                              (StyleGAN2, Eq. 1: modulation)
    d_o = 1 / sqrt(sum_{i, k} w'^2 + eps)    (StyleGAN2, Eq. 3: demodulation)
    y   = d_o conv(x, w') = d_o conv(s_i x, w)

The last form scales activations, not weights, so that one convolution with
shared weights serves the whole batch. d_o is positive and commutes with the
leaky ReLU; each layer leaves it to the next one, as a factor on that layer's
style, and saves a pass over its feature map. In the code a feature is always
the product of a map `x` [N, C, H, W] and its `factor` [N, C].
"""
from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.bias_act import GAIN, noise_bias_act_
from mmpe.functional.conv import conv2d, conv_transpose2d
from mmpe.functional.dtypes import at_least_float32
from .equalized import ActivationBias, EqualizedLinear
from .resample import FIRFilter

__all__ = [
    'ConvThenResize', 'ModulatedConv2d', 'NoiseInjection', 'ResizeThenConv',
    'StyledConv', 'ToRGB', 'TransposedConvUp'
]

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


class TransposedConvUp(ModulatedConv2d):
    """Doubles the size with a transposed convolution and a low-pass filter.

    Args:
        blur_kernel: Taps of the filter.
        args, kwargs: For :class:`ModulatedConv2d`.
    """

    def __init__(self, *args, blur_kernel: Sequence[float], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.blur = FIRFilter.after_transposed_conv(
            blur_kernel, self.weight_orig.shape[-1])

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Transposed convolution of stride 2, then the filter."""
        return self.blur(
            conv_transpose2d(x, weight.transpose(0, 1), stride=2))

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return 2 * size[0], 2 * size[1]


class _ResizingConv(ModulatedConv2d):
    """Convolution with interpolation before or after it.

    Args:
        up_config: ``scale_factor`` and arguments of
            ``torch.nn.functional.interpolate``.
        extra_cells: Cells added to the resized map per axis, to make room for
            unpadded convolutions (``interp_pad``, rows h to k).
        args, kwargs: For :class:`ModulatedConv2d`.
    """

    def __init__(self,
                 *args,
                 up_config: dict,
                 extra_cells: int = 0,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.interpolation = dict(up_config)
        self.factor = self.interpolation.pop('scale_factor')
        self.extra_cells = extra_cells

    def resized(self, size: Size) -> Size:
        """Size after interpolation."""
        # Rows h to k add 4 cells, which the two unpadded 3 x 3 convolutions
        # of a block remove.
        return tuple(side * self.factor + self.extra_cells for side in size)

    def resize(self, x: Tensor) -> Tensor:
        """Interpolate a map."""
        size = self.resized((x.shape[-2], x.shape[-1]))
        return F.interpolate(x, size=size, **self.interpolation)


class ConvThenResize(_ResizingConv):
    """Doubles the size by interpolating the convolution's output."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve, then interpolate."""
        return self.resize(super().convolve(x, weight))

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return self.resized(super().output_size(size))


class ResizeThenConv(_ResizingConv):
    """Doubles the size by interpolating the convolution's input."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Interpolate, then convolve."""
        return super().convolve(self.resize(x), weight)

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return super().output_size(self.resized(size))


class NoiseInjection(nn.Module):
    """Noise with one learned weight, shared by all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    @staticmethod
    def draw(x: Tensor) -> Tensor:
        """Draw noise (N, 1, H, W) for a map (N, C, H, W).

        Drawn in float32, so that a seed gives the same noise in half
        precision.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        return torch.randn(
            len(x), 1, *x.shape[2:], dtype=dtype, device=x.device)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias and leaky ReLU.

    Args:
        conv: The convolution, with its upsampling policy.
    """

    def __init__(self, conv: ModulatedConv2d) -> None:
        super().__init__()
        self.conv = conv
        self.noise_injector = NoiseInjection()
        self.activate = ActivationBias(conv.weight_orig.shape[1])

    def forward(self,
                x: Tensor,
                factor: Tensor,
                code: Tensor,
                noise: Optional[Tensor] = None,
                add_noise: bool = True) -> Tuple[Tensor, Tensor]:
        """Run the layer on a map and its pending factor.

        Args:
            x: Feature map (N or 1, in_channels, H, W).
            factor: Pending factor (N or 1, in_channels) on ``x``.
            code: Style code (N, style_channels).
            noise: (1 or N, 1, H', W'), in the size of the output; drawn if
                None.
            add_noise: Add noise.

        Returns:
            The map (N, out_channels, H', W') and its pending factor
            (N, out_channels).
        """
        style = self.conv.style(code)  # [N, I]
        x = self.conv(x, style, factor)  # [N, O, H', W']
        # The layer is gain * lrelu(d x + w noise + b). With d > 0 this equals
        # (gain * d) * lrelu(x + (w noise + b) / d), of which gain * d is
        # passed on to the next layer.
        demodulation = self.conv.demodulation(style)  # [N, O]
        bias = self.activate.bias / demodulation
        if not add_noise:
            return noise_bias_act_(x, bias), demodulation * GAIN
        if noise is None:
            noise = self.noise_injector.draw(x)
        weight = self.noise_injector.weight / demodulation
        return noise_bias_act_(x, bias, noise, weight), demodulation * GAIN


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to RGB, added to the upsampled skip.

    StyleGAN2, Sec. 4.1 (output skips). The weights are not demodulated.

    Args:
        in_channels: Input channels.
        style_channels: Channels of the style code.
        out_channels: Channels of the image.
        upsample: Module that doubles the size of the skip; None in the first
            block.
    """

    def __init__(self,
                 in_channels: int,
                 style_channels: int,
                 out_channels: int = 3,
                 upsample: Optional[nn.Module] = None) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 1,
                                    style_channels)
        self.bias = nn.Parameter(torch.zeros(1, out_channels, 1, 1))
        if upsample is not None:
            self.upsample = upsample

    def forward(self,
                x: Tensor,
                factor: Tensor,
                code: Tensor,
                skip: Optional[Tensor] = None) -> Tensor:
        """Make the image.

        Args:
            x: Feature map (N, in_channels, H, W).
            factor: Pending factor (N, in_channels) on ``x``.
            code: Style code (N, style_channels).
            skip: Image of half the size, (N, out_channels, H / 2, W / 2).

        Returns:
            Float32 (N, out_channels, H, W).
        """
        # With three output channels, weights per sample are cheaper than
        # scaling the map.
        style = self.conv.style(code) * factor  # [N, I]
        weight = self.conv.weight_orig[..., 0, 0] * style[:, None]  # [N, O, I]
        image = torch.matmul(weight.to(x.dtype), x.flatten(2))  # [N, O, H * W]
        image = at_least_float32(image).unflatten(2, x.shape[2:]) + self.bias
        return image if skip is None else image + self.upsample(skip)
