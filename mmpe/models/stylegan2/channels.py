"""Channels per resolution, the same in generator and discriminator."""
import math
from typing import Dict

__all__ = ['channels_per_size', 'log2_size']


def channels_per_size(multiplier: float = 2,
                      width: float = 1.) -> Dict[int, int]:
    """Channels of the feature maps of each size.

    Args:
        multiplier: Channel multiplier of StyleGAN2 from 64 x 64 on.
        width: Factor on all channels, for networks smaller than the paper's.

    Returns:
        From size, 4 to 1024, to channels.

    Raises:
        ValueError: A factor is not positive.
    """
    for name, value in (('channel_multiplier', multiplier), ('width', width)):
        if not value > 0:
            raise ValueError(f'Argument `{name}` must be positive, but got '
                             f'{value}.')
    sizes = [2**power for power in range(2, 11)]
    return {
        size: max(1, int((512 if size < 64 else 2**14 / size * multiplier) *
                         width))
        for size in sizes
    }


def log2_size(name: str, size: int) -> int:
    """Base-2 logarithm of a network's size.

    Raises:
        ValueError: ``size`` is not a power of 2 from 8 to 1024; the message
            calls it by ``name``.
    """
    power = int(math.log2(size)) if size and size > 0 else 0
    if 2**power != size or not 3 <= power <= 10:
        raise ValueError(f'Argument `{name}` must be a power of 2 from 8 to '
                         f'1024, but got {size}.')
    return power
