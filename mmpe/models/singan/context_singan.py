"""SinGAN whose explicit positions are all that it knows of place."""
from typing import Callable, Dict, List, Optional, Tuple, Union

import torch
import torch.nn as nn
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmpe.functional.grids import axis_positions
from mmpe.functional.smoothing import smooth_noise, smoothing_reach
from mmpe.registry import MODELS
from .singan import SinGAN

__all__ = ['ContextSinGAN']

Size = Tuple[int, int]
# Changes a map (N, C, h, w); its pixels for each cell of the first scale, and
# those beside the grid, are told.
Edit = Callable[[Tensor, int, int], Tensor]
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

    The noises that reconstruct the photograph at the finer scales, zero in
    SinGAN, are learned: each takes a step against the gradient of the
    reconstruction's error after every update of the generator, and keeps a
    mean square of one. So details are said by noise, and not by the weights
    alone, which are few for a large image.

    Args:
        args: Arguments of :class:`SinGAN`, in its order.
        jitter: Standard deviation :math:`\sigma` of the shift of a position,
            in cells of the first scale; 0 for none.
        jitter_width: Standard deviation of the Gaussian window in cells.
        noise_rate: Root mean square of a step of the learned noises, reduced
            along with the generator's learning rate; 0 for SinGAN's zeros.
        kwargs: Further arguments of :class:`SinGAN`.

    Raises:
        ValueError: ``jitter`` or ``noise_rate`` is negative, or
            ``jitter_width`` is not above 0.
    """

    def __init__(self,
                 *args,
                 jitter: float = 0.5,
                 jitter_width: float = 7,
                 noise_rate: float = 0.05,
                 **kwargs) -> None:
        if min(jitter, noise_rate) < 0 or jitter_width <= 0:
            raise ValueError(
                'Arguments `jitter`, `noise_rate` and `jitter_width` must be '
                'at least 0, 0 and above 0, but got '
                f'{jitter}, {noise_rate} and {jitter_width}.')
        super().__init__(*args, **kwargs)
        self.jitter = jitter
        self.jitter_width = jitter_width
        self.noise_rate = noise_rate
        self.has_learned_noise = noise_rate > 0

    def still(self, noise: Tensor) -> Tensor:
        """See :class:`SinGAN`: what shifts positions is zero."""
        noise = noise.clone()
        noise[:, _SHIFTING] = 0
        return noise

    def position_grid(self, stage: int = 0) -> Tuple[Size, int]:
        """See :class:`SinGAN`: the image, and the context around it."""
        return self.pyramid_sizes[stage], self._inner_generator.border(stage)

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
        grid, border = self.position_grid()
        growth = self._inner_generator.head_position_encode.growth
        axes = [
            axis_positions(
                torch.arange(-border, length - border), length - 2 * border,
                trained, growth)
            for length, trained in zip(size, grid)
        ]
        return torch.stack(torch.meshgrid(*axes, indexing='ij'))

    def _fixed_noise(self, stage: int, real: Tensor) -> Tensor:
        border = 2 * self._inner_generator.border(stage)
        size = [length + border for length in real.shape[-2:]]
        if stage > 0 and not self.noise_rate:
            return torch.zeros(1, 3, *size).to(real)
        noise = torch.randn(1, 3, *size).to(real)
        return self.still(noise) if stage == 0 else _unit(noise)

    def train_generator(
            self, inputs: dict, data_samples: Optional[list],
            optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """See :class:`SinGAN`; the noise of the scale learns, too."""
        if self.curr_stage == 0 or not self.noise_rate:
            return super().train_generator(inputs, data_samples,
                                           optimizer_wrapper)
        noise = self.fixed_noises[self.curr_stage].requires_grad_()
        log_vars = super().train_generator(inputs, data_samples,
                                           optimizer_wrapper)
        group = optimizer_wrapper.param_groups[0]
        rate = group['lr'] / group.get('initial_lr', group['lr'])
        all_reduce(noise.grad, 'mean')
        with torch.no_grad():
            noise = noise - self.noise_rate * rate * _unit(noise.grad)
        self.fixed_noises[self.curr_stage] = _unit(noise)
        return log_vars

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
            borders = map(self._inner_generator.border, range(len(noises)))
            noises = [
                edit(noise, 2**stage, border)
                for stage, (noise, border) in enumerate(zip(noises, borders))
            ]
            codes = edit(codes, 1, self.position_grid()[1])
        return super()._generate(
            generator, noises, 'recon', position_codes=codes, **kwargs)


def _unit(x: Tensor) -> Tensor:
    """With a mean square of one."""
    return x / x.square().mean().sqrt().clamp(min=1e-12)
