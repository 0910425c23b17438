"""The order in memory of StyleGAN2's feature maps."""
import contextlib
import os
from typing import Iterator

import torch
from torch import Tensor

__all__ = ['contiguous_maps', 'in_map_format', 'like_maps']

_format = torch.channels_last if os.environ.get(
    'MMPE_CHANNELS_LAST', '1') != '0' else torch.contiguous_format


def in_map_format(x: Tensor) -> Tensor:
    """A map (N, C, H, W), channels last unless that is turned off.

    Args:
        x: The map.

    Returns:
        The same numbers.
    """
    return x.contiguous(memory_format=_format)


def like_maps(weight: Tensor, x: Tensor) -> Tensor:
    """The weight of a convolution in a format that keeps the map's.

    PyTorch takes channels last if either of them is.

    Args:
        weight: (out, in, K, K).
        x: The map (N, C, H, W) on a GPU.

    Returns:
        The same numbers.
    """
    if _format is torch.contiguous_format and x.is_cuda:
        return weight.contiguous()
    return weight


@contextlib.contextmanager
def contiguous_maps() -> Iterator[None]:
    """Keep each channel together, as ``MMPE_CHANNELS_LAST=0`` does.

    On processors that is slower. On GPUs it has not been measured: it suits
    the filters, but not the convolutions.
    """
    global _format
    before, _format = _format, torch.contiguous_format
    try:
        yield
    finally:
        _format = before
