"""Explicit positional encodings as functions of size or position.

SPE and CSG of "Positional Encoding as Spatial Inductive Bias in GANs" (CVPR
2021, Sec. 4), "the paper" in this package.
"""
import math
from typing import Optional, Sequence

import torch
from torch import Tensor

__all__ = [
    'GROWTHS', 'axis_positions', 'cartesian_grid', 'centered_positions',
    'context_positions', 'counted_positions', 'region_grid',
    'region_positions', 'sinusoidal_encoding', 'sinusoidal_grid'
]

GROWTHS = ('stretch', 'extend', 'centre', 'tile')


def axis_positions(cells: Tensor, length: int, trained_length: int,
                   growth: str) -> Tensor:
    """Positions along an axis whose length differs from training.

    - 'stretch': the ends keep their positions (CSG).
    - 'extend': counted from the first cell, beyond the trained positions if
      the axis is longer (SPE).
    - 'centre': the middle keeps its position; both ends extend beyond the
      trained positions, or are cut off.
    - 'tile': the trained positions repeat.

    Args:
        cells: Indices of cells of the map, of any shape; may be fractional.
        length: Number of cells of the map.
        trained_length: Number of cells in training.
        growth: 'stretch', 'extend', 'centre' or 'tile'.

    Returns:
        Float32 positions in cells of the trained axis, counted from 0, in the
        shape of ``cells``.

    Raises:
        ValueError: ``growth`` is unknown.

    Example:
        >>> cells = torch.arange(6)
        >>> axis_positions(cells, 6, 4, 'centre').tolist()
        [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0]
        >>> axis_positions(cells, 6, 4, 'tile').tolist()
        [0.0, 1.0, 2.0, 3.0, 0.0, 1.0]
    """
    cells = cells.float()
    if growth == 'stretch':
        return cells * ((trained_length - 1) / max(length - 1, 1))
    if growth == 'extend':
        return cells
    if growth == 'centre':
        return cells - ((length + 1) // 2 - (trained_length + 1) // 2)
    if growth == 'tile':
        return cells.remainder(trained_length)
    raise ValueError(f'Argument `growth` must be one of {GROWTHS}, but got '
                     f'{growth!r}.')


def context_positions(cells: Tensor, length: int, trained_length: int,
                      growth: str) -> Tensor:
    """:func:`axis_positions` for a map with context around it.

    Args:
        cells: Indices of cells, which may lie outside of the map.
        length, trained_length, growth: As for :func:`axis_positions`. Outside
            of a tiled map, positions continue from its ends instead of
            repeating.

    Returns:
        As for :func:`axis_positions`.
    """
    inside = cells.float()
    if growth == 'tile':
        inside = inside.clamp(0, length - 1)
    return axis_positions(inside, length, trained_length,
                          growth) + (cells - inside)


def region_positions(length: int,
                     start: float,
                     extent: float,
                     position_range: float,
                     context: int = 0,
                     device: Optional[torch.device] = None) -> Tensor:
    """Positions along an axis of a grid over a region of the picture.

    Cells have the positions of their centres in the picture, so that a finer
    grid has smaller steps (after Ntavelis et al., "Arbitrary-Scale Image
    Synthesis", CVPR 2022, Sec. 3).

    Args:
        length: Number of cells in the region.
        start: Start of the region, as a fraction of the picture.
        extent: Length of the region, as a fraction of the picture.
        position_range: Number of positions along the picture's side.
        context: Additional cells on each side, beyond the region.
        device: Device of the result.

    Returns:
        Float32 (length + 2 * context, ), counted from 0; whole numbers for
        ``position_range`` cells over the whole picture.
    """
    cells = torch.arange(-context, length + context, device=device)
    places = start + (cells + 0.5) * (extent / length)
    return places * position_range - 0.5


def region_grid(size: Sequence[int],
                region: Sequence[float],
                position_range: float,
                context: int = 0,
                device: Optional[torch.device] = None) -> Tensor:
    """Positions of all cells of a grid over a region of the picture.

    Args:
        size: Number of cells (H, W) in the region.
        region: Top, left, height and width, as fractions of the picture's
            sides.
        position_range, context, device: As for :func:`region_positions`.

    Returns:
        Float32 (2, H + 2 * context, W + 2 * context), y and x.
    """
    axes = [
        region_positions(length, start, extent, position_range, context,
                         device)
        for length, start, extent in zip(size, region[:2], region[2:])
    ]
    return torch.stack(torch.meshgrid(*axes, indexing='ij'))


def cartesian_grid(height: int,
                   width: int,
                   device: Optional[torch.device] = None) -> Tensor:
    r"""Coordinates of a feature map (CSG, "Cartesian spatial grid").

    .. math:: x_j = 2j / (W - 1) - 1, \quad y_i = 2i / (H - 1) - 1

    (paper, Sec. 4.1). The corners are at -1 and 1 at any size, as in
    :func:`torch.nn.functional.grid_sample` with ``align_corners=True``, so a
    larger grid is a stretched one.

    Args:
        height: Number of rows, at least 2.
        width: Number of columns, at least 2.
        device: Device of the result.

    Returns:
        Float32 (2, H, W) in [-1, 1]; channel 0 is x, channel 1 is y.

    Raises:
        ValueError: A size is below 2.

    Example:
        >>> x, y = cartesian_grid(2, 3)
        >>> x.tolist()
        [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]
        >>> y.tolist()
        [[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]
    """
    if height < 2 or width < 2:
        raise ValueError('A Cartesian grid must have at least 2 x 2 cells, '
                         f'but got {height} x {width}.')
    x = 2 * torch.arange(width, device=device) / (width - 1) - 1
    y = 2 * torch.arange(height, device=device) / (height - 1) - 1
    return torch.stack(
        (x.expand(height, width), y[:, None].expand(height,
                                                    width)))  # [2, H, W]


def counted_positions(length: int,
                      device: Optional[torch.device] = None) -> Tensor:
    """Positions 1, 2, ... from the first cell on.

    As trained: the public code shifts positions by ``center_shift``, then
    counts them again from 1, so that the shift has no effect.

    Args:
        length: Number of cells.
        device: Device of the result.

    Returns:
        Float32 (length, ).
    """
    return torch.arange(1, length + 1, dtype=torch.float32, device=device)


def centered_positions(length: int,
                       center: float,
                       device: Optional[torch.device] = None) -> Tensor:
    """Consecutive positions with ``center`` at the middle cell.

    As written (paper, Sec. 4.2): a larger map gains cells on both sides, and
    its middle keeps its position. The middle of an even number of cells is
    the left one of two.

    Args:
        length: Number of cells.
        center: Position of the middle cell.
        device: Device of the result.

    Returns:
        Float32 (length, ).

    Example:
        >>> centered_positions(5, center=10).tolist()
        [8.0, 9.0, 10.0, 11.0, 12.0]
    """
    return counted_positions(length, device) + (center - (length + 1) // 2)


def sinusoidal_encoding(positions: Tensor,
                        embedding_dim: int,
                        div_half_dim: bool = False) -> Tensor:
    r"""Sinusoidal encoding (SPE) of positions on one axis (paper, Sec. 4.2).

    With :math:`d` = ``embedding_dim / 2`` the channels are
    :math:`\sin(p\,\omega_i)`, then :math:`\cos(p\,\omega_i)`, with
    :math:`\omega_i = 10000^{-i/(d-1)}`, or :math:`10000^{-i/d}` with
    ``div_half_dim``, for :math:`i = 0 \dots d-1`. "Attention Is All You Need"
    (NeurIPS 2017, Sec. 3.5) has the latter frequencies and interleaves sines
    and cosines; the released models were trained with the former.

    Args:
        positions: Positions in cells, of any shape (...); may be fractional.
        embedding_dim: Number of channels, even, and at least 4 (2 with
            ``div_half_dim``).
        div_half_dim: Divide the exponent by d instead of d - 1.

    Returns:
        Float32 (..., embedding_dim) in [-1, 1].

    Raises:
        ValueError: ``embedding_dim`` is odd or too small.

    Example:
        >>> sinusoidal_encoding(torch.tensor([0, 1, 2]), 4).shape
        torch.Size([3, 4])
    """
    smallest = 2 if div_half_dim else 4
    if embedding_dim % 2 or embedding_dim < smallest:
        raise ValueError('Argument `embedding_dim` must be even and at least '
                         f'{smallest} (with div_half_dim={div_half_dim}), but '
                         f'got {embedding_dim}.')
    half_dim = embedding_dim // 2
    steps = half_dim if div_half_dim else half_dim - 1
    exponents = torch.arange(
        half_dim, dtype=torch.float32, device=positions.device)
    angles = positions.float()[..., None] * torch.exp(
        exponents * -(math.log(10000) / steps))  # [..., d]
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


def sinusoidal_grid(y: Tensor,
                    x: Tensor,
                    embedding_dim: int,
                    div_half_dim: bool = False) -> Tensor:
    """Sinusoidal encoding of a grid (SPE in 2-D).

    Args:
        y: Positions of the rows, shape (H, ).
        x: Positions of the columns, shape (W, ).
        embedding_dim: Channels per axis.
        div_half_dim: As for :func:`sinusoidal_encoding`.

    Returns:
        Float32 (2 * embedding_dim, H, W): x in the first half of the
        channels, y in the second.

    Raises:
        ValueError: ``embedding_dim`` is odd or too small.
    """
    x_code = sinusoidal_encoding(x, embedding_dim, div_half_dim).t()  # [D, W]
    y_code = sinusoidal_encoding(y, embedding_dim, div_half_dim).t()  # [D, H]
    size = (embedding_dim, len(y), len(x))
    return torch.cat(
        (x_code[:, None, :].expand(size), y_code[:, :, None].expand(size)))
