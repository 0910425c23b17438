"""MS-PIE's generator with explicit positions as its only cue of place.

::

    positions of a grid of cells, and of 4 more on each side
        -> 3 x 3 convolution -> doubled -> 2 convolutions -> ... -> image

Nothing is padded: each map is computed on a grid that is larger than its part
of the picture, by what the convolutions behind it take away. A cell's position
is that of its centre in the picture, whatever the number of cells. So the grid
may be a coarse or a fine one, or lie over a part of the picture, and the
generator draws the same picture with other pixels.
"""
import math
from typing import Dict, List, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmpe.functional.grids import region_positions
from mmpe.models.layers.modulated_conv import ModulatedConv2d
from mmpe.models.stylegan2.base_generator import Size
from mmpe.registry import MODELS, build_from
from .base_generator import BaseMSGenerator
from .scales import BASE_CELLS, WHOLE_PICTURE, Region

__all__ = ['MSContextStyleGANv2Generator']


def _contexts(num_blocks: int) -> List[int]:
    """Cells around the picture behind each block, the first convolution's too.

    Doubled, a context of m cells has 2m, of which the outermost lacks a
    neighbour to be interpolated with; two convolutions take two more.
    """
    contexts = [0]
    while len(contexts) <= num_blocks:
        contexts.insert(0, (contexts[0] + 2 + 1 + 1) // 2)
    return contexts


def _doubled_inside(x: Tensor, crop: int) -> Tensor:
    """Bilinear interpolation to twice the size, less ``crop`` cells around."""
    x = F.interpolate(
        x, scale_factor=2, mode='bilinear', align_corners=False)
    return x[..., crop:-crop, crop:-crop]


class _DoubleInsideThenConv(ModulatedConv2d):
    """Doubles the inner part of a map by interpolation, and convolves.

    Args:
        crop: Cells around the interpolated map that are left out.
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
        return super().output_size(
            tuple(2 * (side - self.crop) for side in size))


class _DoubleInside(nn.Module):
    """Doubles the inner part of the image between layers.

    Args:
        crop: Pixels around the interpolated image that are left out.
    """

    def __init__(self, crop: int) -> None:
        super().__init__()
        self.crop = crop

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 2 (H - crop), 2 (W - crop))."""
        return _doubled_inside(x, self.crop)


@MODELS.register_module()
class MSContextStyleGANv2Generator(BaseMSGenerator):
    """StyleGAN2 that draws one picture with any number of pixels.

    After Ntavelis et al., "Arbitrary-Scale Image Synthesis" (CVPR 2022), with
    an encoding of the paper's in place of theirs: positions belong to the
    picture, not to the cells, and no layer is padded. Layers add no noise,
    which would be another one at each size.

    Extra cells in the first feature map (``chosen_scale``) make the image
    larger: it has (4 + extra) * out_size / 4 pixels per side.

    Args:
        out_size: Size of the image without extra cells, a power of 2 from 8
            to 1024.
        style_channels: Channels of the style code.
        head_pos_encoding: Config of the encoding that makes the first map
            (CSG or SPE).
        position_range: Positions from one side of the picture to the other;
            what a cell counts where the picture has so many of them.
        num_mlps: Layers of the mapping network.
        channel_multiplier: Factor on the channels from 64 x 64 on.
        lr_mlp: Factor on the mapping network's learning rate.
        default_style_mode: 'mix' or 'single' style codes in training.
        eval_style_mode: The same in evaluation.
        mix_prob: Probability of two style codes in mode 'mix'.
        width: Factor on all channels, for smaller networks.

    Raises:
        ValueError: An argument is out of its range.
    """

    adds_noise = False

    def __init__(self,
                 out_size: int,
                 style_channels: int,
                 head_pos_encoding: dict,
                 position_range: int = 8,
                 num_mlps: int = 8,
                 channel_multiplier: float = 2,
                 lr_mlp: float = 0.01,
                 default_style_mode: str = 'mix',
                 eval_style_mode: str = 'single',
                 mix_prob: float = 0.9,
                 width: float = 1.) -> None:
        super().__init__(
            out_size,
            style_channels,
            num_mlps,
            channel_multiplier,
            lr_mlp,
            width,
            default_style_mode=default_style_mode,
            eval_style_mode=eval_style_mode,
            mix_prob=mix_prob)
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
        """A convolution without padding, behind interpolation or not."""
        args = (in_channels, out_channels, 3, self.style_channels, False)
        if not upsample:
            return ModulatedConv2d(*args)
        crop = self._crop(block) - 2
        return _DoubleInsideThenConv(*args, crop=crop)

    def make_skip_upsample(self, block: int) -> nn.Module:
        """Interpolation of what the convolutions leave."""
        return _DoubleInside(self._crop(block))

    def _crop(self, block: int) -> int:
        """Cells that a block takes from each side of its doubled map."""
        return 2 * self.contexts[block - 1] - self.contexts[block]

    def fixed_noise(self, chosen_scale: Size = (0, 0)) -> List[None]:
        """No noise."""
        return [None] * self.num_injected_noises

    @property
    def head_size(self) -> Size:
        """Height and width of the encoding, with its context."""
        return (BASE_CELLS + 2 * (self.contexts[0] + 1), ) * 2

    def first_map(self,
                  chosen_scale: Size,
                  region: Region = WHOLE_PICTURE) -> Tensor:
        """The encoded positions of a grid and its context, (1, C, H, W)."""
        context = self.contexts[0] + 1
        positions = torch.stack(
            torch.meshgrid(
                *(region_positions(size - 2 * context, start, length,
                                   self.position_range, context, self.device)
                  for size, start, length in zip(
                      self.first_map_size(chosen_scale), region[:2],
                      region[2:])),
                indexing='ij'))
        return self.head_pos_enc.encode_positions(
            positions, (self.position_range, ) * 2)[None]

    def _grid_over(self, size: Size) -> Tuple[Size, Region]:
        """Cells that cover a picture of any size, and where they end.

        They end beyond the picture, on the right and at the bottom, where the
        size is no whole number of cells.
        """
        if len(size) != 2 or min(size) < 1:
            raise ValueError('Argument `size` must be a height and a width of '
                             f'at least 1, but got {tuple(size)}.')
        step = self.out_size // BASE_CELLS
        cells = [math.ceil(side / step) for side in size]
        extent = [number * step / side for number, side in zip(cells, size)]
        return tuple(number - BASE_CELLS for number in cells), (0., 0.,
                                                                *extent)

    def forward(self,
                *args,
                chosen_scale: Union[int, Tuple[int, int]] = 0,
                region: Region = WHOLE_PICTURE,
                size: Optional[Size] = None,
                **kwargs) -> Union[Tensor, Dict[str, object]]:
        """Make images.

        Args:
            args: As for :class:`MSStyleGANv2Generator`, of which those about
                noise of the layers do nothing.
            chosen_scale: Extra cells of the first map, one number or
                (dh, dw).
            region: Part of the picture that is drawn, (top, left, height,
                width) as fractions of its sides.
            size: Height and width of the whole picture, any ones, in place of
                ``chosen_scale`` and ``region``.
            kwargs: As ``args``.

        Returns:
            Float32 images (N, 3, H, W), or a dict with them as ``fake_img``.

        Raises:
            ValueError: ``size`` is not a height and a width.
        """
        if size is not None:
            chosen_scale, region = self._grid_over(size)
        outputs = super().forward(
            *args, chosen_scale=chosen_scale, region=region, **kwargs)
        if size is None:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs[..., :size[0], :size[1]]
        image = outputs['fake_img'][..., :size[0], :size[1]]
        return dict(outputs, fake_img=image)
