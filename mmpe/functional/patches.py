"""Patches of a map, taken in pieces that stay in a processor's cache."""
from typing import Iterator, NamedTuple

import torch.nn.functional as F
from torch import Tensor

__all__ = ['Piece', 'patches', 'pieces']


class Piece(NamedTuple):
    """A part of the places at which a batch of maps has patches.

    Args:
        images: Which maps.
        row: The first row of places.
        num_rows: Number of rows.
        num_columns: Number of places in a row.
    """

    images: slice
    row: int
    num_rows: int
    num_columns: int


def pieces(num: int, num_rows: int, num_columns: int,
           most: int) -> Iterator[Piece]:
    """Divide the places of patches.

    Args:
        num: Number of maps.
        num_rows: Rows of places.
        num_columns: Places in a row.
        most: Places in a piece, unless a single row has more.

    Yields:
        Several maps, or some rows of one.
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
    """The patches of a piece, with zeros where they leave the map.

    Args:
        x: (N, C, H, W).
        piece: The piece.
        size: Height and width of a patch.
        stride: Distance of patches.
        padding: By how much the first ones leave the map.

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
