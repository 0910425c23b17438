"""Base class of the generators of MS-PIE."""
from abc import abstractmethod
from typing import Any, Dict, Optional, Sequence, Tuple, Union

from torch import Tensor

from mmpe.models.layers.equalized import PixelNorm
from mmpe.models.stylegan2.base_generator import (BaseStyleGenerator, Size,
                                                  as_pair)
from mmpe.models.stylegan2.mapping import StyleMapping
from mmpe.models.stylegan2.style_codes import Styles
from .scales import BASE_CELLS

__all__ = ['BaseMSGenerator']


class BaseMSGenerator(BaseStyleGenerator):
    """StyleGAN2 with a first feature map of variable size.

    Subclasses define its size at the base scale (:attr:`head_size`).

    Args:
        out_size: Size of the image at the base scale, a power of 2 from 8 to
            1024.
        style_channels: Channels of the style code.
        num_mlps: Layers of the mapping network.
        lr_mlp: Learning rate multiplier of the mapping network.
        kwargs: ``channel_multiplier`` and ``width`` of
            :class:`BaseStyleGenerator`, and ``default_style_mode``,
            ``eval_style_mode`` and ``mix_prob`` of :class:`StyleCodes`.
    """

    adds_noise = True

    def __init__(self,
                 out_size: int,
                 style_channels: int,
                 num_mlps: int = 8,
                 *,
                 lr_mlp: float = 0.01,
                 **kwargs) -> None:
        mapping = StyleMapping(style_channels, style_channels, num_mlps,
                               lr_mlp, PixelNorm())
        super().__init__(out_size, style_channels, mapping, **kwargs)
        self.noise_size = style_channels

    @property
    @abstractmethod
    def head_size(self) -> Size:
        """Height and width of the first map at the base scale."""

    def first_map_size(self, chosen_scale: Size) -> Size:
        """Height and width of the first map at a scale.

        Raises:
            ValueError: The scale leaves no cells.
        """
        if min(chosen_scale) < 1 - BASE_CELLS:
            raise ValueError('Argument `chosen_scale` must be at least '
                             f'{1 - BASE_CELLS}, which leaves one of '
                             f'{BASE_CELLS} cells, but got {chosen_scale}.')
        height, width = self.head_size
        return height + chosen_scale[0], width + chosen_scale[1]

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
                **first_map_kwargs) -> Union[Tensor, Dict[str, Any]]:
        """Make images.

        Args:
            styles, num_batches, return_noise, return_latents, inject_index:
                As for :meth:`StyleGAN2Generator.forward`.
            truncation, truncation_latent, input_is_latent, injected_noise:
                Likewise.
            randomize_noise: Draw new noise; if False, use the fixed noise,
                the same in every call and process.
            chosen_scale: Extra cells of the first map, one number or
                (dh, dw).
            first_map_kwargs: Further arguments for :meth:`first_map`.

        Returns:
            Float32 images (N, 3, H, W), or a dict with the images as
            ``fake_img``.
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
