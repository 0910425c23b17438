"""Scale, noise, bias and leaky ReLU in as few passes as possible."""
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['bias_act']


def bias_act(x: Tensor,
             bias: Tensor,
             gain: float = 2**0.5,
             slope: float = 0.2,
             scale: Optional[Tensor] = None,
             noise: Optional[Tensor] = None) -> Tensor:
    """``gain * leaky_relu(scale * x + noise + bias)``.

    The gain is positive, so it goes into the small operands instead of taking
    a pass of its own over the map.

    Args:
        x: (N, C) or (N, C, H, W).
        bias: (C, ).
        gain: Positive factor on the result.
        slope: Slope of the leaky ReLU below zero; positive.
        scale: Factors (N, C), for instance of demodulation.
        noise: Added to all channels of a map: (1 or N, 1, H, W).

    Returns:
        Of the shape and dtype of ``x``.
    """
    tail = (1, ) * (x.dim() - 2)
    bias = (bias * gain).to(x.dtype).view(-1, *tail)
    if scale is None:
        out = torch.add(bias, x, alpha=gain)
    else:
        scale = (scale * gain).to(x.dtype).view(*scale.shape, *tail)
        out = torch.addcmul(bias, x, scale)
    if noise is not None:
        out.add_((noise * gain).to(x.dtype))
    return F.leaky_relu_(out, slope)
