"""Parts of an image, and how an edit changes them."""
from typing import Callable, Optional, Tuple, Union

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .inputs import is_inside

__all__ = ['Box', 'Change', 'Field', 'Region', 'look_up']

Size = Tuple[int, int]
Box = Tuple[int, int, int, int]
Field = Callable[[Tensor], Tensor]


class Change:
    """An edit at an image size: functions of places (2, h, w) in pixels.

    Args:
        source: Maps a place to where its content comes from; applies
            everywhere without a region.
        region: The part that is edited.
        draws: Whether the content of the region is drawn.
        fills: Whether the surroundings continue into the region.
    """

    def __init__(self, source: Field, region: Optional['Region'],
                 draws: bool, fills: bool) -> None:
        self._source = source
        self._region = region
        self._draws = draws
        self._fills = fills

    def field(self, places: Tensor) -> Tensor:
        """The places whose positions these places get, (2, h, w)."""
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
        """Weight of the moved content at places, (1, h, w) in [0, 1]."""
        if self._region is None or not self._draws:
            return torch.zeros_like(places[:1])
        return self._region.weights(self._source(places))

    def gone(self, places: Tensor) -> Tensor:
        """Weight by which the old content is gone, (1, h, w) in [0, 1]."""
        if self._region is None or not self._fills:
            return torch.zeros_like(places[:1])
        return self._region.weights(places)

    def missing(self, places: Tensor) -> Tensor:
        """Weight by which nothing is left, (1, h, w) in [0, 1]."""
        return self.gone(places) * (1 - self.moved(places))


class Region:
    """A part of an image with a soft edge.

    Args:
        region: Box or mask, as in :class:`.LayoutEdit`.
        feather: Width of the soft edge in pixels.
        margin: Pixels to grow the region by.
        size: (H, W) of the image.

    Raises:
        ValueError: The region is empty, outside of the image or of another
            size.
    """

    def __init__(self, region: Union[Box, np.ndarray], feather: float,
                 margin: float, size: Size) -> None:
        mask = region if isinstance(region, np.ndarray) and \
            region.ndim == 2 else _box_mask(region, size)
        if mask.shape != tuple(size):
            raise ValueError('A mask must have the size of the output, '
                             f'{size[0]} x {size[1]} (height x width), but '
                             f'got {mask.shape[0]} x {mask.shape[1]}.')
        soft: np.ndarray = is_inside(mask).astype(np.float32)
        first, last = _bounds(soft)
        self.middle = (first + last) / 2
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
        """Weight by which places are inside, (1, h, w) in [0, 1]."""
        return look_up(self._soft, places, 'zeros')

    def check_surroundings(self) -> None:
        """Check that the region does not span the whole image."""
        if not any(self._room(axis) for axis in (0, 1)):
            raise ValueError('The region spans the whole image, so nothing '
                             'can continue into it: use `keep`, or no region.')

    def _room(self, axis: int) -> bool:
        return bool(self.first[axis] > 0
                    or self.last[axis] < self.size[axis] - 1)

    def beside(self, places: Tensor) -> Tensor:
        """Places mirrored out of the region, from its left and right half.

        What is beside an object resembles what is behind it more than what is
        above or below. If the region is as wide as the image, places are
        mirrored up and down.
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
    """First and last (y, x) of the bounding box of a mask."""
    inside = torch.from_numpy(np.argwhere(mask)).float()
    return inside.amin(0), inside.amax(0)


def _mix(first: Tensor, second: Tensor, weights: Tensor) -> Tensor:
    return first + weights * (second - first)


def look_up(values: Tensor, places: Tensor, padding_mode: str) -> Tensor:
    """Interpolate values (C, H, W) at places (2, h, w): (C, h, w)."""
    last = torch.tensor(values.shape[1:])[:, None, None] - 1
    grid = (2 * places / last.clamp(min=1) - 1).flip(0).permute(1, 2, 0)
    return F.grid_sample(
        values[None],
        grid[None],
        padding_mode=padding_mode,
        align_corners=True)[0]


def _box_mask(box: Union[Box, np.ndarray], size: Size) -> np.ndarray:
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
