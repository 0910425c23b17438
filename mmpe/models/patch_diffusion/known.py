"""Known pixels, and blending drawn pixels with them."""
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
# Standard deviations in pixels of the blurs for comparing tones: inside a
# part, and in its surroundings.
_INNER_BLUR, _OUTER_BLUR = 2, 6
# Differences of tone, in a range from -1 to 1: up to the first they are
# levelled, beyond the second they count as edges of objects and are kept.
_TONES = (0.3, 0.6)
# Distance in pixels from a part's edge at which the correction has halved.
_TONE_REACH = 3


class KnownPixels(NamedTuple):
    """Pixels of a scale that are given, not drawn.

    Attributes:
        image: (1, 3, H, W) in [-1, 1].
        mask: bool (1, 1, H, W), true where pixels are known.
        holes: bool (H, W), true where new content must be drawn.
        taken: bool (h, w), true for pixels of the photograph that must not
            appear in the holes.
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
        mask: bool (1, 1, H, W), true where pixels are known.
        sizes: (H', W') of each scale.
        holes, taken: As in :class:`KnownPixels`, at the finest scale.
        trained: (h', w') of the photograph at each scale, for ``taken``.

    Returns:
        One per scale; a pixel is known if its whole area is.
    """
    weights = mask.float()
    scales = []
    for index, size in enumerate(sizes):
        part = F.interpolate(weights, size, mode='area')
        reduced = F.interpolate(image * weights, size, mode='area')
        extra = [] if holes is None or taken is None else [
            _some(holes, size),
            _some(taken, trained[index])
        ]
        scales.append(
            KnownPixels(reduced / part.clamp(min=1e-6), part > 0.999, *extra))
    return scales


def _some(mask: Tensor, size: Size) -> Tensor:
    """Reduce a mask (H, W): true where it covers a fifth of a pixel."""
    part = F.interpolate(mask[None, None].float(), size, mode='area')
    return part[0, 0] > 0.2


def match_tone(image: Tensor, part: Tensor, other: Tensor,
               is_other: Tensor) -> Tensor:
    """Match the tone of a part of an image to its surroundings.

    Args:
        image: (1, 3, H, W).
        part: bool (H, W), true inside the part.
        other: (1, 3, H, W), the surroundings of its edge.
        is_other: bool (H, W), true where these are known.

    Returns:
        The image with the low frequencies of the part changed.
    """
    edge = part & dilate(~part, 1)
    inner, _ = _blur_part(image, part, _INNER_BLUR)
    outer, weight = _blur_part(other, is_other, _OUTER_BLUR)
    off = _tones(outer - inner)
    edge = edge & (weight[0, 0] > 0.01)
    return image + membrane(off[0], edge, part, _TONE_REACH)


def _tones(difference: Tensor) -> Tensor:
    """Part of a difference (1, 3, H, W) that counts as one of tone."""
    size = difference.abs().amax(1, keepdim=True)
    low, high = _TONES
    return difference * ((high - size) / (high - low)).clamp(0, 1)


def _blur_part(image: Tensor, mask: Tensor,
               std: float) -> Tuple[Tensor, Tensor]:
    """Blurred mean of the pixels in a mask, and their weight."""
    weights = mask[None, None].float()
    weight = gaussian_blur(weights, std)
    mean = gaussian_blur(image * weights, std) / weight.clamp(min=1e-4)
    return mean, weight


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Enlarge a mask.

    Args:
        mask: bool (H, W).
        radius: Pixels added on each side.

    Returns:
        bool (H, W).
    """
    return F.max_pool2d(mask[None, None].float(), 2 * radius + 1, 1,
                        radius)[0, 0] > 0


def pixels_at(image: Tensor, positions: Tensor) -> Tensor:
    """Sample an image at positions, with bicubic interpolation.

    Args:
        image: (1, 3, H, W).
        positions: (2, H', W'), y and x in pixels.

    Returns:
        (1, 3, H', W'), with the border replicated.
    """
    whole = positions.round()
    if torch.equal(whole, positions):  # exact at whole positions
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
    """Mask of jumps and bends in a field of positions.

    Args:
        positions: (2, H, W) in pixels.
        width: Pixels added around them on each side.

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
    """Mask of places where a field of positions is rigid.

    That is, where it only translates, rotates or mirrors.

    Args:
        positions: (2, H, W) in pixels.
        tolerance: Largest relative change of a length.

    Returns:
        bool (H, W).
    """
    down, right = torch.gradient(positions, dim=(1, 2))
    off = torch.stack((down.norm(dim=0) - 1, right.norm(dim=0) - 1,
                       (down * right).sum(0)))
    return off.abs().amax(0) < tolerance


def bounding_window(mask: Tensor,
                    margin: int) -> Optional[Tuple[slice, slice]]:
    """Rows and columns of a mask's bounding box, plus a margin.

    Args:
        mask: bool (H, W).
        margin: Pixels on each side, within the image.

    Returns:
        Two slices, or None for an empty mask.
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
    return window[0], window[1]
