"""Layers with an equalised learning rate (PGGAN, Sec. 4.1).

Weights are drawn from N(0, 1) and scaled by 1 / sqrt(fan-in) at run time, so
that Adam, which normalises by gradient magnitude, moves all of them at the
same relative speed. Parameter names follow MMagic's checkpoints.
"""
from typing import Any, List, Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.bias_act import GAIN, leaky_relu_
from mmpe.functional.conv import conv2d
from mmpe.functional.dtypes import at_least_float32

__all__ = [
    'ActivationBias', 'EqualizedConv2d', 'EqualizedConvAct', 'EqualizedLinear',
    'EqualizedWeight', 'PixelNorm'
]

# Fewest input channels for which a 1 x 1 convolution becomes a product.
_PRODUCT_CHANNELS = 16


class PixelNorm(nn.Module):
    """Pixelwise feature vector normalisation (PGGAN, Sec. 4.2).

    PGGAN adds ``eps`` to the mean square; MMagic, and so the released models,
    add it to the root mean square, as here.

    Args:
        eps: Keeps a zero vector finite.
    """

    def __init__(self, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, ...) over channels; the shape is unchanged."""
        norm = torch.linalg.vector_norm(x, dim=1, keepdim=True)  # [N, 1, ...]
        return x / (norm / x.shape[1]**0.5 + self.eps)


class EqualizedWeight(nn.Module):
    """Normally distributed weight, scaled at run time (PGGAN, Sec. 4.1).

    Args:
        shape: (out, in, ...).
        lr_mul: Learning rate multiplier.
        gain: Factor on the scaled weight.
    """

    def __init__(self,
                 shape: Sequence[int],
                 lr_mul: float = 1.,
                 gain: float = 1.) -> None:
        super().__init__()
        # Dividing by `lr_mul` here and multiplying in `scale` leaves the
        # effective weight as it is and slows it down by `lr_mul`.
        weight = torch.randn(*shape) / lr_mul
        if weight.dim() == 4:
            weight = weight.contiguous(memory_format=torch.channels_last)
        self.weight_orig = nn.Parameter(weight)
        self.scale = gain * lr_mul / self.weight_orig[0].numel()**0.5

    def forward(self) -> Tensor:
        """The scaled weight, of the given shape."""
        return self.weight_orig * self.scale


class EqualizedLinear(nn.Module):
    """Linear layer with bias and an optional leaky ReLU, in float32.

    Args:
        in_features: Input channels.
        out_features: Output channels.
        bias_init: Initial value of the bias.
        lr_mul: Learning rate multiplier for weight and bias.
        activate: Apply a leaky ReLU with gain sqrt(2).
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
        gain = GAIN if self.activate else 1
        with torch.autocast(x.device.type, enabled=False):
            # gain * (scale * x @ w.T + lr_mul * bias) in one pass: a positive
            # gain commutes with the leaky ReLU.
            x = torch.addmm(
                self.bias,
                at_least_float32(x),
                self.linear.weight_orig.t(),
                beta=self.lr_mul * gain,
                alpha=self.linear.scale * gain)
            return leaky_relu_(x) if self.activate else x


class EqualizedConv2d(nn.Module):
    """Convolution without bias.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: Size of the square kernel.
        stride: Stride.
        padding: Zeros on each side.
        gain: Factor on the output.
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
        # A 1 x 1 convolution is a matrix product, which has less overhead per
        # call. Exceptions: products with the few channels of an image are
        # slow, and on a GPU PyTorch allows TF32 in convolutions only.
        self.is_product = kernel_size == stride == 1 and padding == 0 and \
            in_channels >= _PRODUCT_CHANNELS

    def forward(self, x: Tensor, bias: Optional[Tensor] = None) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        weight = self.conv()
        if self.is_product and not x.is_cuda:
            rows = F.linear(
                x.permute(0, 2, 3, 1), weight[..., 0, 0], bias)  # [N, H, W, C]
            return rows.permute(0, 3, 1, 2)
        return conv2d(
            x, weight, bias, stride=self.stride, padding=self.padding)


class ActivationBias(nn.Module):
    """Bias of an activation, under its name in MMagic's checkpoints.

    Args:
        num_channels: Number of channels.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_channels))


class EqualizedConvAct(nn.Sequential):
    """Optional filter, convolution, bias and leaky ReLU with slope 0.2.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: Size of the square kernel.
        gain: Positive factor on the output.
        blur: Filter before the convolution.
        kwargs: Stride and padding, as for :class:`EqualizedConv2d`.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: int,
                 *,
                 gain: float = GAIN,
                 blur: Optional[nn.Module] = None,
                 **kwargs) -> None:
        # A positive gain commutes with the leaky ReLU, so it goes into the
        # convolution's scale and costs nothing.
        layers = [] if blur is None else [blur]
        super().__init__(
            *layers,
            EqualizedConv2d(
                in_channels, out_channels, kernel_size, gain=gain, **kwargs),
            ActivationBias(out_channels))
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        layers: List[Any] = list(self)
        *blur, conv, activation = layers
        for layer in blur:
            x = layer(x)
        return leaky_relu_(conv(x, activation.bias * self.gain))
