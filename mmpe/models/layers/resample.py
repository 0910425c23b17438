"""Low-pass FIR filters as modules.

Resampling is zero insertion, filtering and decimation (``upfirdn``), with
the pads of StyleGAN2's implementation. A filter next to a convolution
reconstructs (after a transposed one) or antialiases (before a strided one).
"""
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.dtypes import autocast_dtype
from mmpe.functional.resample import (filter_by_products, fir_filter2d,
                                      fir_kernel, fir_matrix)
from mmpe.utils.compiling import is_traced

__all__ = ['EdgeFIRUpsampler', 'FIRFilter']

# Number of zeros before and after each axis.
Pad = Tuple[int, int]
# On a CPU, two products with small matrices beat the overhead of calling a
# convolution for maps of up to this many values.
_FEW_NUMBERS = 2**16


class FIRFilter(nn.Module):
    """Low-pass filter for a feature map, with optional up- or downsampling.

    Args:
        taps: Taps of the separable filter.
        pad: Zeros before and after each axis, in cells after upsampling.
        up: Upsampling factor.
        down: Downsampling factor.
        gain: Sum of the 2-D kernel.
    """

    kernel: Tensor

    def __init__(self,
                 taps: Sequence[float],
                 pad: Pad,
                 up: int = 1,
                 down: int = 1,
                 gain: float = 1.) -> None:
        super().__init__()
        self.register_buffer('kernel', fir_kernel(taps, gain))
        self.pad = pad
        self.up = up
        self.down = down
        self._matrices: Dict[Any, Optional[List[Tensor]]] = {}

    @classmethod
    def upsampler(cls, taps: Sequence[float] = (1, 3, 3, 1)) -> 'FIRFilter':
        """Filter that doubles the size of a map, used for the RGB skip.

        The gain of 4 makes up for the inserted zeros.
        """
        extra = len(taps) - 2
        # (2, 1) for taps [1, 3, 3, 1].
        return cls(taps, ((extra + 1) // 2 + 1, extra // 2), up=2, gain=4.)

    @classmethod
    def before_conv(cls,
                    taps: Sequence[float],
                    kernel_size: int,
                    down: int = 1) -> 'FIRFilter':
        """Antialiasing filter before a convolution of stride 2.

        Args:
            taps: Taps of the separable filter.
            kernel_size: Size of the convolution's kernel.
            down: 2 to compute only the cells that a 1x1 convolution of stride
                2 reads; its own stride is then 1.

        Returns:
            The filter.
        """
        extra = len(taps) - 2 + kernel_size - 1
        # (2, 2) for taps [1, 3, 3, 1] and a 3 x 3 convolution, (1, 1) for
        # 1 x 1: the pads of filter and convolution together.
        return cls(taps, ((extra + 1) // 2, extra // 2), down=down)

    @classmethod
    def after_transposed_conv(cls, taps: Sequence[float],
                              kernel_size: int) -> 'FIRFilter':
        """Reconstruction filter after a transposed convolution of stride 2."""
        extra = len(taps) - 2 - (kernel_size - 1)
        # (1, 1) for taps [1, 3, 3, 1] and a 3 x 3 convolution, whose
        # transpose returns 2 H + 1 cells.
        return cls(taps, ((extra + 1) // 2 + 1, extra // 2 + 1), gain=4.)

    def forward(self, x: Tensor) -> Tensor:
        """Filter (N, C, H, W)."""
        return self.filter(x, self.pad)

    def filter(self, x: Tensor, pad: Pad) -> Tensor:
        """Filter (N, C, H, W), padded with the given number of zeros."""
        matrices = None
        if not is_traced(x) and x.device.type == 'cpu' \
                and x.numel() <= _FEW_NUMBERS \
                and autocast_dtype('cpu') is None:
            matrices = self._matrices_for(x, pad)
        if matrices is None:
            return fir_filter2d(x, self.kernel, pad, self.up, self.down)
        return filter_by_products(x, *matrices)

    def _matrices_for(self, x: Tensor, pad: Pad) -> Optional[List[Tensor]]:
        """Matrices for rows and columns; None if the kernel is inseparable."""
        key = (*x.shape[2:], x.dtype, pad)
        if key not in self._matrices:
            self._matrices[key] = self._make_matrices(*key)
        return self._matrices[key]

    def _make_matrices(self, height: int, width: int, dtype: torch.dtype,
                       pad: Pad) -> Optional[List[Tensor]]:
        kernel = self.kernel.double()
        # A separable kernel is the outer product of its marginals.
        down, across = kernel.sum(1), kernel.sum(0) / kernel.sum()
        if not torch.allclose(torch.outer(down, across), kernel):
            return None
        return [
            fir_matrix(taps, size, pad, self.up, self.down).to(dtype)
            for taps, size in ((down, height), (across, width))
        ]

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        self._matrices.clear()
        super()._load_from_state_dict(*args, **kwargs)


class EdgeFIRUpsampler(FIRFilter):
    """:class:`FIRFilter` that replicates the border instead of zero padding.

    With taps [1, 3, 3, 1] and ``up=2`` this is bilinear interpolation.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Filter (N, C, H, W)."""
        margin = self.kernel.shape[-1] // 2
        x = F.pad(x, (margin, ) * 4, mode='replicate')
        crop = margin * self.up
        return self.filter(x, (self.pad[0] - crop, self.pad[1] - crop))
