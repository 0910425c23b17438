"""Modulated convolutions that double the size of a map."""
from typing import Sequence

import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.conv import conv_transpose2d
from ..resample import FIRFilter
from .convolution import ModulatedConv2d, Size

__all__ = ['ConvThenResize', 'ResizeThenConv', 'TransposedConvUp']


class TransposedConvUp(ModulatedConv2d):
    """Doubles the size with a transposed convolution and a low-pass filter.

    Args:
        blur_kernel: Taps of the filter.
        args, kwargs: For :class:`ModulatedConv2d`.
    """

    def __init__(self, *args, blur_kernel: Sequence[float], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.blur = FIRFilter.after_transposed_conv(
            blur_kernel, self.weight_orig.shape[-1])

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Transposed convolution of stride 2, then the filter."""
        return self.blur(
            conv_transpose2d(x, weight.transpose(0, 1), stride=2))

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return 2 * size[0], 2 * size[1]


class _ResizingConv(ModulatedConv2d):
    """Convolution with interpolation before or after it.

    Args:
        up_config: ``scale_factor`` and arguments of
            ``torch.nn.functional.interpolate``.
        extra_cells: Cells added to the resized map per axis, to make room for
            unpadded convolutions (``interp_pad``, rows h to k).
        args, kwargs: For :class:`ModulatedConv2d`.
    """

    def __init__(self,
                 *args,
                 up_config: dict,
                 extra_cells: int = 0,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.interpolation = dict(up_config)
        self.factor = self.interpolation.pop('scale_factor')
        self.extra_cells = extra_cells

    def resized(self, size: Size) -> Size:
        """Size after interpolation."""
        # Rows h to k add 4 cells, which the two unpadded 3 x 3 convolutions
        # of a block remove.
        return tuple(side * self.factor + self.extra_cells for side in size)

    def resize(self, x: Tensor) -> Tensor:
        """Interpolate a map."""
        size = self.resized((x.shape[-2], x.shape[-1]))
        return F.interpolate(x, size=size, **self.interpolation)


class ConvThenResize(_ResizingConv):
    """Doubles the size by interpolating the convolution's output."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve, then interpolate."""
        return self.resize(super().convolve(x, weight))

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return self.resized(super().output_size(size))


class ResizeThenConv(_ResizingConv):
    """Doubles the size by interpolating the convolution's input."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Interpolate, then convolve."""
        return super().convolve(self.resize(x), weight)

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        return super().output_size(self.resized(size))
