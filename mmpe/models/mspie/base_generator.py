"""What both generators of MS-PIE have in common."""
from abc import abstractmethod
from typing import Dict, Optional, Sequence, Tuple, Union

from torch import Tensor

from mmpe.models.layers.equalized import PixelNorm
from mmpe.models.stylegan2.base_generator import (BaseStyleGenerator, Size,
                                                  Styles, as_pair)
from mmpe.models.stylegan2.mapping import StyleMapping
from .scales import BASE_CELLS

__all__ = ['BaseMSGenerator']


class BaseMSGenerator(BaseStyleGenerator):
    """StyleGAN2 whose first map has any number of cells.

    A subclass says how large it is without extra ones (:attr:`head_size`).

    Args:
        out_size: Size of the image without extra cells, a power of 2 from 8
            to 1024.
        style_channels: Channels of the style code.
        num_mlps: Layers of the mapping network.
        channel_multiplier: Factor on the channels from 64 x 64 on.
        lr_mlp: Factor on the mapping network's learning rate.
        width: Factor on all channels.
        style_modes: ``default_style_mode``, ``eval_style_mode`` and
            ``mix_prob`` of :class:`BaseStyleGenerator`.
    """

    adds_noise = True

    def __init__(self, out_size: int, style_channels: int, num_mlps: int,
                 channel_multiplier: float, lr_mlp: float, width: float,
                 **style_modes) -> None:
        mapping = StyleMapping(style_channels, style_channels, num_mlps,
                               lr_mlp, PixelNorm())
        super().__init__(out_size, style_channels, mapping, channel_multiplier,
                         width, **style_modes)
        self.noise_size = style_channels

    @property
    @abstractmethod
    def head_size(self) -> Size:
        """Height and width of the first map without extra cells."""

    def first_map_size(self, chosen_scale: Size) -> Size:
        """Height and width of the first map.

        Raises:
            ValueError: Too few cells are left.
        """
        if min(chosen_scale) < 1 - BASE_CELLS:
            raise ValueError('Argument `chosen_scale` must be at least '
                             f'{1 - BASE_CELLS}, which leaves one of '
                             f'{BASE_CELLS} cells, but got {chosen_scale}.')
        return tuple(
            cells + extra for cells, extra in zip(self.head_size,
                                                  chosen_scale))

    def forward(self,
                styles: Styles,
                num_batches: int = -1,
                return_noise: bool = False,
                return_latents: bool = False,
                inject_index: Optional[int] = None,
                truncation: float = 1,
                truncation_latent: Optional[Tensor] = None,
                input_is_latent: bool = False,
                injected_noise: Optional[Sequence[Optional[Tensor]]] = None,
                randomize_noise: bool = True,
                chosen_scale: Union[int, Tuple[int, int]] = 0,
                **first_map_kwargs) -> Union[Tensor, Dict[str, object]]:
        """Make images.

        Args:
            styles: Noise (N, style_channels), style codes of that shape or
                (N, L, style_channels), one or two of them; or a function of a
                shape that draws noise; or None to draw it here.
            num_batches: N where noise is drawn.
            return_noise: Return a dict with the noise.
            return_latents: Return a dict with the style codes.
            inject_index: First layer that gets the second of two codes.
            truncation: Truncation factor, 1 for none.
            truncation_latent: Mean style code; computed if None.
            input_is_latent: Whether ``styles`` are style codes.
            injected_noise: Noise for each layer, (1 or N, 1, H, W).
            randomize_noise: Draw noise; else it is the same in every call, in
                every process.
            chosen_scale: Extra cells of the first map, one number or
                (dh, dw).
            first_map_kwargs: Further arguments for :meth:`first_map`.

        Returns:
            Float32 images (N, 3, H, W), or a dict with them as ``fake_img``.
        """
        codes, noise = self._style_codes(styles, None, num_batches,
                                         input_is_latent)
        codes = self._truncate(codes, truncation, truncation_latent)
        outputs = self._generate(codes, inject_index, injected_noise,
                                 randomize_noise, as_pair(chosen_scale),
                                 self.adds_noise, **first_map_kwargs)
        if not (return_noise or return_latents):
            return outputs['fake_img']
        del outputs['feats']
        return dict(outputs, noise_batch=noise)
