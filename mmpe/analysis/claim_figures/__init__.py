"""Figures of the claims, one for each."""
from typing import Sequence

from mmpe.utils.files import PathLike
from ..claims import Row
from ..claims.rows import Records
from .bars import BARS
from .pictures import PICTURES
from .profiles import PROFILES
from .style import WIDTH, Samples

__all__ = ['draw_claim']

_DRAW = {**PICTURES, **BARS, **PROFILES}


def draw_claim(letter: str, rows: Sequence[Row], records: Records,
               samples: Samples, path: PathLike) -> None:
    """Draw the figure of a claim.

    Args:
        letter: Letter of the claim.
        rows: Rows of the claim.
        records: Records of all seeds, by name of the training.
        samples: Samples of all seeds, by name of the training.
        path: PNG file to write.
    """
    from matplotlib.figure import Figure
    figure = Figure(layout='constrained')
    figure.set_size_inches(WIDTH, 3)
    _DRAW[letter](figure, records, samples)
    figure.savefig(path, dpi=100, format='png')
