"""Pixels that are given, and how what is drawn joins them."""
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.patch_diffusion import gaussian_blur, membrane

__all__ = [
    'KnownPixels', 'bounding_window', 'dilate', 'is_rigid', 'known_pyramid',
    'match_tone', 'pixels_at', 'rims'
]

Size = Tuple[int, int]
# Standard deviations of the blurs by which tones are compared, in pixels: in a
# part, and across the border of what is drawn around it.
_INNER_BLUR, _OUTER_BLUR = 2, 6
# Differences of tone up to the first are levelled, beyond the second they are
# taken for those of things; in parts of the range from -1 to 1.
_TONES = (0.3, 0.6)
# How far from the edge of a part its tone has changed by half, in pixels.
_TONE_REACH = 3


class KnownPixels(NamedTuple):
    """Pixels of a scale that are not drawn but given.

    Attributes:
        image: (1, 3, H, W) in [-1, 1].
        mask: bool (1, 1, H, W), where the image counts.
        holes: bool (H, W), what is not to be drawn as it was.
        taken: bool (h, w), the parts of the photograph that are not to be
            seen there.
    """

    image: Tensor
    mask: Tensor
    holes: Optional[Tensor] = None
    taken: Optional[Tensor] = None


def known_pyramid(image: Tensor,
                  mask: Tensor,
                  sizes: Sequence[Size],
                  holes: Optional[Tensor] = None,
                  taken: Optional[Tensor] = None,
                  trained: Sequence[Size] = ()) -> List[KnownPixels]:
    """Known pixels at each scale.

    Args:
        image: (1, 3, H, W).
        mask: bool (1, 1, H, W), where it is known.
        sizes: (H', W') of each scale.
        holes, taken: As in :class:`KnownPixels`, at the finest scale.
        trained: (h', w') of the photograph at each scale, for ``taken``.

    Returns:
        One for each scale: a pixel is known where all of it is.
    """
    weights = mask.float()
    scales = []
    for index, size in enumerate(sizes):
        part = F.interpolate(weights, size, mode='area')
        reduced = F.interpolate(image * weights, size, mode='area')
        extra = [] if holes is None else [
            _some(holes, size),
            _some(taken, trained[index])
        ]
        scales.append(
            KnownPixels(reduced / part.clamp(min=1e-6), part > 0.999, *extra))
    return scales


def _some(mask: Tensor, size: Size) -> Tensor:
    """Where at least a fifth of a pixel is in a mask (H, W)."""
    part = F.interpolate(mask[None, None].float(), size, mode='area')
    return part[0, 0] > 0.2


def match_tone(image: Tensor, part: Tensor, other: Tensor,
               is_other: Tensor) -> Tensor:
    """Give a part of an image the tone of what it covers or adjoins.

    Args:
        image: (1, 3, H, W).
        part: bool (H, W), the part.
        other: (1, 3, H, W), what is or would be around its edge.
        is_other: bool (H, W), where this is known.

    Returns:
        The image, where the low frequencies of the part have changed.
    """
    edge = part & dilate(~part, 1)
    inner, _ = _blur_part(image, part, _INNER_BLUR)
    outer, weight = _blur_part(other, is_other, _OUTER_BLUR)
    off = _tones(outer - inner)
    edge = edge & (weight[0, 0] > 0.01)
    return image + membrane(off[0], edge, part, _TONE_REACH)


def _tones(difference: Tensor) -> Tensor:
    """What of a difference (1, 3, H, W) is one of tone."""
    size = difference.abs().amax(1, keepdim=True)
    low, high = _TONES
    return difference * ((high - size) / (high - low)).clamp(0, 1)


def _blur_part(image: Tensor, mask: Tensor,
               std: float) -> Tuple[Tensor, Tensor]:
    """Mean of the pixels of a mask around each place, and their weight."""
    weights = mask[None, None].float()
    weight = gaussian_blur(weights, std)
    mean = gaussian_blur(image * weights, std) / weight.clamp(min=1e-4)
    return mean, weight


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Enlarge a mask.

    Args:
        mask: bool (H, W).
        radius: By how many pixels on each side.

    Returns:
        bool (H, W).
    """
    return F.max_pool2d(mask[None, None].float(), 2 * radius + 1, 1,
                        radius)[0, 0] > 0


def pixels_at(image: Tensor, positions: Tensor) -> Tensor:
    """Pixels of an image at positions, between pixels by a bicubic filter.

    Args:
        image: (1, 3, H, W).
        positions: (2, H', W'), y and x in pixels.

    Returns:
        (1, 3, H', W'); those of the border beyond it.
    """
    whole = positions.round()
    if torch.equal(whole, positions):  # to the bit
        y, x = (
            axis.long().clamp(0, length - 1)
            for axis, length in zip(whole, image.shape[2:]))
        return image[:, :, y, x]
    last = torch.tensor(image.shape[2:])[:, None, None] - 1
    grid = (2 * positions / last - 1).flip(0).permute(1, 2, 0)
    return F.grid_sample(
        image,
        grid[None].to(image),
        mode='bicubic',
        padding_mode='border',
        align_corners=True)


def rims(positions: Tensor, width: int) -> Tensor:
    """Where a field of positions has a jump or a bend, and around it.

    Args:
        positions: (2, H, W) in pixels.
        width: Pixels on each side that count as well.

    Returns:
        bool (H, W).
    """
    bent = torch.zeros(positions.shape[1:], dtype=torch.bool)
    for axis in (1, 2):
        x = positions.movedim(axis, 1)
        bend = (x[:, 2:] - 2 * x[:, 1:-1] + x[:, :-2]).abs().amax(0) > 0.25
        bent.movedim(axis - 1, 0)[1:-1] |= bend
    return dilate(bent, width)


def is_rigid(positions: Tensor, tolerance: float = 0.1) -> Tensor:
    """Where a field of positions moves, turns or mirrors, and no more.

    Args:
        positions: (2, H, W) in pixels.
        tolerance: How much longer or shorter anything may become.

    Returns:
        bool (H, W).
    """
    down, right = torch.gradient(positions, dim=(1, 2))
    off = torch.stack((down.norm(dim=0) - 1, right.norm(dim=0) - 1,
                       (down * right).sum(0)))
    return off.abs().amax(0) < tolerance


def bounding_window(mask: Tensor,
                    margin: int) -> Optional[Tuple[slice, slice]]:
    """Rows and columns that hold all of a mask, and a margin.

    Args:
        mask: bool (H, W).
        margin: Pixels on each side, within the image.

    Returns:
        Two slices; None where the mask is empty.
    """
    if not mask.any():
        return None
    window = []
    for axis in (1, 0):
        index = mask.any(axis).nonzero()[:, 0]
        first, last = int(index[0]), int(index[-1])
        window.append(
            slice(max(first - margin, 0),
                  min(last + margin + 1, mask.shape[1 - axis])))
    return tuple(window)
