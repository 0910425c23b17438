"""Generators of SinGAN, with implicit and explicit positional encoding."""
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union, cast

import torch
from torch import Tensor

from mmpe.models.layers.positional_encoding import grid_channels
from mmpe.registry import MODELS, build_from
from .blocks import GeneratorBlock
from .multi_scale import MultiScaleNetwork
from .padding import BorderPadding, Padding, input_padding, upsample

__all__ = ['SinGANMSGeneratorPE', 'SinGANMultiScaleGenerator']


@MODELS.register_module()
class SinGANMultiScaleGenerator(MultiScaleNetwork):
    """Generator of SinGAN (ICCV 2019, Multi-scale architecture).

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        num_scales: Index of the finest scale, counted from zero.
        args: Further arguments of :class:`.MultiScaleNetwork`, in its order.
            ``padding`` comes in addition to that of each scale's input.
        first_stage_in_channels: Input channels of the first scale;
            ``in_channels`` if None.
        first_kernel_size: Kernel size of the first scale; ``kernel_size`` if
            None.
        kwargs: As for :class:`.MultiScaleNetwork`; ``out_act_cfg`` is the
            activation of each scale's output, tanh by default.

    Attributes:
        radii: Cells per side that the unpadded convolutions of each scale
            remove.
        pad_head: That number of cells at the finest scale.
    """

    # Resize images between scales with aligned corners, as MMagic does.
    align_corners = True

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 num_scales: int,
                 *args,
                 first_stage_in_channels: Optional[int] = None,
                 first_kernel_size: Optional[int] = None,
                 **kwargs) -> None:

        def make_block(stage: int, kernel_size: int,
                       **options) -> GeneratorBlock:
            channels = in_channels
            if stage == 0:
                channels = first_stage_in_channels or in_channels
                kernel_size = first_kernel_size or kernel_size
            return GeneratorBlock(
                channels, out_channels, kernel_size=kernel_size, **options)

        super().__init__(make_block, num_scales, *args, **kwargs)
        self.out_channels = out_channels
        self.radii: List[int] = [cast(Any, x).radius for x in self.blocks]
        self.pad_head = self.radii[-1]
        self.head_padding: Padding = BorderPadding(self.pad_head)
        self.noise_with_pad = False
        self.head_position_encode: Any = None
        self.num_frozen = 0

    def forward(self,
                input_sample: Optional[Tensor],
                fixed_noises: Sequence[Tensor],
                noise_weights: Sequence[float],
                rand_mode: str,
                curr_scale: int,
                num_batches: int = 1,
                get_prev_res: bool = False,
                return_noise: bool = False,
                start_scale: int = 0,
                position_codes: Optional[Tensor] = None
                ) -> Union[Tensor, Dict[str, Union[Tensor, List[Tensor]]]]:
        """Generate images from the coarsest scale up.

        Args:
            input_sample: Image (N, C, H, W) in [-1, 1] that the first scale
                refines; None for zeros.
            fixed_noises: Noise (1, C, H, W) of each scale that reconstructs
                the photograph; in mode 'rand' only its shape is used.
            noise_weights: Standard deviation of each scale's noise.
            rand_mode: 'rand' for new noise, 'recon' for the fixed noises.
            curr_scale: Index of the last scale to run.
            num_batches: Number of images N in mode 'rand'.
            get_prev_res: Return the images of all scales.
            return_noise: Return the noise of all scales.
            start_scale: Index of the first scale to run; ``input_sample`` has
                the size of this scale.
            position_codes: Encoded positions (C, H, W) of the first scale, in
                place of those of its regular grid.

        Returns:
            Images (N, C, H, W), in about [-1, 1]; or with ``get_prev_res`` or
            ``return_noise`` a dict of ``fake_img``, ``prev_res_list`` (of the
            scales before the last) and ``noise_batch``.

        Raises:
            ValueError: ``rand_mode`` or a scale is invalid, or the generator
                takes no ``position_codes``.
        """
        self._check_stages(rand_mode, start_scale, curr_scale)
        if position_codes is not None and self.head_position_encode is None:
            raise ValueError('Argument `position_codes` needs a generator '
                             'with `positional_encoding` (SPE or CSG).')
        noises = self._noises(fixed_noises[:curr_scale + 1], rand_mode,
                              num_batches)
        if input_sample is None:
            input_sample = noises[start_scale].new_zeros(
                num_batches, self.out_channels,
                *self.image_size(noises[start_scale], start_scale))
        images = self._images(input_sample, noises, noise_weights,
                              position_codes, start_scale, curr_scale)
        if get_prev_res or return_noise:
            return dict(
                fake_img=images[-1],
                prev_res_list=images[:-1] if get_prev_res else [],
                noise_batch=noises if return_noise else [])
        return images[-1]

    def _images(self, image: Tensor, noises: Sequence[Tensor],
                weights: Sequence[float], codes: Optional[Tensor], start: int,
                stop: int) -> List[Tensor]:
        """Images of scales ``start`` to ``stop``, from an input image."""
        images = []
        for stage in range(start, stop + 1):
            if stage > start:
                image = upsample(image, self.image_size(noises[stage], stage),
                                 self.align_corners)
            x = self._block_input(stage, noises[stage], weights[stage], image,
                                  codes)
            # No gradients through the input: earlier scales are frozen.
            image = self.blocks[stage](x.detach(), image)
            images.append(image)
        return images

    def image_size(self, noise: Tensor, stage: int) -> Tuple[int, int]:
        """Size (H, W) of the image for a scale's noise."""
        border = 2 * self.pad_head if self.noise_with_pad else 0
        height, width = noise.shape[-2:]
        return height - border, width - border

    def recon_input(self, fixed_noises: Sequence[Tensor],
                    noise_weights: Sequence[float], stage: int,
                    **kwargs) -> Tensor:
        """Input image of a scale when reconstructing the photograph.

        Args:
            fixed_noises, noise_weights: As for :meth:`forward`.
            stage: Index of the scale, at least 1.
            kwargs: Further arguments of :meth:`forward`.

        Returns:
            The ``input_sample`` (1, C, H, W) of the scale.
        """
        image = self(
            None,
            fixed_noises,
            noise_weights,
            rand_mode='recon',
            curr_scale=stage - 1,
            **kwargs)
        return upsample(image, self.image_size(fixed_noises[stage], stage),
                        self.align_corners)

    def freeze_before(self, stage: int) -> None:
        """Freeze earlier scales: evaluation mode and no gradients.

        As in the official SinGAN; MMagic leaves them in training mode.
        """
        self.num_frozen = stage
        for index, block in enumerate(self.blocks):
            block.requires_grad_(index >= stage)
        self.train(self.training)

    def train(self, mode: bool = True) -> 'SinGANMultiScaleGenerator':
        """Set the mode of all scales that are not frozen."""
        super().train(mode)
        for block in self.blocks[:self.num_frozen]:
            block.eval()
        return self

    def _check_stages(self, rand_mode: str, start: int, stop: int) -> None:
        if rand_mode not in ('rand', 'recon'):
            raise ValueError("Argument `rand_mode` must be 'rand' or 'recon', "
                             f'but got {rand_mode!r}.')
        if not 0 <= start <= stop < len(self.blocks):
            raise ValueError(
                'Scales must satisfy 0 <= start_scale <= curr_scale <= '
                f'{len(self.blocks) - 1}, but got start_scale={start} and '
                f'curr_scale={stop}.')

    @staticmethod
    def _noises(fixed_noises: Sequence[Tensor], rand_mode: str,
                num_batches: int) -> List[Tensor]:
        if rand_mode == 'recon':
            return list(fixed_noises)
        return [
            torch.randn((num_batches, *noise.shape[1:]),
                        dtype=noise.dtype,
                        device=noise.device) for noise in fixed_noises
        ]

    def _block_input(self,
                     stage: int,
                     noise: Tensor,
                     weight: float,
                     image: Tensor,
                     position_codes: Optional[Tensor] = None) -> Tensor:
        """Noise plus image; at the first scale, noise plus positions."""
        with_positions = stage == 0 and self.head_position_encode is not None
        if with_positions:
            if position_codes is None:
                position_codes = self.head_position_encode(noise)
            # As trained: noise with fewer channels is broadcast (row
            # spe-dim4 fish has one).
            noise = noise + position_codes  # [N, C, H, W]
        if not self.noise_with_pad:
            noise = self.head_padding(noise)
        if with_positions:
            return noise * weight
        # z_n + up(x_{n + 1}), both with room for the unpadded convolutions.
        return noise * weight + self.head_padding(image)


