"""Base class of the generators of StyleGAN2 and MS-PIE."""
from abc import abstractmethod
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from mmpe.functional.memory_format import in_map_format
from mmpe.models.layers.modulated_conv import (ModulatedConv2d, StyledConv,
                                               ToRGB)
from .channels import channels_per_size, log2_size
from .mapping import StyleMapping, codes_per_layer
from .precision import clamp, low_precision
from .style_codes import StyleCodes

__all__ = ['BaseStyleGenerator']

Size = Tuple[int, int]
# Seed of the fixed noise at all sizes but the base size.
_NOISE_SEED = 20210619


class BaseStyleGenerator(StyleCodes):
    """Style codes, layers and their fixed noise.

    Subclasses provide the first feature map (:meth:`first_map`) and the
    convolutions of the layers (:meth:`make_conv`).

    Args:
        out_size: Size of the image at the base scale, a power of 2.
        style_channels: Channels of the style code.
        mapping: The mapping network.
        channel_multiplier: Factor on the channels from 64 x 64 on.
        width: Factor on all channels.
        out_channels: Channels of the image.
        num_low_precision: Number of (highest) resolutions in half precision.
        kwargs: Further arguments of :class:`StyleCodes`.
    """

    def __init__(self,
                 out_size: int,
                 style_channels: int,
                 mapping: StyleMapping,
                 channel_multiplier: float = 2,
                 width: float = 1.,
                 out_channels: int = 3,
                 num_low_precision: int = 0,
                 **kwargs) -> None:
        super().__init__(style_channels, mapping, **kwargs)
        self.log_size = log2_size('out_size', out_size)
        self.out_size = out_size
        self.out_channels = out_channels
        self.channels = channels_per_size(channel_multiplier, width)
        self.num_low_precision = num_low_precision
        # One code per convolution, of which 4 x 4 has one and each further
        # resolution two, and one for the last RGB output: 18 at 1024.
        self.num_latents = 2 * self.log_size - 2
        self.num_injected_noises = self.num_latents - 1

    # --- construction -------------------------------------------------------

    @abstractmethod
    def make_conv(self, in_channels: int, out_channels: int, block: int,
                  upsample: bool) -> ModulatedConv2d:
        """Make a convolution with the generator's padding and upsampling.

        Args:
            in_channels: Input channels.
            out_channels: Output channels.
            block: Index of the block; its output has been doubled this often.
            upsample: Whether this convolution doubles the size.
        """

    @abstractmethod
    def make_skip_upsample(self, block: int) -> nn.Module:
        """Make the upsampling of the RGB skip in a block, from 1 on."""

    def _build_layers(self, head_channels: int) -> None:
        """Make all layers and the buffers of their fixed noise.

        One convolution at 4 x 4, then two per resolution, each resolution
        with its own RGB output (StyleGAN2, Sec. 4.1).
        """
        channels = self.channels[4]
        self.conv1 = StyledConv(
            self.make_conv(head_channels, channels, 0, False))
        self.to_rgb1 = ToRGB(channels, self.style_channels, self.out_channels)
        self.convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        for power in range(3, self.log_size + 1):
            in_channels, channels = channels, self.channels[2**power]
            block = power - 2
            self.convs.append(
                StyledConv(
                    self.make_conv(in_channels, channels, block, True)))
            self.convs.append(
                StyledConv(self.make_conv(channels, channels, block, False)))
            self.to_rgbs.append(
                ToRGB(channels, self.style_channels, self.out_channels,
                      self.make_skip_upsample(block)))
        size = self.noise_sizes()[-1]
        if size != (self.out_size, self.out_size):
            raise ValueError(
                'Padding, upsampling and first map must give images of '
                f'{self.out_size} x {self.out_size} pixels, but got {size}.')
        for index, noise in enumerate(self.make_injected_noise()):
            self.register_buffer(f'injected_noise_{index}', noise)

    @property
    def device(self) -> torch.device:
        """Device of the parameters."""
        return self.conv1.activate.bias.device

    # --- noise --------------------------------------------------------------

    @abstractmethod
    def first_map_size(self, chosen_scale: Size) -> Size:
        """Height and width of :meth:`first_map`."""

    def noise_sizes(self, chosen_scale: Size = (0, 0)) -> List[Size]:
        """Height and width of the noise in each layer."""
        sizes = []
        size = self.first_map_size(chosen_scale)
        for layer in (self.conv1, *self.convs):
            size = layer.conv.output_size(size)
            sizes.append(size)
        return sizes

    def make_injected_noise(self,
                            chosen_scale: Union[int, Size] = 0,
                            seed: Optional[int] = None) -> List[Tensor]:
        """Draw noise for every layer.

        Args:
            chosen_scale: Extra cells of the first map, one number or (dh, dw).
            seed: Seed; with it, the noise of a layer depends on the seed and
                the size only. Random if None.

        Returns:
            One (1, 1, H, W) per layer.
        """
        noises = []
        sizes = self.noise_sizes(as_pair(chosen_scale))
        for index, (height, width) in enumerate(sizes):
            generator = None
            if seed is not None:
                generator = torch.Generator().manual_seed(
                    ((seed * 64 + index) * 2**14 + height) * 2**14 + width)
            noises.append(
                torch.randn(1, 1, height, width,
                            generator=generator).to(self.device))
        return noises

    def fixed_noise(self, chosen_scale: Size = (0, 0)
                    ) -> Sequence[Optional[Tensor]]:
        """Constant noise: the saved buffers at the base size, else seeded.

        Args:
            chosen_scale: Extra cells (dh, dw) of the first map.

        Returns:
            One (1, 1, H, W) per layer.
        """
        if chosen_scale != (0, 0):
            return self.make_injected_noise(chosen_scale, _NOISE_SEED)
        return [
            getattr(self, f'injected_noise_{index}')
            for index in range(self.num_injected_noises)
        ]

    # --- synthesis ----------------------------------------------------------

    @abstractmethod
    def first_map(self, chosen_scale: Size) -> Tensor:
        """The first feature map (1, C, H, W), shared by all samples."""

    def synthesize(self,
                   latent: Tensor,
                   noises: Sequence[Optional[Tensor]],
                   chosen_scale: Size = (0, 0),
                   add_noise: bool = True,
                   **first_map_kwargs
                   ) -> Tuple[Tensor, List[Tuple[Tensor, Tensor]]]:
        """Make images from style codes.

        Args:
            latent: Style codes (N, num_latents, style_channels).
            noises: Noise per layer; None to draw it.
            chosen_scale: Extra cells (dh, dw) of the first map.
            add_noise: Add noise.
            first_map_kwargs: Further arguments for :meth:`first_map`.

        Returns:
            The images (N, out_channels, H, W), float32, and for each
            resolution the last map (N, C, h, w) with its pending factor
            (N, C); the features are their product.
        """
        codes = latent.unbind(dim=1)  # num_latents x [N, style_channels]
        x = in_map_format(
            self.first_map(chosen_scale,
                           **first_map_kwargs).to(latent))  # [1, C, h, w]
        factor = torch.ones_like(x[:, :, 0, 0])  # [1, C]
        image: Any = None
        features = []
        for block, to_rgb in enumerate((self.to_rgb1, *self.to_rgbs)):
            low = len(self.to_rgbs) - block < self.num_low_precision
            with low_precision(x, low):
                # Layer 0 in block 0, then layers 2 b - 1 (which upsamples)
                # and 2 b in block b; the RGB output shares its code with the
                # next block's first layer, as in StyleGAN2.
                for index in range(max(0, 2 * block - 1), 2 * block + 1):
                    x, factor = self._layer(index)(x, factor, codes[index],
                                                   noises[index], add_noise)
                x = clamp(x, low)
                image = to_rgb(x, factor, codes[2 * block + 1], image)
            features.append((x, factor))
        return image, features

    def _layer(self, index: int) -> nn.Module:
        """The layer that takes style code and noise of this index."""
        return self.convs[index - 1] if index else self.conv1

    def _generate(self, codes: List[Tensor], inject_index: Optional[int],
                  injected_noise: Optional[Sequence[Optional[Tensor]]],
                  randomize_noise: bool, chosen_scale: Size,
                  add_noise: bool = True,
                  **first_map_kwargs) -> Dict[str, Any]:
        """Images from one or two style codes, with their ingredients."""
        latent, inject_index = codes_per_layer(codes, self.num_latents,
                                               inject_index)
        if injected_noise is None:
            injected_noise = [None] * self.num_injected_noises \
                if randomize_noise else self.fixed_noise(chosen_scale)
        image, features = self.synthesize(latent, injected_noise, chosen_scale,
                                          add_noise, **first_map_kwargs)
        return dict(
            fake_img=image,
            latent=latent,
            inject_index=inject_index,
            injected_noise=injected_noise,
            feats=features)

def as_pair(chosen_scale: Union[int, Sequence[int]]) -> Size:
    """Extra cells as (dh, dw).

    Raises:
        ValueError: ``chosen_scale`` is neither an int nor a pair of ints.
    """
    if isinstance(chosen_scale, int):
        return chosen_scale, chosen_scale
    pair = tuple(chosen_scale)
    if len(pair) != 2 or not all(isinstance(cells, int) for cells in pair):
        raise ValueError('Argument `chosen_scale` must be an int or (dh, dw), '
                         f'but got {chosen_scale!r}.')
    return pair
