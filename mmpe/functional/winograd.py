"""3x3 convolutions with a quarter of the multiplications.

Winograd's F(4x4, 3x3): 4 x 4 outputs are made from a tile of 6 x 6 inputs by
36 products for each pair of channels instead of 144. Tiles are transformed
and multiplied in pieces that stay in the processor's cache. Rounding errors
are about ten times those of a direct convolution, 1e-5 of the largest output.

Fast Algorithms for Convolutional Neural Networks (CVPR 2016), Sec. 4.3.
"""
import contextlib
import os
from typing import Iterator, Optional, Sequence

import torch
from torch import Tensor

from mmpe.utils.compiling import is_traced
from .patches import Piece, patches, pieces

__all__ = [
    'direct_convolutions', 'winograd_conv2d', 'winograd_is_faster',
    'winograd_weight_grad'
]

_INPUT = torch.tensor([[4., 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0],
                       [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0],
                       [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]])
_WEIGHT = torch.tensor([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4],
                        [1, -2, 4], [0, 0, 24]]).double() / 24
_OUTPUT = torch.tensor([[1., 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0],
                        [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
_ONES = 6 + 1
# Tiles in a piece: enough for matrix products, few enough for the cache.
_TILES = 128
# Where a direct convolution is faster: fewer channels, or too few tiles to
# make up for the transformed weight.
_LEAST_CHANNELS = 128
_LEAST_CHANNELS_OF_WEIGHT_GRAD = 64
_LEAST_TILES = 64

_enabled = os.environ.get('MMPE_WINOGRAD', '1') != '0'


@contextlib.contextmanager
def direct_convolutions() -> Iterator[None]:
    """Compute directly within this context, as ``MMPE_WINOGRAD=0`` does."""
    global _enabled
    before, _enabled = _enabled, False
    try:
        yield
    finally:
        _enabled = before


def winograd_is_faster(x: Tensor,
                       weight_shape: Sequence[int],
                       stride: int,
                       weight_grad: bool = False) -> bool:
    """Whether a convolution should be computed by this module.

    Args:
        x: Its input (N, in, H, W).
        weight_shape: Shape of its weight.
        stride: Its stride.
        weight_grad: Whether the gradient of its weight is asked for.
    """
    channels = _LEAST_CHANNELS_OF_WEIGHT_GRAD if weight_grad \
        else _LEAST_CHANNELS
    return (
        _enabled and not is_traced(x) and x.device.type == 'cpu'
        and x.dtype in (torch.float32, torch.float64)
        and stride == 1 and tuple(weight_shape[2:]) == (3, 3)
        and min(weight_shape[:2]) >= channels
        and len(x) * (x.shape[2] // 4) * (x.shape[3] // 4) >= _LEAST_TILES)


def winograd_conv2d(x: Tensor,
                    weight: Tensor,
                    bias: Optional[Tensor] = None,
                    padding: int = 0) -> Tensor:
    """Convolution.

    Args:
        x: (N, in, H, W).
        weight: (out, in, 3, 3).
        bias: (out, ), or None.
        padding: Zeros on each side.

    Returns:
        (N, out, H + 2 padding - 2, W + 2 padding - 2), channels last.
    """
    channels = len(weight)
    height, width = (side + 2 * padding - 2 for side in x.shape[2:])
    weight = _transform(_WEIGHT, weight.permute(2, 3, 0, 1).flatten(2))
    weight = weight.view(36, channels, -1).transpose(1, 2)  # [TIO]
    out = torch.empty((len(x), channels, height, width),
                      dtype=x.dtype,
                      memory_format=torch.channels_last)
    tiles_down, tiles_across = -(-height // 4), -(-width // 4)
    for piece in pieces(len(x), tiles_down, tiles_across, _TILES):
        tiles = _input_tiles(x, piece, padding)
        products = torch.bmm(tiles, weight)
        if bias is not None:
            # This column of the output's transform is one everywhere.
            products[_ONES] += bias
        part = _transform(_OUTPUT, products.view(6, 6, -1))
        part = part.view(4, 4, -1, piece.num_rows, tiles_across, channels)
        part = part.permute(2, 3, 0, 4, 1, 5).flatten(3, 4).flatten(1, 2)
        first = 4 * piece.row
        rows = out[piece.images, :, first:first + 4 * piece.num_rows]
        rows.copy_(part[:, :rows.shape[2], :width].permute(0, 3, 1, 2))
    return out


def winograd_weight_grad(x: Tensor, grad: Tensor, padding: int = 0) -> Tensor:
    """Gradient of a convolution's weight.

    Args:
        x: Input of the convolution (N, in, H, W).
        grad: Gradient of its output (N, out, H', W').
        padding: Zeros on each side of ``x``.

    Returns:
        (out, in, 3, 3).
    """
    channels = grad.shape[1]
    tiles_down, tiles_across = (-(-side // 4) for side in grad.shape[2:])
    total = x.new_zeros(36, channels, x.shape[1])  # [TOI]
    for piece in pieces(len(x), tiles_down, tiles_across, _TILES):
        tiles = _input_tiles(x, piece, padding)
        grads = _tile_first(patches(grad, piece, 4, 4))
        grads = _transform(_OUTPUT.t(), grads).view(36, -1, channels)
        total.baddbmm_(grads.transpose(1, 2), tiles)
    total = _transform(_WEIGHT.t(), total.view(6, 6, -1))
    return total.view(3, 3, channels, -1).permute(2, 3, 0, 1)


def _input_tiles(x: Tensor, piece: Piece, padding: int) -> Tensor:
    """Transformed tiles of a piece, [TPI] with P for places of the tiles."""
    tiles = patches(x, piece, 6, 4, padding)
    return _transform(_INPUT, _tile_first(tiles)).view(36, -1, x.shape[1])


def _tile_first(tiles: Tensor) -> Tensor:
    """From (n, rows, columns, C, m, m) to (m, m, places * C)."""
    return tiles.permute(4, 5, 0, 1, 2, 3).flatten(2).contiguous()


def _transform(matrix: Tensor, tiles: Tensor) -> Tensor:
    """Multiply columns and rows of tiles (n, n, ...) by a matrix (m, n)."""
    matrix = matrix.to(tiles)
    size = len(tiles)
    tiles = (matrix @ tiles.reshape(size, -1)).view(-1, size,
                                                    tiles[0, 0].numel())
    return matrix @ tiles
