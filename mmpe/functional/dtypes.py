"""Precision of what must not be computed in half precision."""
from typing import Optional

import torch
from torch import Tensor

__all__ = ['at_least_float32', 'autocast_dtype']


def at_least_float32(x: Tensor) -> Tensor:
    """The tensor in float32, or in float64 if it is that already."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def autocast_dtype(device_type: str) -> Optional[torch.dtype]:
    """The type autocast computes convolutions in; None where it is off."""
    if hasattr(torch, 'get_autocast_dtype'):
        enabled = torch.is_autocast_enabled(device_type)
        dtype = torch.get_autocast_dtype(device_type)
    elif device_type == 'cpu':
        enabled = torch.is_autocast_cpu_enabled()
        dtype = torch.get_autocast_cpu_dtype()
    else:
        enabled = torch.is_autocast_enabled()
        dtype = torch.get_autocast_gpu_dtype()
    return dtype if enabled else None
