"""Edits of a layout by explicit positions.

A generator with explicit positional encoding draws, at each cell, what belongs
to the position that the cell gets (paper, Sec. 4.3). Giving cells other
positions moves, scales, repeats or removes structures, while textures are
drawn anew.

Coordinates are (y, x) in pixels of the output; a field maps each place to the
place whose position it gets.
"""
import math
from dataclasses import dataclass
from typing import Optional, Tuple, Union

import numpy as np
import torch
from torch import Tensor

from .position_map import PositionMap
from .regions import Box, Change, Field, Region, look_up

__all__ = ['LayoutEdit', 'PositionMap']

Size = Tuple[int, int]
FLIPS = {'horizontal': (1, -1), 'vertical': (-1, 1), 'both': (-1, -1)}


@dataclass
class LayoutEdit:
    """An edit of a layout.

    The content of the region is flipped, scaled, rotated and shifted, in this
    order, about the centre of the region. The surroundings continue into the
    hole that it leaves.

    Args:
        region: Box (top, left, bottom, right) in pixels of the output, or a
            mask (H, W) of its size, true or above half of the range inside;
            None for the whole image.
        shift: Shift (down, right) in pixels.
        scale: Scale factor, or one for height and one for width.
        angle: Counter-clockwise rotation in degrees.
        flip: 'horizontal' (left becomes right), 'vertical' or 'both'.
        keep: Whether the region also keeps its content, which then appears
            twice.
        remove: Whether to remove the content of the region.
        feather: Width of the soft edge in pixels. By default a cell of the
            first scale, a quarter of a cell in models without padding, and 1
            for a photograph's patches.
        margin: Pixels to grow the region by. By default four cells of the
            first scale, about half of the receptive field, so that the region
            is drawn with nothing else in sight; one cell in models without
            padding, and 4 pixels for a photograph's patches.
        displacement: Dense edit instead of all of the above: (2, H, W), the
            offset (down, right) in pixels from each pixel of the output to
            the place whose position it gets.

    Raises:
        ValueError: An argument is out of its range, or arguments cannot be
            combined.
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
        height, width = np.broadcast_to(self.scale, 2).tolist()
        self.scale = height, width
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
            raise ValueError('Arguments `keep` and `remove` require `region`.')
        if self.keep and self.remove:
            raise ValueError('Arguments `keep` and `remove` cannot be '
                             'combined.')
        if not self.moves and not self.remove and self.displacement is None:
            raise ValueError('An edit requires one of `shift`, `scale`, '
                             '`angle`, `flip`, `remove` and `displacement`.')
        if self.displacement is not None and (self.moves or self.keep
                                              or self.remove):
            raise ValueError('Argument `displacement` can only be combined '
                             'with `region`, `feather` and `margin`.')
        if self.remove and self.moves:
            raise ValueError('Argument `remove` cannot be combined with '
                             '`shift`, `scale`, `angle` and `flip`.')

    @property
    def moves(self) -> bool:
        """Whether the content of the region is moved or transformed."""
        return bool(
            any(self.shift) or self.scale != (1, 1) or self.angle
            or self.flip)

    def change(self, size: Size, cell: float) -> Change:
        """Apply the edit to an image size.

        Args:
            size: (H, W) of the output in pixels.
            cell: Size of a cell of the first scale in pixels, for the default
                widths of edge and margin.

        Returns:
            The change.

        Raises:
            ValueError: The region is empty, outside of the image, of another
                size or leaves no surroundings; or the displacement has
                another size.
        """
        region = None
        if self.region is not None:
            region = Region(
                self.region,
                cell if self.feather is None else self.feather,
                4 * cell if self.margin is None else self.margin, size)
        if self.displacement is not None:
            source = self._displaced(region, size)
            return Change(source, None, draws=False, fills=False)
        fills = region is not None and not self.keep
        if region is not None and fills:
            region.check_surroundings()
        return Change(
            self._source(region, size), region, not self.remove, fills)

    def _source(self, region: Optional[Region], size: Size) -> Field:
        """Inverse transformation: where the content of a place comes from."""
        middle = region.middle if region else torch.tensor(
            [(length - 1) / 2 for length in size])
        angle = math.radians(self.angle)
        turn = torch.tensor([[math.cos(angle), math.sin(angle)],
                             [-math.sin(angle), math.cos(angle)]])
        factors = torch.tensor(self.scale) * torch.tensor(
            FLIPS.get(self.flip or '', (1, 1)))
        shift = torch.tensor(self.shift)

        def source(places: Tensor) -> Tensor:
            flat = places.flatten(1) - (middle + shift)[:, None]
            flat = (turn @ flat) / factors[:, None] + middle[:, None]
            return flat.view_as(places)

        return source

    def _displaced(self, region: Optional[Region], size: Size) -> Field:
        values = np.asarray(self.displacement, np.float32)
        if values.shape != (2, *size):
            raise ValueError('Argument `displacement` must have the shape '
                             f'{(2, *size)}, that of the output, but got '
                             f'{values.shape}.')
        if not np.isfinite(values).all():
            raise ValueError('Argument `displacement` must be finite, but '
                             'holds NaN or infinite values.')
        offsets = torch.from_numpy(values)

        def field(places: Tensor) -> Tensor:
            weights = region.weights(places) if region else 1
            return places + weights * look_up(offsets, places, 'border')

        return field
