"""Sizes of SinGAN's image pyramid."""
import math
from typing import List, Tuple

__all__ = [
    'doubling_sizes', 'last_stage', 'pyramid_sizes', 'rescaled_size',
    'resized_pyramid'
]

Size = Tuple[int, int]
# Smallest height and width in a pyramid of doubling sizes.
_FEWEST_PIXELS = 2


def rescaled_size(size: Size, factor: float) -> Size:
    """Size after scaling by a factor, rounded half up as mmcv does.

    Args:
        size: (H, W) in pixels.
        factor: Scale factor.

    Returns:
        (H, W) in pixels.
    """
    height, width = size
    return int(height * factor + 0.5), int(width * factor + 0.5)


def last_stage(size: Size,
               min_size: int,
               max_size: int,
               scale_factor: float = 0.5,
               doubling: bool = False) -> int:
    """Index of the finest scale, MMagic's ``num_scales``.

    Counted from 0, so a pyramid has one scale more than this number. As in
    the official SinGAN, it is the number of factors between the photograph
    and ``min_size``, plus one, minus those between the photograph and
    ``max_size``.

    Args:
        size: (H, W) of the photograph in pixels.
        min_size: Short side of the coarsest image in pixels.
        max_size: Upper bound on the long side of the finest image in pixels.
        scale_factor: Desired ratio of neighbouring sizes, in (0, 1).
        doubling: Use :func:`doubling_sizes` and ignore ``scale_factor``.

    Returns:
        The index, at least 1.

    Raises:
        ValueError: An argument is out of range, or the photograph (reduced to
            ``max_size``) is smaller than ``min_size``.
    """
    if doubling:
        return len(doubling_sizes(size, min_size, max_size)) - 1
    if not 0 < scale_factor < 1:
        raise ValueError('Argument `scale_factor` must be between 0 and 1, '
                         f'but got {scale_factor}.')
    _checked_finest_size(size, min_size, max_size)
    # Numbers of factors, rounded up: log_r(min_size / short side) and
    # log_r(max_size / long side).
    down_to_min = math.ceil(
        math.log(min_size / min(size)) / math.log(scale_factor))
    down_to_max = math.ceil(
        math.log(min(max_size / max(size), 1)) / math.log(scale_factor))
    return max(down_to_min + 1 - down_to_max, 1)


def pyramid_sizes(size: Size,
                  min_size: int,
                  max_size: int,
                  scale_factor: float = 0.5,
                  doubling: bool = False) -> List[Size]:
    """Sizes of all images of the pyramid, the coarsest first.

    Args:
        size: (H, W) of the photograph in pixels.
        min_size: Short side of the coarsest image in pixels.
        max_size: Upper bound on the long side of the finest image in pixels.
        scale_factor: Desired ratio of neighbouring sizes; adjusted so that
            the coarsest image has the short side ``min_size``.
        doubling: Use :func:`doubling_sizes` and ignore ``scale_factor``.

    Returns:
        One (H, W) per scale.

    Raises:
        ValueError: See :func:`last_stage`.

    Example:
        >>> pyramid_sizes((186, 248), min_size=25, max_size=250)[0]
        (25, 33)
    """
    if doubling:
        return doubling_sizes(size, min_size, max_size)
    num_steps = last_stage(size, min_size, max_size, scale_factor)
    # Deviation: MMagic computes the factor from the reduced photograph but
    # resizes the original, which exceeds `max_size`.
    finest = _finest_size(size, max_size)
    # r^num_steps takes the finest short side to `min_size`.
    factor = (min_size / min(finest))**(1 / num_steps)
    return [
        rescaled_size(finest, factor**step)
        for step in range(num_steps, -1, -1)
    ]


def doubling_sizes(size: Size, min_size: int, max_size: int) -> List[Size]:
    """Sizes of a pyramid in which each scale is exactly twice the previous.

    The photograph, reduced to ``max_size``, is halved until its short side is
    closest to ``min_size`` (as a ratio), at least once. The result, rounded
    to whole pixels, is the coarsest size, from which the finest one follows:
    its aspect ratio is the photograph's up to this rounding.

    Args:
        size: (H, W) of the photograph in pixels.
        min_size: Desired short side of the coarsest image in pixels; the
            actual one is about 0.5 to 1.5 times as long.
        max_size: Upper bound on the long side of the finest image in pixels,
            at least 4.

    Returns:
        One (H, W) per scale, the coarsest first, at least two.

    Raises:
        ValueError: An argument is out of range, or the photograph (reduced to
            ``max_size``) is smaller than ``min_size``.
    """
    _check_numbers(min_size=min_size, max_size=max_size)
    if max_size < 2 * _FEWEST_PIXELS:
        raise ValueError(
            f'Argument `max_size` must be at least {2 * _FEWEST_PIXELS} for '
            f'doubling sizes, but got {max_size}.')
    finest = _checked_finest_size(size, min_size, max_size)
    halvings = max(
        1,
        min(
            round(math.log2(min(finest) / min_size)),
            math.floor(math.log2(min(finest) / _FEWEST_PIXELS))))
    height, width = (
        # rounding up must not exceed the bound
        max(_FEWEST_PIXELS, min(length, max_size // 2**halvings))
        for length in rescaled_size(finest, 0.5**halvings))
    return [(height * 2**stage, width * 2**stage)
            for stage in range(halvings + 1)]


def resized_pyramid(sizes: List[Size], size: Size) -> List[Size]:
    """Sizes of all scales for an output of another size or aspect ratio.

    Each scale keeps its ratio to the finest one, separately for height and
    width.

    Args:
        sizes: Sizes in training, the coarsest first.
        size: Desired (H, W) of the finest scale in pixels.

    Returns:
        One (H, W) per scale.
    """
    ratios = [new / old for new, old in zip(size, sizes[-1])]
    resized = [(max(1, int(height * ratios[0] + 0.5)),
                max(1, int(width * ratios[1] + 0.5)))
               for height, width in sizes[:-1]]
    return [*resized, (size[0], size[1])]


def _check_numbers(**sizes: object) -> None:
    for name, size in sizes.items():
        if not isinstance(size, (int, float)):
            raise ValueError(f'Argument `{name}` must be a number of pixels, '
                             f'but got {size!r}.')


def _checked_finest_size(size: Size, min_size: int, max_size: int) -> Size:
    _check_numbers(min_size=min_size, max_size=max_size)
    if not 0 < min_size <= max_size:
        raise ValueError(
            'Arguments must satisfy 0 < `min_size` <= `max_size`, but got '
            f'min_size={min_size} and max_size={max_size}.')
    finest = _finest_size(size, max_size)
    if min(finest) < min_size:
        raise ValueError(
            f'The photograph is too small: it has {size[0]} x {size[1]} '
            f'pixels (height x width), {finest[0]} x {finest[1]} within '
            f'max_size={max_size}, but the short side must have at least '
            f'min_size={min_size} pixels. Use a larger photograph, or change '
            '`min_size` or `max_size`.')
    return finest


def _finest_size(size: Size, max_size: int) -> Size:
    return rescaled_size(size, min(max_size / max(size), 1))
