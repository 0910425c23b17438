"""Patches of a map, in pieces that fit into a CPU's cache."""
from typing import Iterator, NamedTuple

import torch.nn.functional as F
from torch import Tensor

__all__ = ['Piece', 'patches', 'pieces']


class Piece(NamedTuple):
    """Some of the places of patches in a batch of maps.

    Args:
        images: Maps of the piece.
        row: First row of places.
        num_rows: Number of rows.
        num_columns: Number of places per row.
    """

    images: slice
    row: int
    num_rows: int
    num_columns: int


def pieces(num: int, num_rows: int, num_columns: int,
           most: int) -> Iterator[Piece]:
    """Divide the places of patches into pieces.

    Args:
        num: Number of maps.
        num_rows: Rows of places per map.
        num_columns: Places per row.
        most: Upper bound on the places per piece, unless a row has more.

    Yields:
        Pieces of several maps, or of some rows of one.
    """
    images_at_once = max(1, most // (num_rows * num_columns))
    rows_at_once = max(1, most // num_columns)
    for image in range(0, num, images_at_once):
        for row in range(0, num_rows, rows_at_once):
            yield Piece(
                slice(image, image + images_at_once), row,
                min(rows_at_once, num_rows - row), num_columns)


def patches(x: Tensor,
            piece: Piece,
            size: int,
            stride: int,
            padding: int = 0) -> Tensor:
    """Patches of a piece, with zeros outside of the map.

    Args:
        x: (N, C, H, W).
        piece: The piece.
        size: Height and width of a patch.
        stride: Distance between patches.
        padding: Zeros on each side of the map.

    Returns:
        (n, rows, columns, C, size, size), a view of a padded copy.
    """
    top = piece.row * stride - padding
    bottom = top + (piece.num_rows - 1) * stride + size
    right = (piece.num_columns - 1) * stride + size - padding
    first, last = max(top, 0), min(bottom, x.shape[2])
    x = F.pad(x[piece.images, :, first:last],
              (padding, right - x.shape[3], first - top, bottom - last))
    return x.permute(0, 2, 3, 1).unfold(1, size, stride).unfold(
        2, size, stride)
