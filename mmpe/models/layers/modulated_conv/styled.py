"""Layers of the synthesis network: convolution with noise, and RGB output."""
from typing import Optional, Tuple

import torch
from torch import Tensor, nn

from mmpe.functional.bias_act import GAIN, noise_bias_act_
from mmpe.functional.dtypes import at_least_float32
from ..equalized import ActivationBias
from .convolution import ModulatedConv2d

__all__ = ['NoiseInjection', 'StyledConv', 'ToRGB']


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
