"""Layouts that explicit positions allow to change.

A generator with explicit positional encoding draws, at every place, what
belongs to the position that it is told there (paper, Sec. 4.3). Telling it
other positions than those of the place moves, enlarges, repeats or removes
structures, while textures are drawn anew.

Coordinates are (y, x) in pixels of the output; a field says for each place
whose position is told there.
"""
import math
from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple, Union

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.grids import axis_positions, context_positions
from .inputs import is_inside

__all__ = ['LayoutEdit', 'PositionMap']

Size = Tuple[int, int]
Box = Tuple[int, int, int, int]
Field = Callable[[Tensor], Tensor]
FLIPS = {'horizontal': (1, -1), 'vertical': (-1, 1), 'both': (-1, -1)}


@dataclass
class LayoutEdit:
    """One change of a layout.

    What is in the region is flipped, enlarged, turned and shifted, in this
    order, about the middle of the region. Where it was, the surroundings
    continue.

    Args:
        region: Box (top, left, bottom, right) in pixels of the output, or a
            mask (H, W) of its size, true or above half of the range inside;
            None for everything.
        shift: Shift (down, right) in pixels.
        scale: Factor of enlargement, or one for height and one for width.
        angle: Turn in degrees, counter-clockwise.
        flip: 'horizontal' (left becomes right), 'vertical' or 'both'.
        keep: Whether the region stays as it is, so that its content is
            repeated.
        remove: Whether the content of the region is removed and drawn
            nowhere.
        feather: Width of the soft edge in pixels; by default a cell of the
            first scale, a quarter of one where nothing is padded, or 1 where
            a photograph's patches are the model.
        margin: By how many pixels the region is enlarged; by default four
            cells of the first scale, about half of what its convolutions see
            at a time: what is in the region is then drawn with nothing else
            in sight. One cell where nothing is padded, and 4 pixels where a
            photograph's patches are the model.
        displacement: Dense change instead of those above: (2, H, W), for each
            pixel of the output how far (down, right) of it the position is
            that it is told.

    Raises:
        ValueError: An argument is out of its range, or they do not go
            together.
    """
    region: Union[Box, np.ndarray, None] = None
    shift: Tuple[float, float] = (0, 0)
    scale: Union[float, Tuple[float, float]] = 1
    angle: float = 0
    flip: Optional[str] = None
    keep: bool = False
    remove: bool = False
    feather: Optional[float] = None
    margin: Optional[float] = None
    displacement: Optional[np.ndarray] = None

    def __post_init__(self) -> None:
        if np.ndim(self.scale) == 0:
            self.scale = (self.scale, self.scale)
        if min(self.scale) <= 0:
            raise ValueError('Argument `scale` must be above 0, but got '
                             f'{self.scale}.')
        if self.flip not in (None, *FLIPS):
            raise ValueError(f'Argument `flip` must be one of {list(FLIPS)}, '
                             f'but got {self.flip!r}.')
        for name in ('shift', 'scale', 'angle', 'feather', 'margin'):
            value = getattr(self, name)
            if value is not None and not np.isfinite(value).all():
                raise ValueError(f'Argument `{name}` must be finite, but got '
                                 f'{value}.')
        for name in ('feather', 'margin'):
            width = getattr(self, name)
            if width is not None and width < 0:
                raise ValueError(f'Argument `{name}` must be at least 0, but '
                                 f'got {width}.')
        if self.region is None and (self.keep or self.remove):
            raise ValueError('Arguments `keep` and `remove` need a `region`.')
        if self.keep and self.remove:
            raise ValueError('A region is either kept or removed: set one of '
                             '`keep` and `remove`.')
        if not self.moves and not self.remove and self.displacement is None:
            raise ValueError('A change of the layout needs one of `shift`, '
                             '`scale`, `angle`, `flip`, `remove` and '
                             '`displacement`.')
        if self.displacement is not None and (self.moves or self.keep
                                              or self.remove):
            raise ValueError('Argument `displacement` stands for itself: '
                             'only `region`, `feather` and `margin` go '
                             'with it.')
        if self.remove and self.moves:
            raise ValueError('What is removed cannot be drawn elsewhere: '
                             '`remove` goes without `shift`, `scale`, '
                             '`angle` and `flip`.')

    @property
    def moves(self) -> bool:
        """Whether the content of the region appears anywhere else."""
        return bool(
            any(self.shift) or tuple(self.scale) != (1, 1) or self.angle
            or self.flip)

    def change(self, size: Size, cell: float) -> 'Change':
        """This edit in an image of a size.

        Args:
            size: (H, W) of the output in pixels.
            cell: Pixels from cell to cell of the first scale, for the default
                widths of edge and margin.

        Returns:
            The change.

        Raises:
            ValueError: The region is empty, outside the image, of another
                size or has nothing beside it; or the displacement is of
                another size.
        """
        region = None
        if self.region is not None:
            region = _Region(
                self.region,
                cell if self.feather is None else self.feather,
                4 * cell if self.margin is None else self.margin, size)
        if self.displacement is not None:
            source = self._displaced(region, size)
            return Change(source, None, draws=False, fills=False)
        fills = region is not None and not self.keep
        if fills:
            region.check_surroundings()
        return Change(
            self._source(region, size), region, not self.remove, fills)

    def _source(self, region: Optional['_Region'], size: Size) -> Field:
        """Where what is drawn at a place comes from: the inverse movement."""
        middle = region.middle if region else torch.tensor(
            [(length - 1) / 2 for length in size])
        angle = math.radians(self.angle)
        turn = torch.tensor([[math.cos(angle), math.sin(angle)],
                             [-math.sin(angle), math.cos(angle)]])
        factors = torch.tensor(self.scale) * torch.tensor(
            FLIPS.get(self.flip, (1, 1)))
        shift = torch.tensor(self.shift)

        def source(places: Tensor) -> Tensor:
            flat = places.flatten(1) - (middle + shift)[:, None]
            flat = (turn @ flat) / factors[:, None] + middle[:, None]
            return flat.view_as(places)

        return source

    def _displaced(self, region: Optional['_Region'], size: Size) -> Field:
        values = np.asarray(self.displacement, np.float32)
        if values.shape != (2, *size):
            raise ValueError('Argument `displacement` must have the shape '
                             f'{(2, *size)}, that of the output, but got '
                             f'{values.shape}.')
        if not np.isfinite(values).all():
            raise ValueError('Argument `displacement` must be finite, but '
                             'holds NaN or infinite values.')
        values = torch.from_numpy(values)

        def field(places: Tensor) -> Tensor:
            weights = region.weights(places) if region else 1
            return places + weights * _look_up(values, places, 'border')

        return field


