"""Moving a part of a layout, for training on edited layouts."""
from typing import NamedTuple, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['CellMove']

Number = Union[int, Tensor]


class CellMove(NamedTuple):
    """A box of the first scale's cells, and the place it is copied to.

    Numbers are ints or 0-dimensional tensors on the device of the maps, where
    they can be drawn without host synchronisation.

    Attributes:
        size: (height, width) of the box.
        old: (top, left) of the box.
        new: (top, left) of its copy.
    """

    size: Tuple[Number, Number]
    old: Tuple[Number, Number]
    new: Tuple[Number, Number]

    @classmethod
    def random(cls,
               grid: Tuple[int, int],
               device: Optional[torch.device] = None) -> 'CellMove':
        """Draw a box of a fifth to a half of each side, and its new place.

        Args:
            grid: (H, W) of the first scale.
            device: Device of the maps.

        Returns:
            The move.
        """
        draws = iter(torch.rand(6, device=device).unbind())

        def integer(low: int, high: Number) -> Tensor:
            return low + (next(draws) * (high - low + 1)).long()

        height, width = (
            integer(max(length // 5, 1), max(length // 2, 1))
            for length in grid)

        def place() -> Tuple[Tensor, Tensor]:
            return integer(0, grid[0] - height), integer(0, grid[1] - width)

        # The same place twice is possible, and then nothing moves.
        return cls((height, width), place(), place())

    def _axis(self, x: Tensor, axis: int, border: int,
              scale: int) -> Tuple[Tensor, Tensor]:
        """Mask of the new box along an axis of a map, and source indices."""
        places = torch.arange(x.shape[2 + axis], device=x.device)
        start = border + scale * self.new[axis]
        inside = (places >= start) & (
            places < start + scale * self.size[axis])
        moved = places + scale * (self.old[axis] - self.new[axis])
        return inside, torch.where(inside, moved, places)

    def _inside(self, x: Tensor, border: int, scale: int) -> Tensor:
        """Mask (H, W) of the new box."""
        rows, cols = (
            self._axis(x, axis, border, scale)[0] for axis in (0, 1))
        return rows[:, None] & cols

    def __call__(self, x: Tensor, border: int = 0, scale: int = 1) -> Tensor:
        """Copy the box in a map.

        Args:
            x: (N, C, H, W).
            border: Pixels of the map beyond the grid, on each side.
            scale: Pixels of the map per cell.

        Returns:
            A new map (N, C, H, W).
        """
        (_, rows), (_, cols) = (
            self._axis(x, axis, border, scale) for axis in (0, 1))
        moved = x.index_select(2, rows).index_select(3, cols)
        return torch.where(self._inside(x, border, scale), moved, x)

    def beside_seam(self, x: Tensor, scale: int, width: int) -> Tensor:
        """Mask that is 0 at the seam and 1 elsewhere.

        Args:
            x: (N, C, H, W).
            scale: Pixels of the map per cell.
            width: Width of the seam on both sides of the box's edge, in
                pixels.

        Returns:
            (1, 1, H, W).
        """
        inside = self._inside(x, 0, scale).to(x)[None, None]

        def near(part: Tensor) -> Tensor:
            return F.max_pool2d(part, 2 * width + 1, 1, width)

        # The seam is close to both the inside and the outside.
        return 1 - near(inside) * near(1 - inside)
