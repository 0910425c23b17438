"""Multi-scale generator of MS-PIE (rows c to k)."""
from typing import Optional, Sequence, Tuple, Union

from torch import Tensor, nn

from mmpe.models.layers.modulated_conv import (ConvThenResize,
                                               ModulatedConv2d,
                                               ResizeThenConv,
                                               TransposedConvUp)
from mmpe.models.layers.resample import EdgeFIRUpsampler, FIRFilter
from mmpe.models.stylegan2.base_generator import Size
from mmpe.models.stylegan2.generator import ConstantInput
from mmpe.registry import MODELS, build_from
from .base_generator import BaseMSGenerator
from .head import ConstantHead, EncodingHead, ResizedEncodingHead

__all__ = ['MSStyleGANv2Generator']

_NEAREST_X2 = dict(scale_factor=2, mode='nearest')


@MODELS.register_module()
class MSStyleGANv2Generator(BaseMSGenerator):
    """StyleGAN2 generator for images of several sizes (paper Sec. 5.1).

    Extra cells in the first feature map (``chosen_scale``) enlarge the image
    to (4 + extra) * out_size / 4 pixels per side.

    Args:
        args: As for :class:`BaseMSGenerator`.
        blur_kernel: Taps of the filters after transposed convolutions.
        no_pad: Convolve without zero padding (rows h to k).
        deconv2conv: Upsample by interpolation and convolution instead of a
            transposed convolution (rows c to k).
        interp_pad: Cells that each interpolation adds per axis, to make room
            for unpadded convolutions.
        up_config: Arguments of ``torch.nn.functional.interpolate``, with
            ``scale_factor``.
        up_after_conv: Interpolate the output of the convolution, not the
            input.
        head_pos_encoding: Config of the encoding that makes the first map; a
            learned constant if None.
        head_pos_size: Height and width of the encoding at the base scale.
        interp_head: Make the encoding at ``head_pos_size`` and resize it,
            instead of making it at the input size (rows e and j).
        skip_padding: 'zero' to upsample the RGB skip with zero padding, as in
            all released models, rows h to k included; 'none' to replicate its
            border, so that the encoding is the only spatial cue. The
            interior is the same.
        kwargs: As for :class:`BaseMSGenerator`.

    Raises:
        ValueError: Arguments contradict each other.
    """

    def __init__(self,
                 *args,
                 blur_kernel: Sequence[float] = (1, 3, 3, 1),
                 no_pad: bool = False,
                 deconv2conv: bool = False,
                 interp_pad: Optional[int] = None,
                 up_config: Optional[dict] = None,
                 up_after_conv: bool = False,
                 head_pos_encoding: Optional[dict] = None,
                 head_pos_size: Tuple[int, int] = (4, 4),
                 interp_head: bool = False,
                 skip_padding: str = 'zero',
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if skip_padding not in ('zero', 'none'):
            raise ValueError("Argument `skip_padding` must be 'zero' or "
                             f"'none', but got {skip_padding!r}.")
        self.no_pad = no_pad
        self.skip_padding = skip_padding
        self.blur_kernel = tuple(blur_kernel)
        self._upsampling = _upsampling_policy(
            deconv2conv, up_after_conv, interp_pad, up_config, blur_kernel)
        self.head = self._make_head(head_pos_encoding, head_pos_size,
                                    interp_head)
        self._build_layers(self.head.num_channels)

    def _make_head(self, encoding: Optional[dict], size: Size,
                   interp_head: bool) -> Union[ConstantHead, EncodingHead]:
        """Make the head; its parameters have the checkpoints' names."""
        if not encoding:
            # The first convolution without padding takes 2 of 6 cells.
            self.constant_input = ConstantInput(self.channels[4],
                                                6 if self.no_pad else 4)
            return ConstantHead(self.constant_input)
        self.head_pos_enc = build_from(MODELS, encoding)
        head = ResizedEncodingHead if interp_head else EncodingHead
        return head(self.head_pos_enc, size, self.channels[4])

    def make_conv(self, in_channels: int, out_channels: int, block: int,
                  upsample: bool) -> ModulatedConv2d:
        """Make a convolution with the chosen padding and upsampling."""
        policy, kwargs = self._upsampling if upsample \
            else (ModulatedConv2d, {})
        return policy(
            in_channels,
            out_channels,
            3,
            self.style_channels,
            padding=not self.no_pad,
            **kwargs)

    def make_skip_upsample(self, block: int) -> nn.Module:
        """Filtered upsampling, with or without zero padding."""
        if self.skip_padding == 'none':
            return EdgeFIRUpsampler.upsampler()
        return FIRFilter.upsampler()

    @property
    def head_size(self) -> Size:
        """Height and width of the constant or encoding at the base scale."""
        return self.head.size

    def first_map(self, chosen_scale: Size) -> Tensor:
        """First map (1, C, H, W) at a scale."""
        return self.head.first_map(self.first_map_size(chosen_scale))


def _upsampling_policy(deconv2conv: bool, up_after_conv: bool,
                       interp_pad: Optional[int], up_config: Optional[dict],
                       blur_kernel: Sequence[float]) -> Tuple[type, dict]:
    """Class of the upsampling convolutions and its arguments."""
    if not deconv2conv:
        return TransposedConvUp, dict(blur_kernel=tuple(blur_kernel))
    policy = ConvThenResize if up_after_conv else ResizeThenConv
    return policy, dict(
        up_config=up_config or _NEAREST_X2, extra_cells=interp_pad or 0)