class Change:
    """An edit in an image of a size: functions of places (2, h, w) in pixels.

    Args:
        source: Where the moved content of a place comes from; without a
            region it holds everywhere.
        region: The part that is changed.
        draws: Whether the content of the region appears anywhere.
        fills: Whether the surroundings continue where it was.
    """

    def __init__(self, source: Field, region: Optional['_Region'],
                 draws: bool, fills: bool) -> None:
        self._source = source
        self._region = region
        self._draws = draws
        self._fills = fills

    def field(self, places: Tensor) -> Tensor:
        """The places whose positions are told there, (2, h, w)."""
        if self._region is None:
            return self._source(places)
        origin = places
        if self._fills:
            origin = _mix(places, self._region.beside(places),
                          self._region.weights(places))
        if not self._draws:
            return origin
        content = self._source(places)
        return _mix(origin, content, self._region.weights(content))

    def moved(self, places: Tensor) -> Tensor:
        """How far the region's content appears there, (1, h, w) in [0, 1]."""
        if self._region is None or not self._draws:
            return torch.zeros_like(places[:1])
        return self._region.weights(self._source(places))

    def gone(self, places: Tensor) -> Tensor:
        """How far what was there has gone, (1, h, w) in [0, 1]."""
        if not self._fills:
            return torch.zeros_like(places[:1])
        return self._region.weights(places)

    def missing(self, places: Tensor) -> Tensor:
        """How far nothing is left there, (1, h, w) in [0, 1]."""
        return self.gone(places) * (1 - self.moved(places))


