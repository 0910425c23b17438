"""Base class of the generators of StyleGAN2 and MS-PIE."""
from abc import ABCMeta, abstractmethod
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpe.functional.memory_format import in_map_format
from mmpe.models.layers.modulated_conv import (ModulatedConv2d, StyledConv,
                                               ToRGB)
from .channels import channels_per_size, log2_size
from .mapping import StyleMapping, codes_per_layer, truncate
from .precision import clamp, low_precision

__all__ = ['BaseStyleGenerator']

Size = Tuple[int, int]
Styles = Union[Tensor, Sequence[Tensor], Callable, None]
# Seed of the fixed noise at all sizes but the base size.
_NOISE_SEED = 20210619
_STYLE_MODES = ('mix', 'single')


class BaseStyleGenerator(BaseModule, metaclass=ABCMeta):
    """Mapping network, layers, fixed noise and style codes.

    Subclasses provide the first feature map (:meth:`first_map`) and the
    convolutions of the layers (:meth:`make_conv`).

    Args:
        out_size: Size of the image at the base scale, a power of 2.
        style_channels: Channels of the style code.
        mapping: The mapping network.
        channel_multiplier: Factor on the channels from 64 x 64 on.
        width: Factor on all channels.
        out_channels: Channels of the image.
        default_style_mode: 'mix' or 'single': style mixing in training.
        eval_style_mode: The same in evaluation.
        mix_prob: Probability of mixing two style codes in mode 'mix'.
        num_low_precision: Number of (highest) resolutions in half precision.
    """

    def __init__(self,
                 out_size: int,
                 style_channels: int,
                 mapping: StyleMapping,
                 channel_multiplier: float = 2,
                 width: float = 1.,
                 out_channels: int = 3,
                 default_style_mode: str = 'mix',
                 eval_style_mode: str = 'single',
                 mix_prob: float = 0.9,
                 num_low_precision: int = 0) -> None:
        super().__init__()
        for mode in (default_style_mode, eval_style_mode):
            if mode not in _STYLE_MODES:
                raise ValueError('A style mode must be one of '
                                 f'{_STYLE_MODES}, but got {mode!r}.')
        self.log_size = log2_size('out_size', out_size)
        self.out_size = out_size
        self.style_channels = style_channels
        self.out_channels = out_channels
        self.channels = channels_per_size(channel_multiplier, width)
        self.default_style_mode = default_style_mode
        self.eval_style_mode = eval_style_mode
        self.mix_prob = mix_prob
        self.num_low_precision = num_low_precision
        # One code per convolution, of which 4 x 4 has one and each further
        # resolution two, and one for the last RGB output: 18 at 1024.
        self.num_latents = 2 * self.log_size - 2
        self.num_injected_noises = self.num_latents - 1
        self.style_mapping = mapping
        self._mean_latent: Optional[Tensor] = None

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

    # --- style codes --------------------------------------------------------

    @property
    def style_mode(self) -> str:
        """The current style mode, 'mix' or 'single'."""
        return self.default_style_mode if self.training \
            else self.eval_style_mode

    def train(self, mode: bool = True) -> 'BaseStyleGenerator':
        """Set training or evaluation mode; drop the cached mean code."""
        self._mean_latent = None
        return super().train(mode)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        self._mean_latent = None
        super()._load_from_state_dict(*args, **kwargs)

    def map_noise(self, noise: Tensor, label: Optional[Tensor]) -> Tensor:
        """Style code (N, style_channels) of noise (N, noise_size)."""
        return self.style_mapping(noise)

    @torch.no_grad()
    def get_mean_latent(self,
                        num_samples: int = 4096,
                        bs_per_repeat: int = 1024) -> Tensor:
        """Mean style code of a fixed set of noise.

        Args:
            num_samples: Number of style codes.
            bs_per_repeat: Batch size.

        Returns:
            (1, style_channels).
        """
        generator = torch.Generator().manual_seed(_NOISE_SEED)
        noise = torch.randn(num_samples, self.noise_size, generator=generator)
        return torch.cat([
            self.style_mapping(part.to(self.device))
            for part in noise.split(bs_per_repeat)
        ]).mean(dim=0, keepdim=True)

    def _sample_noise(self, sampler: Optional[Callable],
                      num_batches: int) -> List[Tensor]:
        """One batch of noise, or two for style mixing (StyleGAN, Sec. 3.1)."""
        if num_batches < 1:
            raise ValueError('Argument `num_batches` must be at least 1 to '
                             f'draw noise, but got {num_batches}.')
        mix = self.style_mode == 'mix' and self.mix_prob > 0 and bool(
            torch.rand(()) < self.mix_prob)
        shape = (num_batches, self.noise_size)
        if sampler is None:
            sampler = partial(torch.randn, device=self.device)
        return [sampler(shape).to(self.device) for _ in range(1 + mix)]

    def _style_codes(self, styles: Styles, label: Optional[Tensor],
                     num_batches: int, input_is_latent: bool
                     ) -> Tuple[List[Tensor], Optional[List[Tensor]]]:
        """Style codes, and the noise they were mapped from or None."""
        if isinstance(styles, Tensor):
            styles = [styles]
        elif styles is None or callable(styles):
            styles = self._sample_noise(styles, num_batches)
        channels = self.style_channels if input_is_latent else self.noise_size
        for style in styles:
            if style.shape[-1] != channels:
                raise ValueError(f'Argument `styles` must have {channels} '
                                 f'channels, but got {tuple(style.shape)}.')
        if input_is_latent:
            return list(styles), None
        return [self.map_noise(style, label) for style in styles], list(styles)

    def _truncate(self, codes: List[Tensor], truncation: float,
                  mean: Optional[Tensor]) -> List[Tensor]:
        """Apply the truncation trick if ``truncation`` is below 1."""
        if truncation >= 1:
            return codes
        if mean is None:
            if self._mean_latent is None:
                self._mean_latent = self.get_mean_latent()
            mean = self._mean_latent
        return [truncate(code, mean, truncation) for code in codes]

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

    @torch.no_grad()
    def style_mixing(self,
                     n_source: int,
                     n_target: int,
                     inject_index: int = 1,
                     truncation_latent: Optional[Tensor] = None,
                     truncation: float = 0.7,
                     **kwargs) -> Tensor:
        """Table of images that mix the styles of sources and targets.

        Args:
            n_source: Number of sources (columns).
            n_target: Number of targets (rows).
            inject_index: First layer that takes the source's style code.
            truncation_latent: Mean style code.
            truncation: Truncation factor.
            kwargs: For :meth:`forward`.

        Returns:
            ((n_target + 1) * (n_source + 1), C, H, W): a blank image and the
            sources, then each target and its mixtures.
        """
        kwargs.update(
            truncation=truncation, truncation_latent=truncation_latent)
        sources, targets = (
            torch.randn(num, self.noise_size, device=self.device)
            for num in (n_source, n_target))
        images = self(sources, **kwargs)
        rows = [torch.full_like(images[:1], -1), images]
        target_images = self(targets, **kwargs)
        for target, image in zip(targets, target_images):
            mixed = [target.expand(n_source, -1), sources]
            rows.append(image[None])
            rows.append(self(mixed, inject_index=inject_index, **kwargs))
        return torch.cat(rows)


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
