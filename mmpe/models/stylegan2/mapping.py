"""Mapping network from noise to style codes (StyleGAN, Sec. 2)."""
from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.bias_act import GAIN, leaky_relu_
from mmpe.functional.dtypes import at_least_float32
from mmpe.models.layers.equalized import EqualizedLinear

__all__ = ['LabelMapping', 'StyleMapping', 'codes_per_layer', 'truncate']


class StyleMapping(nn.Sequential):
    """Mapping network: normalisation and fully connected layers.

    Args:
        in_channels: Channels of the noise, plus those of a class embedding.
        style_channels: Channels of the style code.
        num_layers: Number of layers.
        lr_mul: Learning rate multiplier of the layers.
        norm: Normalisation of the input; None for no normalisation.
    """

    def __init__(self,
                 in_channels: int,
                 style_channels: int,
                 num_layers: int = 8,
                 lr_mul: float = 0.01,
                 norm: Optional[nn.Module] = None) -> None:
        layers = [] if norm is None else [norm]
        for index in range(num_layers):
            layers.append(
                EqualizedLinear(
                    style_channels if index else in_channels,
                    style_channels,
                    lr_mul=lr_mul,
                    activate=True))
        super().__init__(*layers)


class _Linear(nn.Module):
    """Equalised linear layer with the parameter names of StyleGAN2-ADA."""

    def __init__(self, in_channels: int, out_channels: int,
                 lr_mul: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.randn(out_channels, in_channels) / lr_mul)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.lr_mul = lr_mul

    def forward(self, x: Tensor) -> Tensor:
        scale = self.lr_mul / self.weight.shape[1]**0.5
        return F.linear(x * scale, self.weight, self.bias * self.lr_mul)


class LabelMapping(nn.Module):
    """Mapping network of a label, for a conditional discriminator.

    Args:
        cond_size: Channels of the label.
        channels: Channels of the code.
        num_layers: Number of layers after the embedding.
    """

    def __init__(self, cond_size: int, channels: int, num_layers: int) -> None:
        super().__init__()
        self.num_layers = num_layers
        self.embed = _Linear(cond_size, channels, 1.)
        for index in range(num_layers):
            setattr(self, f'fc{index}', _Linear(channels, channels, 0.01))

    def forward(self, label: Tensor) -> Tensor:
        """Map (N, cond_size) to float32 (N, channels)."""
        with torch.autocast(label.device.type, enabled=False):
            x = self.embed(at_least_float32(label))  # [N, channels]
            x = x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
            for index in range(self.num_layers):
                x = leaky_relu_(getattr(self, f'fc{index}')(x) * GAIN)
        return x


def codes_per_layer(codes: Sequence[Tensor], num_layers: int,
                    inject_index: Optional[int] = None) -> Tuple[Tensor, int]:
    """Repeat one style code for all layers, or mix two (StyleGAN, Sec. 3.1).

    Args:
        codes: One or two tensors (N, C); or one (N, L, C), which is returned
            unchanged.
        num_layers: Number of layers L.
        inject_index: First layer that takes the second code; drawn from 1 to
            L - 1 if None.

    Returns:
        The codes (N, L, C) and the index; L for a single code.
    """
    first = codes[0]
    if len(codes) < 2:
        if first.dim() < 3:
            first = first.unsqueeze(1).repeat(1, num_layers, 1)
        return first, num_layers
    if inject_index is None:
        inject_index = int(torch.randint(1, num_layers, ()))
    mixed = [
        code.unsqueeze(1).repeat(1, repeats, 1) for code, repeats in zip(
            codes, (inject_index, num_layers - inject_index))
    ]
    return torch.cat(mixed, dim=1), inject_index


def truncate(code: Tensor, mean: Tensor, truncation: float) -> Tensor:
    """Move style codes towards their mean (truncation trick in W).

    A Style-Based Generator Architecture for GANs, Appendix B.

    Args:
        code: (N, C) or (N, L, C).
        mean: Broadcastable to ``code``.
        truncation: Fraction of the distance to the mean that is kept.

    Returns:
        Codes in the shape of ``code``.
    """
    return mean + truncation * (code - mean)
