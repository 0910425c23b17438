"""From noise to style codes: mapping, mixing and truncation."""
from abc import ABCMeta, abstractmethod
from functools import partial
from typing import Callable, List, Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModule
from torch import Tensor

from .mapping import StyleMapping, truncate

__all__ = ['StyleCodes']

Styles = Union[Tensor, Sequence[Tensor], Callable, None]
# Seed of the noise that the mean style code is computed from.
_MEAN_SEED = 20210619
_STYLE_MODES = ('mix', 'single')


class StyleCodes(BaseModule, metaclass=ABCMeta):
    """The part of a generator that makes style codes.

    Subclasses set ``noise_size``, the channels of the noise.

    Args:
        style_channels: Channels of the style code.
        mapping: The mapping network.
        default_style_mode: 'mix' or 'single': style mixing in training.
        eval_style_mode: The same in evaluation.
        mix_prob: Probability of mixing two style codes in mode 'mix'.

    Raises:
        ValueError: A style mode is unknown.
    """

    noise_size: int

    def __init__(self,
                 style_channels: int,
                 mapping: StyleMapping,
                 default_style_mode: str = 'mix',
                 eval_style_mode: str = 'single',
                 mix_prob: float = 0.9) -> None:
        super().__init__()
        for mode in (default_style_mode, eval_style_mode):
            if mode not in _STYLE_MODES:
                raise ValueError('A style mode must be one of '
                                 f'{_STYLE_MODES}, but got {mode!r}.')
        self.style_channels = style_channels
        self.default_style_mode = default_style_mode
        self.eval_style_mode = eval_style_mode
        self.mix_prob = mix_prob
        self.style_mapping = mapping
        self._mean_latent: Optional[Tensor] = None

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Device of the parameters."""

    @property
    def style_mode(self) -> str:
        """The current style mode, 'mix' or 'single'."""
        return self.default_style_mode if self.training \
            else self.eval_style_mode

    def train(self, mode: bool = True) -> 'StyleCodes':
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
        generator = torch.Generator().manual_seed(_MEAN_SEED)
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
