"""Scales of multi-scale training: extra cells, image sizes, and sampling."""
from typing import Optional, Sequence, Tuple, Union

import numpy as np

from mmpe.models.stylegan2.base_generator import as_pair

__all__ = [
    'BASE_CELLS', 'WHOLE_PICTURE', 'Region', 'RegionSampler', 'ScaleSampler',
    'chosen_scale_for', 'other_scale', 'output_size'
]

Size = Tuple[int, int]
# Top, left, height and width, as fractions of the picture's sides.
Region = Tuple[float, float, float, float]
WHOLE_PICTURE: Region = (0., 0., 1., 1.)
# Cells of the first feature map per axis, without extra ones.
BASE_CELLS = 4


def output_size(chosen_scale: Union[int, Size], num_upblocks: int = 6) -> Size:
    """Size of the image for a number of extra cells.

    Args:
        chosen_scale: Extra cells, one number or (dh, dw).
        num_upblocks: Number of times the generator doubles a map; 6 for 256.

    Returns:
        Height and width, (4 + extra) * 2^num_upblocks.

    Example:
        >>> output_size(4)
        (512, 512)
        >>> output_size((0, 2))
        (256, 384)
    """
    return tuple(
        (BASE_CELLS + extra) * 2**num_upblocks
        for extra in as_pair(chosen_scale))


def chosen_scale_for(size: Sequence[int], num_upblocks: int = 6) -> Size:
    """Number of extra cells for a size of the image.

    Args:
        size: Height and width.
        num_upblocks: Number of times the generator doubles a map; 6 for 256.

    Returns:
        Extra cells (dh, dw).

    Raises:
        ValueError: The generator has no such size; names the nearest one.

    Example:
        >>> chosen_scale_for((256, 384))
        (0, 2)
    """
    step = 2**num_upblocks
    cells = tuple(max(1, round(side / step)) for side in size)
    nearest = tuple(step * number for number in cells)
    if len(cells) != 2 or nearest != tuple(size):
        raise ValueError(
            'Argument `size` must be a height and a width of (4 + extra '
            f'cells) * {step} for a {BASE_CELLS * step} generator, but got '
            f'{tuple(size)}; the nearest is {nearest[:2]}.')
    return cells[0] - BASE_CELLS, cells[1] - BASE_CELLS


class ScaleSampler:
    """Draws the scale of each iteration (paper Sec. 5.1).

    The scale depends on seed and iteration only. So all ranks agree without
    communication, and a resumed training sees the scales of an uninterrupted
    one.

    As trained, the released models used uniform probabilities: the public
    code passes the written ones as ``replace`` of ``numpy.random.choice``.

    Args:
        scales: Extra cells to choose from.
        probabilities: One per scale, with a sum of 1; uniform if None.
        seed: Seed.

    Raises:
        ValueError: There are no scales, or the probabilities do not match.
    """

    def __init__(self,
                 scales: Sequence[int],
                 probabilities: Optional[Sequence[float]] = None,
                 seed: int = 0) -> None:
        scales = list(scales or ())
        if not scales or not all(
                isinstance(scale, int) and scale > -BASE_CELLS
                for scale in scales):
            raise ValueError(
                'Argument `multi_input_scales` must be a list of numbers of '
                f'extra cells, at least {1 - BASE_CELLS}, but got {scales}.')
        self.scales = scales
        self.probabilities = _checked_probabilities(probabilities, len(scales))
        self.seed = seed

    def at(self, iteration: int) -> int:
        """Extra cells in an iteration."""
        # A uniform number through the inverse of the cumulative distribution.
        draw = np.random.default_rng((self.seed, iteration)).random()
        index = np.searchsorted(
            np.cumsum(self.probabilities), draw, side='right')
        return self.scales[min(int(index), len(self.scales) - 1)]


class RegionSampler:
    """Draws the region of the picture that an iteration shows.

    It depends on seed and iteration only, as in :class:`ScaleSampler`.

    Args:
        probability: Fraction of iterations that show less than the whole.
        smallest: Smallest side of a region, as a fraction of the picture's.
        seed: Seed.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self, probability: float, smallest: float,
                 seed: int = 0) -> None:
        if not 0 <= probability <= 1:
            raise ValueError('Argument `region_probability` must be from 0 to '
                             f'1, but got {probability}.')
        if not 0 < smallest <= 1:
            raise ValueError('Argument `smallest_region` must be above 0 and '
                             f'at most 1, but got {smallest}.')
        self.probability = probability
        self.smallest = smallest
        self.seed = seed

    def at(self, iteration: int) -> Optional[Region]:
        """Region in an iteration, (s, s) in fractions; None for the whole."""
        # A third word in the seed gives numbers other than the scale's.
        draws = np.random.default_rng((self.seed, iteration, 1)).random(4)
        if draws[0] >= self.probability:
            return None
        side = self.smallest + (1 - self.smallest) * draws[1]
        top, left = (1 - side) * draws[2:]
        return float(top), float(left), float(side), float(side)


def other_scale(scales: Sequence[int], scale: int, iteration: int) -> int:
    """Another scale, in turn; the same one if there is no other."""
    others = [other for other in scales if other != scale] or [scale]
    return others[iteration // len(others) % len(others)]


def _checked_probabilities(probabilities: Optional[Sequence[float]],
                           num_scales: int) -> np.ndarray:
    if probabilities is None:
        return np.full(num_scales, 1 / num_scales)
    values = np.asarray(probabilities, dtype=np.float64)
    if values.shape != (num_scales, ):
        raise ValueError(
            'Argument `multi_scale_probability` must have one value for each '
            f'of {num_scales} scales, but got {values.tolist()}.')
    if (values < 0).any() or abs(values.sum() - 1) > 1e-6:
        raise ValueError(
            'Argument `multi_scale_probability` must be non-negative and sum '
            f'to 1, but got {values.tolist()}.')
    return values
