"""Sizes of the image pyramid that SinGAN is trained on."""
import math
from typing import List, Tuple

__all__ = ['last_stage', 'pyramid_sizes', 'rescaled_size', 'resized_pyramid']

Size = Tuple[int, int]


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


def last_stage(size: Size, min_size: int, max_size: int,
               scale_factor: float) -> int:
    """Index of the finest stage, which is MMagic's ``num_scales``.

    The first stage has index 0, so a pyramid has one stage more than this
    number says. As in the official SinGAN, it is the number of factors
    between the photograph and ``min_size``, plus one, less those between the
    photograph and ``max_size``.

    Args:
        size: (H, W) of the photograph in pixels.
        min_size: Short side of the coarsest image in pixels.
        max_size: Upper bound of the long side of the finest image in pixels.
        scale_factor: Desired ratio of neighbouring sizes, in (0, 1).

    Returns:
        The index, at least 1.

    Raises:
        ValueError: An argument is out of range, or the photograph (once it
            is reduced to ``max_size``) is smaller than ``min_size``.
    """
    if not 0 < scale_factor < 1:
        raise ValueError('Argument `scale_factor` must be between 0 and 1, '
                         f'but got {scale_factor}.')
    if not 0 < min_size <= max_size:
        raise ValueError(
            'Arguments must satisfy 0 < `min_size` <= `max_size`, but got '
            f'min_size={min_size} and max_size={max_size}.')
    reduced = _finest_size(size, max_size)
    if min(reduced) < min_size:
        raise ValueError(
            f'The photograph is too small: it has {size[0]} x {size[1]} '
            f'pixels (height x width), {reduced[0]} x {reduced[1]} within '
            f'max_size={max_size}, but the short side must have at least '
            f'min_size={min_size} pixels. Use a larger photograph, or change '
            '`min_size` or `max_size`.')
    down_to_min = math.ceil(
        math.log(min_size / min(size)) / math.log(scale_factor))
    down_to_max = math.ceil(
        math.log(min(max_size / max(size), 1)) / math.log(scale_factor))
    return max(down_to_min + 1 - down_to_max, 1)


def pyramid_sizes(size: Size, min_size: int, max_size: int,
                  scale_factor: float) -> List[Size]:
    """Sizes of all images of the pyramid, the coarsest first.

    Args:
        size: (H, W) of the photograph in pixels.
        min_size: Short side of the coarsest image in pixels.
        max_size: Upper bound of the long side of the finest image in pixels.
        scale_factor: Desired ratio of neighbouring sizes; the actual one is
            such that the coarsest image has the short side ``min_size``.

    Returns:
        One (H, W) for each stage.

    Raises:
        ValueError: See :func:`last_stage`.
    """
    num_steps = last_stage(size, min_size, max_size, scale_factor)
    finest = _finest_size(size, max_size)
    factor = (min_size / min(finest))**(1 / num_steps)
    return [
        rescaled_size(finest, factor**step)
        for step in range(num_steps, -1, -1)
    ]


def resized_pyramid(sizes: List[Size], size: Size) -> List[Size]:
    """Sizes for an output that is larger, smaller or of another shape.

    Every stage keeps its ratio to the finest one, height and width apart.

    Args:
        sizes: Sizes that a model was trained at, the coarsest first.
        size: Desired (H, W) of the finest stage in pixels.

    Returns:
        One (H, W) for each stage.
    """
    ratios = [new / old for new, old in zip(size, sizes[-1])]
    resized = [(max(1, int(height * ratios[0] + 0.5)),
                max(1, int(width * ratios[1] + 0.5)))
               for height, width in sizes[:-1]]
    return [*resized, tuple(size)]


def _finest_size(size: Size, max_size: int) -> Size:
    return rescaled_size(size, min(max_size / max(size), 1))
