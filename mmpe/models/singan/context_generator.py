"""SinGAN generator with explicit positions as its only spatial cue.

::

    noise, positions -> 1 x 1 convolutions -> image 0, with context
    image 0, resized -> + noise -> convolutions -> + -> image 1, with context
                     '----------------------------'
    ...                                            -> last image

There is no padding. Each scale is computed on a grid that is larger than its
image by its context: the cells that its own convolutions and those of the
finer scales consume. Noise and positions continue beyond the border, so the
generator cannot tell where the border is; the image is the middle of its
output.
"""
import math
from typing import Any, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.upsample import upsample_window
from mmpe.registry import MODELS, build_from
from .generator import SinGANMultiScaleGenerator

__all__ = ['SinGANContextGenerator']

Size = Tuple[int, int]
# Cells on each side of a point that bicubic resizing reads.
_BICUBIC = 2


@MODELS.register_module()
class SinGANContextGenerator(SinGANMultiScaleGenerator):
    """Multi-scale generator without any padding (paper, Sec. 3 and 4.3).

    The first scale sees one cell at a time: its noise and its encoded
    position, concatenated. So a part keeps its content when its positions are
    moved.

    Conventions for ``forward``: each noise extends beyond its image by
    :meth:`border` cells on each side, and only the first channel of the first
    noise is used. ``position_codes`` (C, h, w) or (N, C, h, w), for the cells
    of the first noise, are required. ``input_sample`` comes with its context,
    as from :meth:`recon_input`, or without, in which case its border is
    replicated; scale 0 has no input image. A missing encoding or a wrong size
    raises a ``ValueError``.

    Args:
        in_channels: Channels of the images.
        out_channels: As ``in_channels``.
        num_scales: Index of the finest scale, counted from zero.
        positional_encoding: Config of the encoding (CSG or SPE).
        first_kernel_size: Kernel size of the first scale.
        scale_factor: Upper bound on the ratio of sizes of neighbouring
            scales, which sets the width of the context.
        double_channels: Double the channels every four scales.
        kwargs: Further arguments of :class:`SinGANMultiScaleGenerator`.

    Raises:
        ValueError: ``in_channels`` and ``out_channels`` differ, or
            ``padding`` is set.
    """

    align_corners = False

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 num_scales: int,
                 *,
                 positional_encoding: dict,
                 first_kernel_size: int = 1,
                 scale_factor: float = 0.5,
                 double_channels: bool = False,
                 **kwargs) -> None:
        if in_channels != out_channels:
            raise ValueError('Arguments `in_channels` and `out_channels` must '
                             f'be equal, but got {in_channels} and '
                             f'{out_channels}.')
        if kwargs.get('padding'):
            raise ValueError('Argument `padding` must be 0: this generator '
                             'uses context instead, but got '
                             f"{kwargs['padding']}.")
        encoding = build_from(MODELS, positional_encoding)
        super().__init__(
            in_channels,
            out_channels,
            num_scales,
            first_stage_in_channels=1 + encoding.num_channels,
            first_kernel_size=first_kernel_size,
            double_channels=double_channels,
            **kwargs)
        self.head_position_encode = encoding
        self.scale_factor = scale_factor

    def margins(self, last: int) -> List[int]:
        """Context around the image of each scale, in cells.

        Args:
            last: Index of the last scale, whose image has no context.

        Returns:
            One number for each scale up to the last.
        """
        margins = [0]
        for radius in reversed(self.radii[1:last + 1]):
            border = (margins[0] + radius) * self.scale_factor
            margins.insert(0, math.ceil(border) + _BICUBIC)
        return margins

    def border(self, stage: int) -> int:
        """Cells by which a scale's noise extends beyond its image."""
        return self.margins(len(self.blocks) - 1)[stage] + self.radii[stage]

    def image_size(self, noise: Tensor, stage: int) -> Size:
        """Size (H, W) of the image for a scale's noise."""
        height, width = noise.shape[-2:]
        border = 2 * self.border(stage)
        return height - border, width - border

    def recon_input(  # type: ignore[override]  # needs positions
            self, fixed_noises: Sequence[Tensor],
            noise_weights: Sequence[float], stage: int,
            position_codes: Tensor) -> Tensor:
        """As in :class:`SinGANMultiScaleGenerator`, with context."""
        margins = self.margins(stage)
        image = self._with_margins(None, fixed_noises, noise_weights,
                                   position_codes, 0, stage - 1, margins)[-1]
        return self._resized(image, fixed_noises, stage, margins)

    def _images(self, image: Tensor, noises: Sequence[Tensor],
                weights: Sequence[float], codes: Optional[Tensor], start: int,
                stop: int) -> List[Tensor]:
        """Images of scales ``start`` to ``stop``, from an input image."""
        margins = self.margins(stop)
        images = self._with_margins(image, noises, weights, codes, start, stop,
                                    margins)
        return [
            _middle(image, margin)
            for image, margin in zip(images, margins[start:])
        ]

    def _with_margins(self, image: Any, noises: Sequence[Tensor],
                      weights: Sequence[float], codes: Optional[Tensor],
                      start: int, stop: int,
                      margins: List[int]) -> List[Tensor]:
        """The same images, with ``margins`` of context around them."""
        images = []
        for stage in range(start, stop + 1):
            # Input: image, margin and what this stack consumes. Noise has
            # room for all scales; here only those up to `stop` follow.
            width = margins[stage] + self.radii[stage]
            surplus = self.border(stage) - width
            noise = _middle(noises[stage], surplus) * weights[stage]
            if stage == 0:
                x = self.first_input(noise, _middle(_batched(codes), surplus))
                image = x.new_zeros(1)
            else:
                if stage > start:
                    image = self._resized(image.detach(), noises, stage,
                                          margins)
                image = self._with_context(image, noise, stage, width)
                x = noise + image
                image = _middle(image, self.radii[stage])
            image = self.blocks[stage](x, image)
            images.append(image)
        return images

    @staticmethod
    def first_input(noise: Tensor, codes: Tensor) -> Tensor:
        """Input of the first scale: noise and positions, concatenated.

        Args:
            noise: (N, C, h, w), of which the first channel is used.
            codes: Encoded positions (1 or N, C, h, w).

        Returns:
            (N, 1 + C, h, w).
        """
        return torch.cat((noise[:, :1], codes.expand(len(noise), -1, -1, -1)),
                         1)

    def _resized(self, image: Tensor, noises: Sequence[Tensor], stage: int,
                 margins: List[int]) -> Tensor:
        """Resize the previous scale's image to the grid of a scale's input."""
        old, new = (self.image_size(noises[x], x) for x in (stage - 1, stage))
        width, margin = margins[stage] + self.radii[stage], margins[stage - 1]

        def read(rows: range, cols: range) -> Tensor:
            return image[..., rows.start + margin:rows.stop + margin,
                         cols.start + margin:cols.stop + margin]

        rows, cols = (range(-width, length + width) for length in new)
        return upsample_window(
            read, old, new, rows, cols, self.align_corners, margin)

    def _with_context(self, image: Tensor, noise: Tensor, stage: int,
                      width: int) -> Tensor:
        """An image with its context; replicates the border if needed."""
        size = tuple(noise.shape[-2:])
        if tuple(image.shape[-2:]) == size:
            return image
        inner = tuple(length - 2 * width for length in size)
        if tuple(image.shape[-2:]) != inner:
            raise ValueError(
                f'Argument `input_sample` of scale {stage} must have the size '
                f'{inner}, or {size} with its context, but got '
                f'{tuple(image.shape[-2:])}.')
        return F.pad(image, (width, ) * 4, mode='replicate')


def _batched(codes: Optional[Tensor]) -> Tensor:
    if codes is None:
        raise ValueError('Argument `position_codes` must be the encoded '
                         'positions of the first scale, but got None.')
    return codes if codes.dim() == 4 else codes[None]


def _middle(x: Tensor, border: int) -> Tensor:
    """Crop the border of a map (N, C, H, W)."""
    height, width = x.shape[-2:]
    return x[..., border:height - border, border:width - border]
