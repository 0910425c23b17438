"""Memory format of StyleGAN2's feature maps."""
import contextlib
import os
from typing import Iterator

import torch
from torch import Tensor

__all__ = ['contiguous_maps', 'in_map_format', 'like_maps']

_format = torch.channels_last if os.environ.get(
    'MMPE_CHANNELS_LAST', '1') != '0' else torch.contiguous_format


def in_map_format(x: Tensor) -> Tensor:
    """Convert a map (N, C, H, W) to channels last, unless turned off.

    Args:
        x: The map.

    Returns:
        The map with the same values.
    """
    return x.contiguous(memory_format=_format)


def like_maps(weight: Tensor, x: Tensor) -> Tensor:
    """Convert a weight so that the convolution keeps the map's format.

    PyTorch's output is channels last if either of the two is.

    Args:
        weight: (out, in, K, K).
        x: The map (N, C, H, W).

    Returns:
        The weight with the same values.
    """
    if _format is torch.contiguous_format and x.is_cuda:
        return weight.contiguous()
    return weight


@contextlib.contextmanager
def contiguous_maps() -> Iterator[None]:
    """Use contiguous maps in this context, as ``MMPE_CHANNELS_LAST=0`` does.

    Slower on CPUs; not measured on GPUs, where it suits the filters but not
    the convolutions.
    """
    global _format
    before, _format = _format, torch.contiguous_format
    try:
        yield
    finally:
        _format = before
