"""Explicit positional encodings as modules: SPE and CSG."""
from abc import abstractmethod
from typing import Any, Callable, Optional, Tuple, overload

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmpe.functional.constants import constant
from mmpe.functional.grids import (cartesian_grid, centered_positions,
                                   counted_positions, sinusoidal_encoding,
                                   sinusoidal_grid)
from mmpe.registry import MODELS

__all__ = [
    'CartesianGrid', 'GridEncoding', 'SinusoidalPositionalEmbedding',
    'grid_channels'
]

Size = Tuple[int, int]


@overload
def grid_channels(encoding: Any, default: int) -> int:
    ...


@overload
def grid_channels(encoding: Any,
                  default: Optional[int] = None) -> Optional[int]:
    ...


def grid_channels(encoding: Any,
                  default: Optional[int] = None) -> Optional[int]:
    """Number of channels of an encoding's grids.

    Args:
        encoding: A module, usually with ``make_grid2d(height, width)``, which
            returns (1, C, H, W).
        default: Number for a module without ``make_grid2d``, as MMagic
            assumes it.

    Returns:
        Number of channels.
    """
    if not hasattr(encoding, 'make_grid2d'):
        return default
    return encoding.make_grid2d(4, 4).shape[1]


def _first_positions(size: Size, center: float) -> Tensor:
    """Centred positions (2, 1, 1) of the top-left cell."""
    return torch.stack([centered_positions(length, center)[0]
                        for length in size])[:, None, None]


def _last_cells(size: Size) -> Tensor:
    """Indices (2, 1, 1) of the bottom-right cell."""
    return torch.tensor(size)[:, None, None] - 1


class GridEncoding(BaseModule):
    """Base class of encodings of a grid's cells, and of positions in it."""

    make_grid2d: Callable[..., Tensor]

    def make_grid2d_like(self, x: Tensor, *args, **kwargs) -> Tensor:
        """Encode a grid with the batch size, size, dtype and device of a map.

        Args:
            x: Feature map (N, C, H, W).
            args, kwargs: As for ``make_grid2d``, after its batch size.

        Returns:
            (N, num_channels, H, W) in [-1, 1].
        """
        num, _, height, width = x.shape
        return self.make_grid2d(height, width, num, *args, **kwargs).to(x)

    @abstractmethod
    def encode_positions(self, positions: Tensor, size: Size) -> Tensor:
        """Encode arbitrary positions, for layout editing.

        Args:
            positions: (2, H, W), y and x in cells of a reference grid,
                counted from 0 at its top-left cell; may be fractional.
            size: (H, W) of the reference grid, that of training.

        Returns:
            Float32 (num_channels, H, W), in [-1, 1] inside the reference
            grid; equal to ``make_grid2d`` at its cells.
        """


