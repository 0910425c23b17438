"""3x3 convolutions with a quarter of the multiplications.

Winograd's F(4x4, 3x3), Lavin and Gray, "Fast Algorithms for Convolutional
Neural Networks" (CVPR 2016), Sec. 4.3. With an input tile d [6, 6], a kernel
g [3, 3] and an output tile Y [4, 4]::

    Y = A^T [(G g G^T) * (B^T d B)] A

takes 36 products per pair of channels instead of 144. Summed over input
channels, they are 36 matrix products. Tiles are transformed and multiplied in
pieces that fit into the CPU's cache. Rounding errors are about ten times those
of a direct convolution, 1e-5 of the largest output.
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

# B^T, G and A^T of the paper.
_INPUT = torch.tensor([[4., 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0],
                       [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0],
                       [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]])
_WEIGHT = torch.tensor([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4],
                        [1, -2, 4], [0, 0, 24]]).double() / 24
_OUTPUT = torch.tensor([[1., 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0],
                        [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
# Index of element (1, 1) of the 36, whose columns in A^T are all ones.
_ONES = 6 + 1
# Tiles per piece: enough for matrix products, few enough for the cache.
_TILES = 128
# A direct convolution is faster below: with fewer channels, or with too few
# tiles to make up for transforming the weight.
_LEAST_CHANNELS = 128
_LEAST_CHANNELS_OF_WEIGHT_GRAD = 64
_LEAST_TILES = 64

_enabled = os.environ.get('MMPE_WINOGRAD', '1') != '0'


@contextlib.contextmanager
def direct_convolutions() -> Iterator[None]:
    """Disable Winograd in this context, as ``MMPE_WINOGRAD=0`` does."""
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
    """Whether this module computes a convolution faster than PyTorch.

    Args:
        x: Input (N, in, H, W).
        weight_shape: Shape of the weight.
        stride: Stride.
        weight_grad: Whether to compute the gradient of the weight.
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
    """Convolution with a 3x3 kernel and stride 1.

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
    # G g G^T; T for the 36 elements of a tile.
    weight = _transform(_WEIGHT, weight.permute(2, 3, 0, 1).flatten(2))
    weight = weight.view(36, channels, -1).transpose(1, 2)  # [T, I, O]
    out = torch.empty((len(x), channels, height, width),
                      dtype=x.dtype,
                      memory_format=torch.channels_last)
    tiles_down, tiles_across = -(-height // 4), -(-width // 4)
    for piece in pieces(len(x), tiles_down, tiles_across, _TILES):
        tiles = _input_tiles(x, piece, padding)  # [T, P, I]
        products = torch.bmm(tiles, weight)  # [T, P, O]
        if bias is not None:
            # The output's transform adds this element to all 16 outputs.
            products[_ONES] += bias
        part = _transform(_OUTPUT, products.view(6, 6, -1))  # [4, 4, P * O]
        part = part.view(4, 4, -1, piece.num_rows, tiles_across, channels)
        part = part.permute(2, 3, 0, 4, 1, 5).flatten(3, 4).flatten(
            1, 2)  # [n, 4 * rows, 4 * columns, O]
        first = 4 * piece.row
        rows = out[piece.images, :, first:first + 4 * piece.num_rows]
        rows.copy_(part[:, :rows.shape[2], :width].permute(0, 3, 1, 2))
    return out


def winograd_weight_grad(x: Tensor, grad: Tensor, padding: int = 0) -> Tensor:
    """Gradient of the weight of a 3x3 convolution of stride 1.

    The transpose of each step above: G^T [sum (A dY A^T) * (B^T d B)] G.

    Args:
        x: Input of the convolution (N, in, H, W).
        grad: Gradient of its output (N, out, H', W').
        padding: Zeros on each side of ``x``.

    Returns:
        (out, in, 3, 3).
    """
    channels = grad.shape[1]
    tiles_down, tiles_across = (-(-side // 4) for side in grad.shape[2:])
    total = x.new_zeros(36, channels, x.shape[1])  # [T, O, I]
    for piece in pieces(len(x), tiles_down, tiles_across, _TILES):
        tiles = _input_tiles(x, piece, padding)
        grads = _tile_first(patches(grad, piece, 4, 4))  # [4, 4, P * O]
        grads = _transform(_OUTPUT.t(), grads).view(
            36, -1, channels)  # [T, P, O]
        total.baddbmm_(grads.transpose(1, 2), tiles)
    total = _transform(_WEIGHT.t(), total.view(6, 6, -1))
    return total.view(3, 3, channels, -1).permute(2, 3, 0, 1)


def _input_tiles(x: Tensor, piece: Piece, padding: int) -> Tensor:
    """Transformed tiles of a piece, [T, P, I] with P for their places."""
    tiles = patches(x, piece, 6, 4, padding)
    return _transform(_INPUT, _tile_first(tiles)).view(36, -1, x.shape[1])


def _tile_first(tiles: Tensor) -> Tensor:
    """From (n, rows, columns, C, m, m) to (m, m, places * C)."""
    return tiles.permute(4, 5, 0, 1, 2, 3).flatten(2).contiguous()


def _transform(matrix: Tensor, tiles: Tensor) -> Tensor:
    """``M t M^T`` of tiles t (n, n, ...) and a matrix M (m, n)."""
    matrix = matrix.to(tiles)
    size = len(tiles)
    tiles = (matrix @ tiles.reshape(size, -1)).view(-1, size,
                                                    tiles[0, 0].numel())
    return matrix @ tiles
