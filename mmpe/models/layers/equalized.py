"""Layers with an equalised learning rate.

Parameters have the names MMagic's checkpoints give them.
"""
from typing import Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.bias_act import bias_act
from mmpe.functional.dtypes import at_least_float32

__all__ = [
    'EqualizedConv2d', 'EqualizedLinear', 'EqualizedWeight', 'FusedLeakyReLU',
    'PixelNorm'
]


class PixelNorm(nn.Module):
    """Divides by the root mean square over channels, plus ``eps``.

    Args:
        eps: Keeps a zero vector finite.
    """

    def __init__(self, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, ...); the shape stays."""
        rms = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        return x / (rms / x.shape[1]**0.5 + self.eps)


class EqualizedWeight(nn.Module):
    """A normally distributed weight, scaled by its fan-in when it is used.

    Progressive Growing of GANs, Sec. 4.1.

    Args:
        shape: (out, in, ...).
        lr_mul: Factor on the learning rate.
        gain: Factor on the scaled weight.
    """

    def __init__(self,
                 shape: Sequence[int],
                 lr_mul: float = 1.,
                 gain: float = 1.) -> None:
        super().__init__()
        self.weight_orig = nn.Parameter(torch.randn(*shape) / lr_mul)
        self.scale = gain * lr_mul / self.weight_orig[0].numel()**0.5

    def forward(self) -> Tensor:
        """The scaled weight, of the given shape."""
        return self.weight_orig * self.scale


class EqualizedLinear(nn.Module):
    """Linear layer with bias and, on request, a leaky ReLU; in float32.

    Args:
        in_features: Input channels.
        out_features: Output channels.
        bias_init: First value of the bias.
        lr_mul: Factor on the learning rate of weight and bias.
        activate: Whether a leaky ReLU with gain sqrt(2) follows.
    """

    def __init__(self,
                 in_features: int,
                 out_features: int,
                 bias_init: float = 0.,
                 lr_mul: float = 1.,
                 activate: bool = False) -> None:
        super().__init__()
        self.linear = EqualizedWeight((out_features, in_features), lr_mul)
        self.bias = nn.Parameter(torch.full((out_features, ), bias_init))
        self.lr_mul = lr_mul
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_features) to float32 (N, out_features)."""
        with torch.autocast(x.device.type, enabled=False):
            bias = self.bias * self.lr_mul
            x = at_least_float32(x)
            if not self.activate:
                return F.linear(x, self.linear(), bias)
            return bias_act(F.linear(x, self.linear()), bias)


class EqualizedConv2d(nn.Module):
    """Convolution without bias.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: Size of the square kernel.
        stride: Stride.
        padding: Zeros on each side.
        gain: Factor on the result.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: int,
                 stride: int = 1,
                 padding: int = 0,
                 gain: float = 1.) -> None:
        super().__init__()
        self.conv = EqualizedWeight(
            (out_channels, in_channels, kernel_size, kernel_size), gain=gain)
        self.stride = stride
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        return F.conv2d(
            x, self.conv(), stride=self.stride, padding=self.padding)


class FusedLeakyReLU(nn.Module):
    """Bias, leaky ReLU of slope 0.2, and gain.

    Args:
        num_channels: Channels.
        gain: Positive factor on the result.
    """

    def __init__(self, num_channels: int, gain: float = 2**0.5) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.gain = gain

    def forward(self,
                x: Tensor,
                scale: Optional[Tensor] = None,
                noise: Optional[Tensor] = None) -> Tensor:
        """See :func:`mmpe.functional.bias_act.bias_act`; the shape stays."""
        return bias_act(
            x, self.bias, gain=self.gain, scale=scale, noise=noise)
