"""SinGAN whose explicit positions are all that it knows of place."""
from typing import Callable, List, Optional, Tuple, Union

import torch
import torch.nn as nn
from torch import Tensor

from mmpe.functional.grids import axis_positions
from mmpe.functional.smoothing import smooth_noise, smoothing_reach
from mmpe.registry import MODELS
from .singan import SinGAN

__all__ = ['ContextSinGAN']

Size = Tuple[int, int]
# From a map (N, C, h, w) of the first scale's grid to another one.
Edit = Callable[[Tensor], Tensor]
# Channels of the first noise: one that the generator sees, two that shift.
_SHIFTING = slice(1, 3)


@MODELS.register_module()
class ContextSinGAN(SinGAN):
    r"""SinGAN of a :class:`SinGANContextGenerator`.

    Beside the noise that the generator sees, a random image has positions of
    its own: each cell is told the position of a place nearby,

    .. math:: p'(c) = p(c) + \sigma\,(g * z)(c),

    with noise :math:`z` that a Gaussian window :math:`g` makes smooth. So
    whole parts stand elsewhere. The reconstruction has :math:`z = 0`.

    Args:
        args: Arguments of :class:`SinGAN`, in its order.
        jitter: Standard deviation :math:`\sigma` of the shift of a position,
            in cells of the first scale; 0 for none.
        jitter_width: Standard deviation of the Gaussian window in cells.
        kwargs: Further arguments of :class:`SinGAN`.

    Raises:
        ValueError: ``jitter`` is negative, or ``jitter_width`` is not above
            0.
    """

    def __init__(self,
                 *args,
                 jitter: float = 0.5,
                 jitter_width: float = 7,
                 **kwargs) -> None:
        if jitter < 0 or jitter_width <= 0:
            raise ValueError(
                'Arguments `jitter` and `jitter_width` must be at least 0 and '
                f'above 0, but got {jitter} and {jitter_width}.')
        super().__init__(*args, **kwargs)
        self.jitter = jitter
        self.jitter_width = jitter_width

    def still(self, noise: Tensor) -> Tensor:
        """See :class:`SinGAN`: what shifts positions is zero."""
        noise = noise.clone()
        noise[:, _SHIFTING] = 0
        return noise

    @property
    def position_border(self) -> int:
        """Cells of the first scale's noise beside its image, on each side."""
        return self._inner_generator.border(0)

    @property
    def position_grid(self) -> Size:
        """(H, W) of the grid that positions are counted in."""
        return self.pyramid_sizes[0]

    def window_codes(self, noise: Tensor, positions: Tensor, size: Size,
                     rows: range, cols: range, source_rows: range,
                     source_cols: range) -> Tensor:
        """Encoded positions of a window of the first scale's grid.

        Args:
            noise: Window (N, 3, source_rows, source_cols) of its noise.
            positions: Positions (2, rows, cols) before they are shifted.
            size: (H, W) of the whole noise.
            rows, cols: The window.
            source_rows, source_cols: The window and :attr:`jitter_reach`
                more on each side, within the grid.

        Returns:
            (N, C, rows, cols).
        """
        shifts = self.jitter * smooth_noise(
            noise[:, _SHIFTING], self.jitter_width, size, rows, cols,
            source_rows, source_cols)
        return torch.stack(
            [self.encode_positions(positions + shift) for shift in shifts])

    @property
    def jitter_reach(self) -> int:
        """Cells on each side whose noise shifts a cell's position."""
        return smoothing_reach(self.jitter_width)

    def _own_positions(self, size: Size) -> Tensor:
        """Positions (2, h, w) of noise (h, w), as the encoding grows."""
        border = self.position_border
        growth = self._inner_generator.head_position_encode.growth
        axes = [
            axis_positions(
                torch.arange(-border, length - border), length - 2 * border,
                trained, growth)
            for length, trained in zip(size, self.position_grid)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing='ij'))

    def _fixed_noise(self, stage: int, real: Tensor) -> Tensor:
        border = 2 * self._inner_generator.border(stage)
        size = [length + border for length in real.shape[-2:]]
        if stage == 0:
            return self.still(torch.randn(1, 3, *size)).to(real)
        return torch.zeros(1, 3, *size).to(real)

    def _codes(self,
               noise: Tensor,
               positions: Optional[Tensor] = None) -> Tensor:
        """Encoded positions of the whole first scale."""
        size = tuple(noise.shape[-2:])
        if positions is None:
            positions = self._own_positions(size).to(noise)
        whole = [range(length) for length in size]
        return self.window_codes(noise, positions, size, *whole, *whole)

    def _refined(self, stage: int) -> Tensor:
        return self._inner_generator.recon_input(
            self.fixed_noises, self.noise_weights, stage,
            self._codes(self.fixed_noises[0])).detach()

    def _before(self, stage: int) -> Tensor:
        # The resized image without the context of this scale.
        image = self._refined(stage)
        height, width = self.reals[stage].shape[-2:]
        border = (image.shape[-1] - width) // 2
        return image[..., border:border + height, border:border + width]

    def _generate(self,
                  generator: nn.Module,
                  noises: List[Tensor],
                  rand_mode: str,
                  num_batches: int = 1,
                  positions: Optional[Tensor] = None,
                  edit: Optional[Edit] = None,
                  **kwargs) -> Union[Tensor, dict]:
        """As in :class:`SinGAN`; ``edit`` changes maps of the first scale."""
        if rand_mode == 'rand':
            noises = [
                torch.randn(
                    num_batches, *x.shape[1:], dtype=x.dtype, device=x.device)
                for x in noises
            ]
        codes = self._codes(noises[0], positions)
        if edit is not None:
            codes, first = edit(codes), edit(noises[0])
            noises = [first, *noises[1:]]
        return super()._generate(
            generator, noises, 'recon', position_codes=codes, **kwargs)
