"""Noise as a function of coordinates."""
import numpy as np
import torch
from torch import Tensor

__all__ = ['coordinate_noise']

_WORDS = 4  # 64-bit words per value of Philox's counter


def coordinate_noise(seed: int, stage: int, channels: int, rows: range,
                     cols: range) -> Tensor:
    """Standard normal noise in a window of an infinite map.

    A value depends on (seed, stage, channel, row, column) alone, so a window
    is a crop of any larger one. A counter-based generator (Philox4x64,
    "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011) takes the
    coordinate as its counter; the inverse of the normal distribution function
    maps its uniform numbers to noise.

    Args:
        seed: Seed in [0, 2**63].
        stage: Index of the map; each map has its own noise.
        channels: Number of channels C.
        rows, cols: Rows and columns of the window, counted from 0, with a
            step of 1.

    Returns:
        Float32 (C, rows, cols).

    Raises:
        ValueError: The seed is out of its range, or the window is empty or
            starts below 0.
    """
    if not 0 <= seed <= 2**63:
        raise ValueError('Argument `seed` must be between 0 and 2**63, but '
                         f'got {seed}.')
    _check_window(rows, cols)
    words = _words(seed, stage, channels, rows, cols)
    # 52 bits plus one half: never 0 or 1, and exact in float64.
    uniform = ((words >> np.uint64(12)) + 0.5) * 2.0**-52
    return torch.special.ndtri(torch.from_numpy(uniform)).float()


def _check_window(rows: range, cols: range) -> None:
    for name, cells in (('rows', rows), ('cols', cols)):
        if cells.start < 0 or not len(cells) or cells.step != 1:
            raise ValueError(f'Argument `{name}` must be a non-empty range '
                             'that starts at 0 or later and has a step of 1, '
                             f'but got {cells}.')


def _words(seed: int, stage: int, channels: int, rows: range,
           cols: range) -> np.ndarray:
    """Random 64-bit words (C, rows, cols)."""
    first, skipped = divmod(cols.start, _WORDS)
    words = np.empty((channels, len(rows), len(cols)), np.uint64)
    # Setting a generator's state takes a tenth of the time to create one.
    # Counter: (block of columns, row, channel, map), key: seed.
    generator = np.random.Philox(key=seed, counter=[first, 0, 0, stage])
    state = generator.state
    counter = state['state']['counter']
    for channel in range(channels):
        counter[2] = channel
        for index, row in enumerate(rows):
            counter[1] = row
            generator.state = state
            words[channel,
                  index] = generator.random_raw(skipped + len(cols))[skipped:]
    return words
