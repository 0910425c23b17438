"""Number of channels per resolution, in generator and discriminator alike."""
import math
from typing import Dict

__all__ = ['channels_per_size', 'log2_size']


def channels_per_size(multiplier: float = 2,
                      width: float = 1.) -> Dict[int, int]:
    """Number of channels of the feature maps of each size.

    512 below 64 x 64, 2^14 * multiplier / size from there on; a multiplier of
    2 is config F of StyleGAN2, 1 is its config E.

    Args:
        multiplier: Factor on the channels from 64 x 64 on.
        width: Factor on all channels, for networks smaller than the paper's.

    Returns:
        Number of channels by size, 4 to 1024.

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
            names the argument ``name``.
    """
    power = int(math.log2(size)) if size and size > 0 else 0
    if 2**power != size or not 3 <= power <= 10:
        raise ValueError(f'Argument `{name}` must be a power of 2 from 8 to '
                         f'1024, but got {size}.')
    return power