@MODELS.register_module()
class SinGANMSGeneratorPE(SinGANMultiScaleGenerator):
    """SinGAN's generator with a choice of positional encoding.

    Positional Encoding as Spatial Inductive Bias in GANs, Sec. 4.3.

    Args:
        in_channels, out_channels, num_scales, args: As for
            :class:`SinGANMultiScaleGenerator`.
        padding_mode: Padding of each scale's input and of the convolutions,
            'zero' or 'reflect'.
        pad_at_head: Enlarge the input of each scale; if False, the
            convolutions must pad.
        interp_pad: Enlarge by interpolation instead of a border, which leaves
            no positional cue.
        noise_with_pad: Whether noises have the size of the enlarged input.
        positional_encoding: Config of the encoding (SPE or CSG) that is added
            to the noise of the first scale.
        first_stage_in_channels: Input channels of the first scale; by default
            those of ``positional_encoding``, or ``in_channels`` without one.
        kwargs: As for :class:`SinGANMultiScaleGenerator`.

    Raises:
        ValueError: ``padding_mode`` is unknown, ``first_stage_in_channels``
            differs from the encoding's channels, or ``noise_with_pad`` is set
            without ``pad_at_head``.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 num_scales: int,
                 *args,
                 padding_mode: str = 'zero',
                 pad_at_head: bool = True,
                 interp_pad: bool = False,
                 noise_with_pad: bool = False,
                 positional_encoding: Optional[dict] = None,
                 first_stage_in_channels: Optional[int] = None,
                 **kwargs) -> None:
        if padding_mode not in ('zero', 'reflect'):
            raise ValueError("Argument `padding_mode` must be 'zero' or "
                             f"'reflect', but got {padding_mode!r}.")
        if noise_with_pad and not pad_at_head:
            raise ValueError('`noise_with_pad` needs `pad_at_head`: without '
                             'it, inputs are not enlarged.')
        encoding = positional_encoding and build_from(MODELS,
                                                      positional_encoding)
        if encoding:
            channels = grid_channels(encoding, first_stage_in_channels)
            if first_stage_in_channels is None:
                first_stage_in_channels = channels
            if first_stage_in_channels != channels:
                raise ValueError(
                    f'Argument `first_stage_in_channels` must be {channels}, '
                    'the channels of the positional encoding, but got '
                    f'{first_stage_in_channels}.')
        super().__init__(
            in_channels,
            out_channels,
            num_scales,
            *args,
            first_stage_in_channels=first_stage_in_channels,
            padding_mode=padding_mode,
            **kwargs)
        self.noise_with_pad = noise_with_pad
        self.head_position_encode = encoding
        self.head_padding = input_padding(self.pad_head, padding_mode,
                                          pad_at_head, interp_pad)