@MODELS.register_module('SPE')
@MODELS.register_module('SPE2d')
@MODELS.register_module()
class SinusoidalPositionalEmbedding(GridEncoding):
    """Sinusoidal positional encoding, in 1-D and 2-D (SPE; paper Sec. 4.2).

    As trained, not as written: the released models count positions from 1 at
    the top-left corner, and ``center_shift`` has no effect. Set ``centered``
    for the grid in the paper, whose middle stays at ``center_shift`` when the
    map grows. :func:`mmpe.functional.grids.sinusoidal_encoding` has the
    formula.

    Args:
        embedding_dim: Channels per axis, even. A 2-D encoding has twice as
            many (:attr:`num_channels`).
        padding_idx: Token that marks padding in 1-D input; it is encoded as
            zeros and not counted.
        init_size: Accepted for compatibility; encodings of any size are
            computed on demand.
        div_half_dim: Divide the exponent by ``embedding_dim / 2`` instead of
            ``embedding_dim / 2 - 1``.
        center_shift: Position of the middle cell if ``centered``.
        centered: Centre the grid at ``center_shift``.

    Raises:
        ValueError: ``embedding_dim`` is odd or too small, or ``centered`` is
            set without ``center_shift``.

    Example:
        >>> encoding = SinusoidalPositionalEmbedding(embedding_dim=8)
        >>> encoding.make_grid2d(24, 36).shape
        torch.Size([1, 16, 24, 36])
    """

    def __init__(self,
                 embedding_dim: int,
                 padding_idx: int = 0,
                 init_size: int = 1024,
                 div_half_dim: bool = False,
                 center_shift: Optional[int] = None,
                 centered: bool = False) -> None:
        super().__init__()
        if centered and center_shift is None:
            raise ValueError('Argument `center_shift` must be a position if '
                             '`centered` is set, but got None.')
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.div_half_dim = div_half_dim
        self.center_shift = center_shift
        self.centered = centered
        # Called to check the arguments. MMagic's checkpoints contain the
        # buffer.
        sinusoidal_encoding(torch.zeros(1), embedding_dim, div_half_dim)
        self.register_buffer('_float_tensor', torch.zeros(1))

    @property
    def num_channels(self) -> int:
        """Channels of a 2-D encoding."""
        return 2 * self.embedding_dim

    def forward(self, inputs: Tensor, **kwargs) -> Tensor:
        """Encode tokens (1-D) or make the grid of a feature map (2-D).

        Args:
            inputs: Tokens (N, L), of which only the padding matters, or a
                feature map (N, C, H, W), of which only the size matters.
            kwargs: For feature maps, as for :meth:`make_grid2d_like`.

        Returns:
            (N, L, embedding_dim) or (N, 2 * embedding_dim, H, W).

        Raises:
            ValueError: The input has neither two nor four dimensions.
        """
        if inputs.dim() == 4:
            return self.make_grid2d_like(inputs, **kwargs)
        if inputs.dim() != 2:
            raise ValueError('Input of a positional encoding must be (N, L) '
                             f'or (N, C, H, W), but got {tuple(inputs.shape)}')
        valid = inputs.ne(self.padding_idx).to(
            self._float_tensor.device)  # [N, L]
        positions = valid.cumsum(dim=1) + self.padding_idx
        codes = sinusoidal_encoding(positions, self.embedding_dim,
                                    self.div_half_dim)
        return codes * valid[..., None]

    def make_grid2d(self,
                    height: int,
                    width: int,
                    num_batches: int = 1,
                    center_shift: Optional[int] = None) -> Tensor:
        """Encode a grid of the given size.

        Args:
            height: Number of rows.
            width: Number of columns.
            num_batches: Batch size N.
            center_shift: Overrides the module's ``center_shift``.

        Returns:
            Float32 (N, 2 * embedding_dim, H, W) in [-1, 1].
        """
        device = self._float_tensor.device
        center = self.center_shift if center_shift is None else center_shift
        if self.centered and center is not None:
            y = centered_positions(height, center, device)
            x = centered_positions(width, center, device)
        else:
            y = counted_positions(height, device)
            x = counted_positions(width, device)
        grid = sinusoidal_grid(y, x, self.embedding_dim, self.div_half_dim)
        return grid.expand(num_batches, -1, -1, -1)

    @property
    def growth(self) -> str:
        """How the grid changes with the size of a map: ``axis_positions``."""
        return 'centre' if self.centered else 'extend'

    def encode_positions(self, positions: Tensor, size: Size) -> Tensor:
        """Encode arbitrary positions, as in :class:`GridEncoding`."""
        first = positions.new_ones(2, 1, 1)
        if self.centered:
            first = constant(
                _first_positions, tuple(size), self.center_shift,
                like=positions)
        y, x = sinusoidal_encoding(
            positions + first, self.embedding_dim,
            self.div_half_dim).permute(0, 3, 1, 2)  # 2 x [C, H, W]
        return torch.cat((x, y))  # x first, as in `sinusoidal_grid`


@MODELS.register_module('CSG')
@MODELS.register_module('CSG2d')
@MODELS.register_module('CatersianGrid')
@MODELS.register_module()
class CartesianGrid(GridEncoding):
    """Cartesian spatial grid (CSG; paper Sec. 4.1).

    The centres of the top-left and bottom-right cells are at (-1, -1) and
    (1, 1) at any size, as in :func:`torch.nn.functional.grid_sample` with
    ``align_corners=True``.

    Example:
        >>> CartesianGrid().make_grid2d(24, 36).shape
        torch.Size([1, 2, 24, 36])
    """

    num_channels = 2
    growth = 'stretch'

    def __init__(self) -> None:
        super().__init__()
        # Tracks the module's device; not in the state dict, as in MMagic.
        self.register_buffer('_place', torch.zeros(0), persistent=False)

    def forward(self, x: Tensor, **kwargs) -> Tensor:
        """Same as :meth:`make_grid2d_like`, for 4-D input."""
        if x.dim() != 4:
            raise ValueError('Input of a Cartesian grid must be (N, C, H, W), '
                             f'but got {tuple(x.shape)}.')
        return self.make_grid2d_like(x, **kwargs)

    def make_grid2d(self,
                    height: int,
                    width: int,
                    num_batches: int = 1,
                    requires_grad: bool = False) -> Tensor:
        """Coordinates of a grid of the given size.

        Args:
            height: Number of rows, at least 2.
            width: Number of columns, at least 2.
            num_batches: Batch size N.
            requires_grad: Record gradients with respect to the coordinates.

        Returns:
            Float32 (N, 2, H, W) in [-1, 1]; x, then y.

        Raises:
            ValueError: A size is below 2.
        """
        grid = cartesian_grid(height, width, self._place.device)
        grid.requires_grad_(requires_grad)
        return grid.expand(num_batches, -1, -1, -1)

    def encode_positions(self, positions: Tensor, size: Size) -> Tensor:
        """Encode arbitrary positions: x, then y."""
        last = constant(_last_cells, tuple(size), like=positions)
        return (2 * positions / last - 1).flip(0).float()