class _Region:
    """A part of an image with a soft edge."""

    def __init__(self, region: Union[Box, np.ndarray], feather: float,
                 margin: float, size: Size) -> None:
        mask = region if isinstance(region, np.ndarray) and \
            region.ndim == 2 else _box_mask(region, size)
        if mask.shape != tuple(size):
            raise ValueError('A mask must have the size of the output, '
                             f'{size[0]} x {size[1]} (height x width), but '
                             f'got {mask.shape[0]} x {mask.shape[1]}.')
        soft = is_inside(mask).astype(np.float32)
        self.middle = sum(_bounds(soft)) / 2
        if margin > 0:
            soft = cv2.dilate(
                soft,
                cv2.getStructuringElement(cv2.MORPH_ELLIPSE,
                                          (2 * round(margin) + 1, ) * 2))
        self.first, self.last = _bounds(soft)
        self.size = size
        if feather > 0:
            soft = cv2.GaussianBlur(
                soft, (0, 0), feather / 2, borderType=cv2.BORDER_REPLICATE)
        self._soft = torch.from_numpy(soft)[None]

    def weights(self, places: Tensor) -> Tensor:
        """How far places belong to the region, (1, h, w) in [0, 1]."""
        return _look_up(self._soft, places, 'zeros')

    def check_surroundings(self) -> None:
        """See that something stands beside the region."""
        if not any(self._room(axis) for axis in (0, 1)):
            raise ValueError('The region must leave something beside it, '
                             'which continues where it was, but it spans the '
                             'whole image: use `keep`, or no region.')

    def _room(self, axis: int) -> bool:
        return self.first[axis] > 0 or self.last[axis] < self.size[axis] - 1

    def beside(self, places: Tensor) -> Tensor:
        """Places mirrored to outside, from the left and the right half.

        Where the region is as wide as the image: from above and below. What
        is beside something is more like what is behind it than what is above
        or below.
        """
        axis = 1 if self._room(1) else 0
        first, last = self.first[axis], self.last[axis]
        along = places[axis]
        before, after = 2 * first - 1 - along, 2 * last + 1 - along
        is_before = (along - first < last - along) & (before >= 0)
        is_before |= after > self.size[axis] - 1
        is_before &= first > 0
        result = places.clone()
        result[axis] = torch.where(is_before, before, after).clamp(
            0, self.size[axis] - 1)
        return result


def _bounds(mask: np.ndarray) -> Tuple[Tensor, Tensor]:
    """First and last (y, x) of a bounding box."""
    inside = torch.from_numpy(np.argwhere(mask)).float()
    return inside.amin(0), inside.amax(0)


class PositionMap:
    """Positions that the cells of the first scale are told.

    Args:
        size: (H, W) of the output in pixels.
        cells: (H, W) of the first scale's map.
        trained_cells: That of the training.
        growth: What becomes of the grid where these two differ: 'stretch',
            'extend', 'centre' or 'tile'; see
            :func:`mmpe.functional.grids.axis_positions`.
        edits: Changes of the layout, one after the other.
        cell: Pixels that default widths of edges and margins of edits are
            multiples of; by default those from cell to cell.
        border: Cells of the map on each side that are beside the grid, whose
            cells then are squares of the image, not points of a lattice that
            ends at its corners. ``cells`` counts them, ``trained_cells`` does
            not.

    Raises:
        ValueError: ``growth`` is none of these, or an edit does not fit.
    """

    def __init__(self,
                 size: Size,
                 cells: Size,
                 trained_cells: Size,
                 growth: str,
                 edits: Sequence[LayoutEdit] = (),
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
        # Pixel at the middle of the grid's first cell.
        self._first = (self._pixels_per_cell - 1) / 2 if border else 0
        if cell is None:
            cell = float(self._pixels_per_cell.mean())
            # Where cells are squares, a place is seen by itself.
            cell = cell / 4 if border else cell
        self._changes = [edit.change(size, cell) for edit in edits]

    def __call__(self, rows: range, columns: range) -> Tensor:
        """Positions of a window of the map.

        Args:
            rows, columns: The window, within ``cells``.

        Returns:
            Float32 (2, rows, columns), y and x in cells of the grid in
            training, counted from 0.
        """
        places = self._places(rows, columns)
        if self._changes:
            places = self._pixels(places)
            # The last change is the one that is seen last.
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
        """What the edits do to each cell of the whole map.

        Returns:
            How far a moved part is there, and how far nothing is left there:
            each (1, H, W) in [0, 1].
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
        """How far edits take away what was in each cell of the whole map.

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
        """Positions of the whole map."""
        return self(*(range(length) for length in self.cells))


def _mix(first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
    return first + weights * (second - first)


def _look_up(values: Tensor, places: Tensor, padding_mode: str) -> Tensor:
    """Values (C, H, W) between the pixels, at (2, h, w): (C, h, w)."""
    last = torch.tensor(values.shape[1:])[:, None, None] - 1
    grid = (2 * places / last.clamp(min=1) - 1).flip(0).permute(1, 2, 0)
    return F.grid_sample(
        values[None],
        grid[None],
        padding_mode=padding_mode,
        align_corners=True)[0]


def _box_mask(box: Box, size: Size) -> np.ndarray:
    numbers = np.asarray(box)
    if numbers.shape != (4, ):
        raise ValueError('A region must be a box (top, left, bottom, right) '
                         f'or a mask (H, W), but got the shape '
                         f'{numbers.shape}.')
    top, left, bottom, right = (int(x) for x in numbers)
    if not (0 <= top < bottom <= size[0] and 0 <= left < right <= size[1]):
        raise ValueError(
            'A box must satisfy 0 <= top < bottom <= height and 0 <= left < '
            f'right <= width of the output ({size[0]} x {size[1]}), but got '
            f'{(top, left, bottom, right)}.')
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask
