"""Helpers for computations that must not run in half precision."""
from typing import Optional

import torch
from torch import Tensor

__all__ = ['at_least_float32', 'autocast_dtype']


def at_least_float32(x: Tensor) -> Tensor:
    """Cast to float32; float64 stays."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def autocast_dtype(device_type: str) -> Optional[torch.dtype]:
    """Autocast's dtype of convolutions; None if autocast is off."""
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
