"""Colours and width of the figures, and what they are drawn from."""
from typing import Dict, List

import numpy as np

from ..report import COLOURS

__all__ = [
    'CODES', 'CSG', 'GREY', 'NONE', 'REFLECT', 'SPE', 'WIDTH', 'ZERO'
]

# Samples of all seeds, by name of the training.
Samples = Dict[str, List[Dict[str, np.ndarray]]]
# Colours of paddings, as in all figures, and of encodings.
ZERO, NONE, REFLECT = (COLOURS[mode] for mode in ('zeros', 'none', 'reflect'))
CSG, SPE, GREY = '#222222', '#d976a8', '#888888'
CODES = dict(CSG=CSG, SPE=SPE)
WIDTH = 8.8  # inches, 100 pixels each
