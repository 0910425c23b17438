"""Positions of the cells of a map, with edits."""
from typing import TYPE_CHECKING, Optional, Sequence, Tuple

import torch
from torch import Tensor

from mmpe.functional.grids import axis_positions, context_positions

if TYPE_CHECKING:
    from .layout import LayoutEdit

__all__ = ['PositionMap']

Size = Tuple[int, int]


class PositionMap:
    """Positions of the cells of a scale.

    Args:
        size: (H, W) of the output in pixels.
        cells: (H, W) of the map.
        trained_cells: (H, W) of the map in training.
        growth: How the grid changes if these two differ: 'stretch', 'extend',
            'centre' or 'tile', see
            :func:`mmpe.functional.grids.axis_positions`.
        edits: Edits of the layout, applied in order.
        cell: Pixels that the default widths of edges and margins of edits are
            multiples of; by default the size of a cell.
        border: Number of context cells around the grid. With a border, cells
            are squares of the image instead of points of a lattice that ends
            at its corners. ``cells`` includes the border, ``trained_cells``
            does not.

    Raises:
        ValueError: ``growth`` is unknown, or an edit does not fit the size.
    """

    def __init__(self,
                 size: Size,
                 cells: Size,
                 trained_cells: Size,
                 growth: str,
                 edits: Sequence['LayoutEdit'] = (),
                 cell: Optional[float] = None,
                 border: int = 0) -> None:
        axis_positions(torch.zeros(1), 1, 1, growth)
        self.cells = cells
        self._grid = tuple(count - 2 * border for count in cells)
        self._trained_cells = trained_cells
        self._growth = growth
        self._border = border
        self._pixels_per_cell = torch.tensor([
            pixels / count if border else (pixels - 1) / max(count - 1, 1)
            for pixels, count in zip(size, self._grid)
        ])[:, None, None]
        # Pixel at the centre of the grid's first cell.
        self._first = (self._pixels_per_cell - 1) / 2 if border else 0
        if cell is None:
            cell = float(self._pixels_per_cell.mean())
            # Square cells are independent of their neighbours.
            cell = cell / 4 if border else cell
        self._changes = [edit.change(size, cell) for edit in edits]

    def __call__(self, rows: range, columns: range) -> Tensor:
        """Positions of a window of the map.

        Args:
            rows, columns: The window, within ``cells``.

        Returns:
            Float32 (2, rows, columns): y and x in cells of the training grid,
            counted from 0.
        """
        places = self._places(rows, columns)
        if self._changes:
            places = self._pixels(places)
            # Fields map outputs to inputs, so the last edit comes first.
            for change in reversed(self._changes):
                places = change.field(places)
            places = (places - self._first) / self._pixels_per_cell
        positions = context_positions if self._border else axis_positions
        return torch.stack([
            positions(*values, self._growth)
            for values in zip(places, self._grid, self._trained_cells)
        ])

    def _pixels(self, places: Tensor) -> Tensor:
        return places * self._pixels_per_cell + self._first

    def marks(self) -> Tuple[Tensor, Tensor]:
        """Effect of the edits on each cell.

        Returns:
            Weight of moved parts, and weight by which nothing is left, each
            (1, H, W) in [0, 1].
        """
        places = self._pixels(
            self._places(*(range(length) for length in self.cells)))
        moved = missing = torch.zeros_like(places[:1])
        for change in reversed(self._changes):
            moved = moved.maximum(change.moved(places))
            missing = missing.maximum(change.missing(places))
            places = change.field(places)
        return moved, missing

    def gone(self) -> Tensor:
        """Weight by which edits take the old content of each cell away.

        Returns:
            (1, H, W) in [0, 1].
        """
        places = self._pixels(
            self._places(*(range(length) for length in self.cells)))
        gone = torch.zeros_like(places[:1])
        for change in self._changes:
            gone = gone.maximum(change.gone(places))
        return gone

    def _places(self, rows: range, columns: range) -> Tensor:
        return torch.stack(
            torch.meshgrid(
                *[
                    torch.tensor(cells).float() - self._border
                    for cells in (rows, columns)
                ],
                indexing='ij'))

    def whole(self) -> Tensor:
        """Positions of all cells."""
        return self(*(range(length) for length in self.cells))
