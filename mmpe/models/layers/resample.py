"""FIR filters as modules."""
from typing import Sequence, Tuple

import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.resample import fir_filter2d, fir_kernel

__all__ = ['EdgeFIRUpsampler', 'FIRFilter']


class FIRFilter(nn.Module):
    """Low-pass filter of a feature map, with optional up- or downsampling.

    Args:
        taps: Taps of the separable filter.
        pad: Zeros before and after each axis, counted after upsampling.
        up: Upsampling factor.
        down: Downsampling factor.
        gain: Sum of the filter.
    """

    def __init__(self,
                 taps: Sequence[float],
                 pad: Tuple[int, int],
                 up: int = 1,
                 down: int = 1,
                 gain: float = 1.) -> None:
        super().__init__()
        self.register_buffer('kernel', fir_kernel(taps, gain))
        self.pad = pad
        self.up = up
        self.down = down

    @classmethod
    def upsampler(cls, taps: Sequence[float] = (1, 3, 3, 1)) -> 'FIRFilter':
        """Filter that doubles a map's size, as for the RGB skip."""
        extra = len(taps) - 2
        return cls(taps, ((extra + 1) // 2 + 1, extra // 2), up=2, gain=4.)

    @classmethod
    def before_conv(cls,
                    taps: Sequence[float],
                    kernel_size: int,
                    down: int = 1) -> 'FIRFilter':
        """Filter in front of a convolution that halves a map's size.

        Args:
            taps: Taps of the separable filter.
            kernel_size: Size of the convolution's kernel.
            down: 2 to leave out what a 1x1 convolution of stride 2 would not
                read.

        Returns:
            The filter.
        """
        extra = len(taps) - 2 + kernel_size - 1
        return cls(taps, ((extra + 1) // 2, extra // 2), down=down)

    @classmethod
    def after_transposed_conv(cls, taps: Sequence[float],
                              kernel_size: int) -> 'FIRFilter':
        """Filter behind a transposed convolution of stride 2."""
        extra = len(taps) - 2 - (kernel_size - 1)
        return cls(taps, ((extra + 1) // 2 + 1, extra // 2 + 1), gain=4.)

    def forward(self, x: Tensor) -> Tensor:
        """Filter (N, C, H, W)."""
        return fir_filter2d(x, self.kernel, self.pad, self.up, self.down)


class EdgeFIRUpsampler(FIRFilter):
    """:class:`FIRFilter` that repeats the border instead of adding zeros.

    With taps [1, 3, 3, 1] and ``up=2`` this is bilinear interpolation.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Filter (N, C, H, W)."""
        margin = self.kernel.shape[-1] // 2
        x = F.pad(x, (margin, ) * 4, mode='replicate')
        crop = margin * self.up
        pad = (self.pad[0] - crop, self.pad[1] - crop)
        return fir_filter2d(x, self.kernel, pad, self.up)
