"""Drawing with a ContextSinGAN: shifted positions and carried noise."""
from typing import Any, Callable, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn
from torch import Tensor

from mmpe.functional.constants import constant
from mmpe.functional.grids import context_positions
from mmpe.functional.smoothing import smooth_noise, smoothing_reach
from .singan import SinGAN

__all__ = ['ContextSampling', 'check_carry']

Size = Tuple[int, int]
# Rows and columns.
Window = Sequence[range]
# Edits a map (N, C, h, w) of the first scale; the second argument is the
# number of cells beyond its grid on each side.
Edit = Callable[[Tensor, int], Tensor]
# Channels of the first noise: one for the generator, two for the shifts.
_SHIFTING = slice(1, 3)
# Factor that halves the variance.
_HALF = 0.5**0.5


class ContextSampling(SinGAN):
    """Draws with shifted positions and the photograph's noise.

    Args:
        args, kwargs: As for :class:`SinGAN`.
        jitter, jitter_width, carry, growth: As for
            :class:`~mmpe.models.singan.ContextSinGAN`.
    """

    def __init__(self, *args, jitter: float, jitter_width: float, carry: float,
                 growth: Optional[str], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.jitter = jitter
        self.jitter_width = jitter_width
        self.carry = carry
        self._growth = str(growth or super().growth)
        context_positions(torch.zeros(1), 1, 1, self._growth)

    @property
    def growth(self) -> str:
        """How the grid of positions changes with the size."""
        return self._growth

    def still(self, noise: Tensor) -> Tensor:
        """Noise of the first scale with the shifts of positions set to zero.

        Args:
            noise: (N, 3, h, w).

        Returns:
            (N, 3, h, w).
        """
        noise = noise.clone()
        noise[:, _SHIFTING] = 0
        return noise

    def position_grid(self, stage: int = 0) -> Tuple[Size, int]:
        """As in :class:`SinGAN`: size of the image, and its context."""
        return self.pyramid_sizes[stage], self._inner_generator.border(stage)

    def told_positions(self, noise: Tensor, positions: Tensor, size: Size,
                       window: Window, source: Window) -> Tensor:
        """Shifted positions of a window of the first scale's grid.

        Args:
            noise: Noise (N, 3, h, w) of the window ``source``.
            positions: Positions (2, h, w) of the window.
            size: (H, W) of the whole noise.
            window: Rows and columns.
            source: The window extended by :attr:`jitter_reach` on each side,
                within the grid.

        Returns:
            (N, 2, h, w).
        """
        shifts = smooth_noise(noise[:, _SHIFTING], self.jitter_width, size,
                              *window, *source)
        return positions + self.jitter * shifts

    def codes(self, told: Tensor) -> Tensor:
        """Encode positions (N, 2, h, w) as (N, C, h, w)."""
        # Stacked vertically, to be encoded in one call.
        codes = self.encode_positions(
            told.transpose(0, 1).flatten(1, 2))  # [C, N * h, w]
        return codes.unflatten(
            1, (-1, told.shape[2])).transpose(0, 1)  # [N, C, h, w]

    def carried(self, noise: Tensor, stage: int, told: Tensor,
                told_window: Window, window: Window, sizes: List[Size],
                carry: float) -> Tensor:
        """Mix the photograph's noise into a scale's, at given positions.

        Args:
            noise: New noise (N, C, h, w) of the window.
            stage: Index of the scale.
            told: Positions (N, 2, h', w') given to the first scale.
            told_window: Their rows and columns in the first scale's noise,
                which contain the window's neighbours.
            window: Rows and columns of the scale's noise.
            sizes: (H, W) of the image at each scale.
            carry: Fraction of the photograph's noise, from 0 to 1.

        Returns:
            (N, C, h, w).
        """
        if carry == 0:
            return noise
        known = self.fixed_noises[stage]
        if carry < 1:
            known = known.detach()  # not learned from random images
        # Interpolate the positions p' to the cells of this scale,
        for axis in (0, 1):
            cells = constant(
                _first_cells,
                *self._axis(axis, stage, window[axis], sizes),
                like=told)
            told = _between(told, axis + 2, cells - told_window[axis].start)
        (grid, border), (first, _) = (
            self.position_grid(x) for x in (stage, 0))
        # convert them to its grid, round them and look up z*.
        ratios = constant(_ratios, grid, first, like=told)
        places = (told + 0.5) * ratios - 0.5
        # Halves are frequent, and must not depend on rounding errors.
        y, x = ((places + 1e-3).round().long() + border).unbind(1)
        height, width = known.shape[2:]
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        old = known[0][:, y.clamp(0, height - 1),
                       x.clamp(0, width - 1)]  # [C, N, h, w]
        mixed = carry * old.transpose(0, 1) + (1 - carry**2)**0.5 * noise
        return torch.where(inside[:, None], mixed, noise)

    def carry_from(self, start_scale: int) -> float:
        """Fraction of the photograph's noise in a random image.

        Args:
            start_scale: First random scale. From the second one on only noise
                varies, so at least half of its variance is new.
        """
        return min(self.carry, _HALF) if start_scale > 0 else self.carry

    def first_window(self, stage: int, window: Window,
                     sizes: List[Size]) -> List[range]:
        """Cells of the first scale's noise that surround a window.

        Args:
            stage, window, sizes: As for :meth:`carried`.

        Returns:
            Rows and columns; at the first scale, the window itself.
        """
        if stage == 0:
            return list(window)
        cells = [
            _first_cells(*self._axis(axis, stage, window[axis], sizes))
            for axis in (0, 1)
        ]
        return [
            range(int(x[0].floor()), int(x[-1].floor()) + 2) for x in cells
        ]

    def _axis(self, axis: int, stage: int, cells: range,
              sizes: List[Size]) -> Tuple[range, float, int, int]:
        """Arguments of :func:`_first_cells`."""
        return (cells, sizes[0][axis] / sizes[stage][axis],
                self.position_grid(stage)[1], self.position_grid()[1])

    @property
    def jitter_reach(self) -> int:
        """Reach of the jitter: cells on each side that shift a position."""
        return smoothing_reach(self.jitter_width)

    def _own_positions(self, noise: Tensor) -> Tensor:
        """Unshifted positions (2, h, w) of noise (N, C, h, w)."""
        return constant(
            _positions,
            tuple(noise.shape[2:]),
            *self.position_grid(),
            self.growth,
            like=noise)

    def _generate(self,
                  generator: nn.Module,
                  noises: List[Tensor],
                  rand_mode: str,
                  *,
                  num_batches: int = 1,
                  positions: Optional[Tensor] = None,
                  edit: Optional[Edit] = None,
                  carry: Optional[float] = None,
                  **kwargs) -> Any:
        """As in :class:`SinGAN`, with shifted positions and carried noise.

        ``edit`` changes maps of the first scale's grid. ``carry`` defaults to
        that of random images, or to 1 for the fixed noises.
        """
        is_recon = rand_mode == 'recon' and noises is self.fixed_noises
        if carry is None:
            carry = 1 if is_recon else self.carry_from(
                kwargs.get('start_scale', 0))
        check_carry(carry)
        if rand_mode == 'rand':
            noises = [
                torch.randn(
                    num_batches, *x.shape[1:], dtype=x.dtype, device=x.device)
                for x in noises
            ]
        own = self._own_positions(noises[0])
        windows = [[range(n) for n in noise.shape[2:]] for noise in noises]
        _, _, height, width = noises[0].shape
        told = self.told_positions(noises[0],
                                   own if positions is None else positions,
                                   (height, width), windows[0], windows[0])
        if edit is not None:
            border = self.position_grid()[1]
            told = edit(told, border)
            noises = [edit(noises[0], border), *noises[1:]]
        if not is_recon or edit is not None or positions is not None:
            sizes = [
                self._inner_generator.image_size(noise, stage)
                for stage, noise in enumerate(noises)
            ]
            noises = [
                self.carried(noise, stage, told, windows[0], windows[stage],
                             sizes, carry)
                for stage, noise in enumerate(noises)
            ]
        return super()._generate(
            generator,
            noises,
            'recon',
            position_codes=self.codes(told),
            **kwargs)


def check_carry(carry: float) -> None:
    """Check that a fraction of the photograph's noise is from 0 to 1."""
    if not 0 <= carry <= 1:
        raise ValueError('Argument `carry` must be from 0 to 1, but got '
                         f'{carry}.')


def _positions(size: Size, grid: Size, border: int, growth: str) -> Tensor:
    """Positions (2, h, w) of a grid and its border, (h, w) in total."""
    axes = [
        context_positions(
            torch.arange(-border, length - border), length - 2 * border,
            trained, growth) for length, trained in zip(size, grid)
    ]
    return torch.stack(torch.meshgrid(*axes, indexing='ij'))


def _first_cells(cells: range, ratio: float, border: int,
                 first_border: int) -> Tensor:
    """Cells of a scale's noise, in coordinates of the first scale's noise."""
    middles = torch.arange(cells.start, cells.stop) - border + 0.5
    return middles * ratio - 0.5 + first_border


def _ratios(size: Size, first: Size) -> Tensor:
    """Ratios of two sizes, (2, 1, 1)."""
    return torch.tensor([a / b for a, b in zip(size, first)])[:, None, None]


def _between(x: Tensor, dim: int, places: Tensor) -> Tensor:
    """Interpolate a map linearly along an axis."""
    last = x.shape[dim] - 1
    places = places.clamp(0, last)
    low = places.floor().long().clamp(max=max(last - 1, 0))
    weights = (places - low).view([-1 if d == dim else 1
                                   for d in range(x.dim())])
    before, after = (x.index_select(dim, index)
                     for index in (low, (low + 1).clamp(max=last)))
    return before.lerp(after, weights.expand_as(before))
