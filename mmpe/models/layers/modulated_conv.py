"""Modulated convolutions of StyleGAN2, one class per upsampling policy.

The style scales the input channels and demodulation scales the output
channels, so that one convolution with shared weights serves the whole batch.
Demodulation is positive, so it goes through the leaky ReLU, and is left to the
next layer as a factor on its style: no layer takes a pass over its map for it.
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

    Analyzing and Improving the Image Quality of StyleGAN, Sec. 2.2. This class
    keeps the size of a map, but for what missing padding takes; subclasses
    double it.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: Size of the square kernel, odd.
        style_channels: Channels of the style code.
        padding: Whether zeros keep the size of the map.
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
        # The scale of the equalised weight goes into the style.
        self.weight_scale = self.weight_orig[0, 0].numel()**-0.5
        self.padding = kernel_size // 2 if padding else 0
        self.shrink = kernel_size - 1 - 2 * self.padding

    def forward(self, x: Tensor, style: Tensor, factor: Tensor) -> Tensor:
        """Convolve, without demodulation.

        Args:
            x: Feature map (N or 1, in_channels, H, W).
            style: (N, in_channels), see :meth:`style`.
            factor: (N or 1, in_channels) that ``x`` still lacks.

        Returns:
            The map (N, out_channels, H', W').
        """
        weight = self.weight_orig.squeeze(0)
        scale = (style * factor).to(x.dtype)
        # Weights for each sample would be a grouped convolution, which is
        # slow, and slower still to differentiate twice. To scale a map reads
        # and writes 8 bytes for each number, which then takes 18 operations
        # for each output channel: more than 1000 from 64 channels on, so that
        # a GPU too is busy with the convolution. For one sample, weights are
        # scaled where that is less.
        # Not `len`, which cannot be a symbol when a model is exported.
        if scale.shape[0] == 1 and weight.numel() < x.numel():
            return self.convolve(x, weight * scale[..., None, None])
        return self.convolve(x * scale[..., None, None], weight)

    def style(self, code: Tensor) -> Tensor:
        """Factors (N, in) on the input, with the weight's scale in them."""
        return self.style_modulation(code) * self.weight_scale

    def demodulation(self, style: Tensor) -> Tensor:
        """Factors (N, out) that give the outputs unit expected variance."""
        with torch.autocast(style.device.type, enabled=False):
            power = self.weight_orig.squeeze(0).square().sum(dim=(2, 3))
            return torch.rsqrt(F.linear(style.square(), power) + self.eps)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """The policy: convolve, and change the size, as this class does."""
        return conv2d(x, weight, padding=self.padding)

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return size[0] - self.shrink, size[1] - self.shrink


class TransposedConvUp(ModulatedConv2d):
    """Doubles the size by a transposed convolution and a filter.

    Args:
        blur_kernel: Taps of the filter.
        args, kwargs: For :class:`ModulatedConv2d`.
    """

    def __init__(self, *args, blur_kernel: Sequence[float], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.blur = FIRFilter.after_transposed_conv(
            blur_kernel, self.weight_orig.shape[-1])

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve, spreading the input, and filter."""
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
        extra_cells: Cells by which the resized map is larger than
            ``scale_factor`` says; room for convolutions without padding.
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
        return tuple(side * self.factor + self.extra_cells for side in size)

    def resize(self, x: Tensor) -> Tensor:
        """Interpolate a map."""
        return F.interpolate(
            x, size=self.resized(x.shape[-2:]), **self.interpolation)


class ConvThenResize(_ResizingConv):
    """Doubles the size by interpolation of the convolution's output."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve, then interpolate."""
        return self.resize(super().convolve(x, weight))

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return self.resized(super().output_size(size))


class ResizeThenConv(_ResizingConv):
    """Doubles the size by interpolation of the convolution's input."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Interpolate, then convolve."""
        return super().convolve(self.resize(x), weight)

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return super().output_size(self.resized(size))


class NoiseInjection(nn.Module):
    """Noise with one learned weight, the same for all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    @staticmethod
    def draw(x: Tensor) -> Tensor:
        """Noise (N, 1, H, W) for a map (N, C, H, W).

        In float32, so that half precision sees the same numbers.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        return torch.randn(
            len(x), 1, *x.shape[2:], dtype=dtype, device=x.device)


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias and leaky ReLU.

    Args:
        conv: The convolution with its policy.
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
        """Run the layer. Features are the product of a map and factors.

        Args:
            x: Feature map (N or 1, in_channels, H, W).
            factor: (N or 1, in_channels) that ``x`` still lacks.
            code: Style code (N, style_channels).
            noise: (1 or N, 1, H', W') of the output's size; drawn if None.
            add_noise: Whether noise is added at all.

        Returns:
            The map (N, out_channels, H', W') and the factors
            (N, out_channels) it still lacks.
        """
        style = self.conv.style(code)
        x = self.conv(x, style, factor)
        demodulation = self.conv.demodulation(style)
        bias = self.activate.bias / demodulation
        if not add_noise:
            return noise_bias_act_(x, bias), demodulation * GAIN
        if noise is None:
            noise = self.noise_injector.draw(x)
        weight = self.noise_injector.weight / demodulation
        return noise_bias_act_(x, bias, noise, weight), demodulation * GAIN


class ToRGB(nn.Module):
    """Modulated 1x1 convolution to an image, added to a smaller one.

    Args:
        in_channels: Input channels.
        style_channels: Channels of the style code.
        out_channels: Channels of the image.
        upsample: What doubles the smaller image; None in the first layer.
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
            factor: (N, in_channels) that ``x`` still lacks.
            code: Style code (N, style_channels).
            skip: Image of half the size, (N, out_channels, H / 2, W / 2).

        Returns:
            Float32 (N, out_channels, H, W).
        """
        # So few outputs that weights per sample are cheaper than a scaled map.
        style = self.conv.style(code) * factor
        weight = self.conv.weight_orig[..., 0, 0] * style[:, None]
        image = torch.matmul(weight.to(x.dtype), x.flatten(2))
        image = at_least_float32(image).unflatten(2, x.shape[2:]) + self.bias
        return image if skip is None else image + self.upsample(skip)
