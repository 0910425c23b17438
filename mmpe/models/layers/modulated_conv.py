"""Modulated convolutions of StyleGAN2, one class per upsampling policy.

The style scales the input channels and demodulation scales the output
channels, so that one convolution with shared weights serves the whole batch.
"""
from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.dtypes import at_least_float32
from .equalized import EqualizedLinear, FusedLeakyReLU
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
        self.weight_orig = nn.Parameter(
            torch.randn(1, out_channels, in_channels, kernel_size,
                        kernel_size))
        self.style_modulation = EqualizedLinear(
            style_channels, in_channels, bias_init=1.)
        # The scale of the equalised weight goes into the style.
        self.weight_scale = self.weight_orig[0, 0].numel()**-0.5
        self.padding = kernel_size // 2 if padding else 0
        self.shrink = kernel_size - 1 - 2 * self.padding

    def forward(self, x: Tensor, code: Tensor) -> Tuple[Tensor, Tensor]:
        """Convolve.

        Args:
            x: Feature map (N or 1, in_channels, H, W).
            code: Style code (N, style_channels).

        Returns:
            The map (N, out_channels, H', W') and the factors
            (N, out_channels) that demodulate it.
        """
        style = self.style_modulation(code) * self.weight_scale
        x = x * style.to(x.dtype)[:, :, None, None]
        return self.convolve(x, self.weight_orig[0]), self.demodulation(style)

    def demodulation(self, style: Tensor) -> Tensor:
        """Factors (N, out) that give the outputs unit expected variance."""
        with torch.autocast(style.device.type, enabled=False):
            power = self.weight_orig[0].square().sum(dim=(2, 3))
            return torch.rsqrt(F.linear(style.square(), power) + self.eps)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """The policy: convolve, and change the size, as this class does."""
        return F.conv2d(x, weight, padding=self.padding)

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
            F.conv_transpose2d(x, weight.transpose(0, 1), stride=2))

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

    def forward(self, x: Tensor, noise: Optional[Tensor]) -> Tensor:
        """Weighted noise (N, 1, H, W) for a map, drawn if it is not given."""
        if noise is None:
            # In float32, so that half precision sees the same numbers.
            noise = torch.randn(
                len(x),
                1,
                *x.shape[2:],
                dtype=torch.promote_types(x.dtype, torch.float32),
                device=x.device)
        return self.weight * noise


class StyledConv(nn.Module):
    """Modulated convolution, noise, bias and leaky ReLU.

    Args:
        conv: The convolution with its policy.
    """

    def __init__(self, conv: ModulatedConv2d) -> None:
        super().__init__()
        self.conv = conv
        self.noise_injector = NoiseInjection()
        self.activate = FusedLeakyReLU(conv.weight_orig.shape[1])

    def forward(self,
                x: Tensor,
                code: Tensor,
                noise: Optional[Tensor] = None,
                add_noise: bool = True) -> Tensor:
        """Run the layer.

        Args:
            x: Feature map (N or 1, in_channels, H, W).
            code: Style code (N, style_channels).
            noise: (1 or N, 1, H', W') of the output's size; drawn if None.
            add_noise: Whether noise is added at all.

        Returns:
            (N, out_channels, H', W').
        """
        x, demodulation = self.conv(x, code)
        noise = self.noise_injector(x, noise) if add_noise else None
        return self.activate(x, scale=demodulation, noise=noise)


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
                code: Tensor,
                skip: Optional[Tensor] = None) -> Tensor:
        """Make the image.

        Args:
            x: Feature map (N, in_channels, H, W).
            code: Style code (N, style_channels).
            skip: Image of half the size, (N, out_channels, H / 2, W / 2).

        Returns:
            Float32 (N, out_channels, H, W).
        """
        # So few outputs that weights per sample are cheaper than a scaled map.
        style = self.conv.style_modulation(code) * self.conv.weight_scale
        weight = self.conv.weight_orig[:, :, :, 0, 0] * style[:, None]
        image = torch.matmul(weight.to(x.dtype), x.flatten(2))
        image = at_least_float32(image).unflatten(2, x.shape[2:]) + self.bias
        return image if skip is None else image + self.upsample(skip)
