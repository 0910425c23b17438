"""From noise to style codes, one for every layer of the generator."""
from typing import Optional, Sequence, Tuple

import torch
from torch import Tensor, nn

from mmpe.models.layers.equalized import EqualizedLinear

__all__ = ['StyleMapping', 'codes_per_layer', 'truncate']


class StyleMapping(nn.Sequential):
    """Mapping network: normalisation and fully connected layers.

    Args:
        in_channels: Channels of the noise (and of the class embedding).
        style_channels: Channels of the style code.
        num_layers: Number of layers.
        lr_mul: Factor on their learning rate.
        norm: Normalisation of the input; left out if None.
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


def codes_per_layer(codes: Sequence[Tensor], num_layers: int,
                    inject_index: Optional[int] = None) -> Tuple[Tensor, int]:
    """Repeat one style code for all layers, or mix two.

    Args:
        codes: One or two tensors (N, C); or one of (N, L, C), kept as it is.
        num_layers: Number of layers L.
        inject_index: First layer that gets the second code; drawn from 1 to
            L - 1 if None.

    Returns:
        (N, L, C) and the index, L where there is one code.
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
    """Move a style code towards the mean one (truncation trick).

    Args:
        code: (N, C) or (N, L, C).
        mean: Broadcastable to ``code``.
        truncation: Distance that is kept, 1 for all of it.

    Returns:
        Of the shape of ``code``.
    """
    return mean + truncation * (code - mean)
