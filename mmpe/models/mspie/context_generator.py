"""MS-PIE generator with explicit positions as its only spatial cue.

::

    positions of a grid of cells, with 4 context cells on each side
        -> 3 x 3 convolution -> doubled -> 2 convolutions -> ... -> image

There is no padding: each map is computed with a margin of context cells,
which the convolutions after it consume. A cell's position is that of its
centre in the picture, at any number of cells. So the grid can be coarse or
fine, or cover a part of the picture: the generator draws the same picture
with different pixels.
"""
import math
from typing import Any, Dict, List, Optional, Tuple, Union

import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.grids import region_grid
from mmpe.models.layers.modulated_conv import ModulatedConv2d
from mmpe.models.stylegan2.base_generator import Size
from mmpe.registry import MODELS, build_from
from .base_generator import BaseMSGenerator
from .scales import BASE_CELLS, WHOLE_PICTURE, Region

__all__ = ['MSContextStyleGANv2Generator']


def _contexts(num_blocks: int) -> List[int]:
    """Context cells after the first convolution and after each block.

    Doubling turns a context of m cells into 2 m, of which the outermost has
    no neighbour to interpolate with; two convolutions consume two more. So
    2 m - 1 - 2 must be at least the next block's context.
    """
    contexts = [0]
    while len(contexts) <= num_blocks:
        contexts.insert(0, (contexts[0] + 2 + 1 + 1) // 2)
    return contexts


def _doubled_inside(x: Tensor, crop: int) -> Tensor:
    """Interpolate to twice the size and crop ``crop`` cells on each side."""
    x = F.interpolate(
        x, scale_factor=2, mode='bilinear', align_corners=False)
    return x[..., crop:-crop, crop:-crop]


class _DoubleInsideThenConv(ModulatedConv2d):
    """Doubles the size of a map by interpolation, crops it and convolves.

    Args:
        crop: Cells cropped from each side of the interpolated map.
        args, kwargs: For :class:`ModulatedConv2d`.
    """

    def __init__(self, *args, crop: int, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.crop = crop

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """Interpolate, then convolve."""
        return super().convolve(_doubled_inside(x, self.crop), weight)

    def output_size(self, size: Size) -> Size:
        """Size of the output for an input of the given size."""
        height, width = (2 * (side - self.crop) for side in size)
        return super().output_size((height, width))


class _DoubleInside(nn.Module):
    """Doubles the size of the RGB skip by interpolation and crops it.

    Args:
        crop: Pixels cropped from each side of the interpolated image.
    """

    def __init__(self, crop: int) -> None:
        super().__init__()
        self.crop = crop

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 2 (H - crop), 2 (W - crop))."""
        return _doubled_inside(x, self.crop)


@MODELS.register_module()
class MSContextStyleGANv2Generator(BaseMSGenerator):
    """StyleGAN2 that draws the same picture at any number of pixels.

    After Ntavelis et al., "Arbitrary-Scale Image Synthesis" (CVPR 2022), with
    CSG or SPE in place of their encoding: positions belong to the picture,
    not to the cells, and no layer is padded. Layers add no noise, as it would
    differ between sizes.

    Extra cells in the first feature map (``chosen_scale``) enlarge the image
    to (4 + extra) * out_size / 4 pixels per side.

    Args:
        args: As for :class:`BaseMSGenerator`.
        head_pos_encoding: Config of the encoding that makes the first map
            (CSG or SPE).
        position_range: Number of positions across the picture; with this
            number of cells, positions are whole numbers.
        kwargs: As for :class:`BaseMSGenerator`.

    Raises:
        ValueError: An argument is out of its range.
    """

    adds_noise = False

    def __init__(self,
                 *args,
                 head_pos_encoding: dict,
                 position_range: int = 8,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if position_range < 2:
            raise ValueError('Argument `position_range` must be at least 2, '
                             f'but got {position_range}.')
        self.position_range = position_range
        self.contexts = _contexts(self.log_size - 2)
        self.head_pos_enc = build_from(MODELS, head_pos_encoding)
        self._build_layers(self.head_pos_enc.num_channels)
        for layer in (self.conv1, *self.convs):
            layer.noise_injector.requires_grad_(False)

    def make_conv(self, in_channels: int, out_channels: int, block: int,
                  upsample: bool) -> ModulatedConv2d:
        """Unpadded convolution, after interpolation if it upsamples."""
        args = (in_channels, out_channels, 3, self.style_channels, False)
        if not upsample:
            return ModulatedConv2d(*args)
        crop = self._crop(block) - 2  # two 3 x 3 convolutions take the rest
        return _DoubleInsideThenConv(*args, crop=crop)

    def make_skip_upsample(self, block: int) -> nn.Module:
        """Interpolation of the skip, cropped like the block's map."""
        return _DoubleInside(self._crop(block))

    def _crop(self, block: int) -> int:
        """Cells that a block removes from each side of its doubled map."""
        return 2 * self.contexts[block - 1] - self.contexts[block]

    def fixed_noise(self, chosen_scale: Size = (0, 0)) -> List[None]:
        """None for each layer, as layers add no noise."""
        return [None] * self.num_injected_noises

    @property
    def head_size(self) -> Size:
        """Height and width of the encoding, context included."""
        return (BASE_CELLS + 2 * (self.contexts[0] + 1), ) * 2

    def first_map(self,
                  chosen_scale: Size,
                  region: Region = WHOLE_PICTURE) -> Tensor:
        """Encoded positions of a grid and its context, (1, C, H, W)."""
        context = self.contexts[0] + 1
        rows, columns = self.first_map_size(chosen_scale)
        size = rows - 2 * context, columns - 2 * context
        positions = region_grid(size, region, self.position_range, context,
                                self.device)  # [2, H, W]
        return self.head_pos_enc.encode_positions(
            positions, (self.position_range, ) * 2)[None]

    def _grid_over(self, size: Size) -> Tuple[Size, Region]:
        """Extra cells and region of a grid that covers a size in pixels.

        If the size is not a multiple of a cell, the grid extends beyond the
        picture at the right and at the bottom.
        """
        if len(size) != 2 or min(size) < 1:
            raise ValueError('Argument `size` must be a height and a width of '
                             f'at least 1, but got {tuple(size)}.')
        step = self.out_size // BASE_CELLS
        rows, columns = (math.ceil(side / step) for side in size)
        return ((rows - BASE_CELLS, columns - BASE_CELLS),
                (0., 0., rows * step / size[0], columns * step / size[1]))

    def forward(self,
                *args,
                chosen_scale: Union[int, Tuple[int, int]] = 0,
                region: Region = WHOLE_PICTURE,
                size: Optional[Size] = None,
                **kwargs) -> Union[Tensor, Dict[str, Any]]:
        """Make images.

        Args:
            args: As for :class:`MSStyleGANv2Generator`; arguments about the
                layers' noise have no effect.
            chosen_scale: Extra cells of the first map, one number or
                (dh, dw).
            region: Part of the picture to draw, (top, left, height, width)
                as fractions of its sides.
            size: Any height and width of the whole picture; overrides
                ``chosen_scale`` and ``region``.
            kwargs: As ``args``.

        Returns:
            Float32 images (N, 3, H, W), or a dict with the images as
            ``fake_img``.

        Raises:
            ValueError: ``size`` is not a height and a width.
        """
        if size is not None:
            chosen_scale, region = self._grid_over(size)
        kwargs.update(chosen_scale=chosen_scale, region=region)
        outputs = super().forward(*args, **kwargs)
        if size is None:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs[..., :size[0], :size[1]]
        image = outputs['fake_img'][..., :size[0], :size[1]]
        return dict(outputs, fake_img=image)
