"""What edits change in a photograph, pixel by pixel."""
from typing import Tuple

import torch
from torch import Tensor

from mmpe.models.patch_diffusion.known import dilate, is_rigid, rims
from .position_map import PositionMap

__all__ = ['Plan']

Size = Tuple[int, int]
# Pixels drawn on each side of a cut between parts of the photograph; and
# inside of its border, as a fraction of the short side.
_RIM, _EDGE = 3, 0.05


class Plan:
    """Effect of edits on an image, pixel by pixel; masks are bool (H, W).

    Args:
        edited: Positions of the pixels, with the edits.
        original: Positions without the edits.
        size: (h, w) of the photograph.
        device: Device of the masks.

    Attributes:
        told, own: The positions with and without the edits, (2, H, W).
        part: Where moved parts are.
        rim: Where cuts are, with their surroundings.
        holes: Where nothing is left.
        clean: Where the photograph has a pixel at the position.
        left: Where it has a pixel at the position without the edits.
        is_rigid: Where nothing is scaled.
        taken: Pixels of the photograph that are moved or removed, (h, w).
    """

    def __init__(self, edited: PositionMap, original: PositionMap, size: Size,
                 device: torch.device) -> None:
        self.told, self.own = edited.whole(), original.whole()
        moved, missing = (x[0] for x in edited.marks())
        rim, holes = rims(self.told, _RIM), missing > 0.01
        taken = torch.zeros(size, dtype=torch.bool)
        y, x = (
            axis.round().long().clamp(0, length - 1)
            for axis, length in zip(self.own[:, edited.gone()[0] > 0.5], size))
        taken[y, x] = True
        self.part = (moved > 0.5).to(device)
        self.rim, self.holes = rim.to(device), holes.to(device)
        # Nothing is known beyond the photograph: its border is drawn anew,
        # together with what continues there.
        edge = round(_EDGE * min(size))
        beyond = dilate(~_is_inside(self.told, size), edge)
        self.clean = (~rim & ~holes & ~beyond).to(device)
        self.left = (~holes & _is_inside(self.own, size)).to(device)
        self.is_rigid = is_rigid(self.told).to(device)
        self.taken = taken.to(device)


def _is_inside(positions: Tensor, size: Size) -> Tensor:
    """Where positions (2, H, W) are inside of the photograph."""
    last = torch.tensor(size)[:, None, None] - 0.5
    return ((positions > -0.5) & (positions < last)).all(0)
