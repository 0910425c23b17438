"""Half precision in single blocks (``num_fp16_scales``)."""
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ['clamp', 'low_precision']


def low_precision(x: Tensor, enabled: bool) -> AbstractContextManager:
    """Autocast for a block: float16 on CUDA, bfloat16 elsewhere.

    Args:
        x: A tensor on the block's device.
        enabled: Whether the block runs in low precision; if False, the
            surrounding precision is kept.

    Returns:
        A context manager.
    """
    if not enabled:
        return nullcontext()
    dtype = torch.float16 if x.is_cuda else torch.bfloat16
    return torch.autocast(x.device.type, dtype=dtype)


def clamp(x: Tensor, enabled: bool, limit: float = 256.) -> Tensor:
    """Clamp a feature map so that float16 does not overflow.

    The limit is that of StyleGAN2-ADA's ``conv_clamp``.
    """
    return x.clamp(-limit, limit) if enabled else x
