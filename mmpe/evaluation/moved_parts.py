"""How well a part of a photograph is preserved when it is moved."""
import math
from typing import Callable, Dict, NamedTuple, Tuple

import cv2
import numpy as np

from mmpe.functional.distances import ssim
from .image_arrays import check_image, to_tensor

__all__ = ['MovedPart', 'mean_moved_part', 'moved_part', 'random_moves']

Box = Tuple[int, int, int, int]
Shift = Tuple[int, int]
# Width of the band on both sides of a border, in pixels.
_BAND = 6


class MovedPart(NamedTuple):
    """Figures of a moved part.

    Attributes:
        ssim: SSIM between the part before and after the move, in [-1, 1].
        psnr: PSNR in dB.
        steps: Visibility of the seam: median over the part's border of the
            largest step between pixels across it, divided by the 95th
            percentile of such steps in the photograph. Above 1 there is a
            seam.
    """

    ssim: float
    psnr: float
    steps: float


def moved_part(image: np.ndarray, before: np.ndarray, box: Box,
               shift: Shift) -> MovedPart:
    """Compare a part before and after a move.

    Args:
        image: Image after the move, uint8 (H, W, 3).
        before: Image before the move, uint8 (H, W, 3).
        box: (top, left, bottom, right) of the part in ``before``, at least
            11 pixels on each side.
        shift: Shift of the part in pixels, (down, right).

    Returns:
        The figures.

    Raises:
        ValueError: An array is not an image, sizes differ, or the box is too
            small or outside of the image.
    """
    check_image('image', image)
    check_image('before', before)
    top, left, bottom, right = box
    height, width = image.shape[:2]
    moved = (top + shift[0], left + shift[1], bottom + shift[0],
             right + shift[1])
    for x in (box, moved):
        if image.shape != before.shape or not (0 <= x[0] < x[2] <= height and
                                               0 <= x[1] < x[3] <= width):
            raise ValueError('Arguments `box` and `shift` must stay inside '
                             f'images of the same size, but got {box} and '
                             f'{shift} for {image.shape[:2]} and '
                             f'{before.shape[:2]}.')
    if min(bottom - top, right - left) < 11:
        raise ValueError('Argument `box` must have at least 11 x 11 pixels, '
                         f'but got {box}.')
    now = to_tensor(image[moved[0]:moved[2], moved[1]:moved[3]])
    was = to_tensor(before[top:bottom, left:right])
    error = max(float((now - was).square().mean()), 1e-3)
    return MovedPart(
        float(ssim(now, was)), float(10 * np.log10(255**2 / error)),
        _steps_across(image, moved) / max(_common_steps(before), 1.))


def _largest_steps(image: np.ndarray, axis: int) -> np.ndarray:
    """Largest step along an axis within a band around each pixel."""
    steps = np.abs(np.diff(image.astype(np.float32), axis=axis)).mean(2)
    length = 2 * _BAND
    return cv2.dilate(
        steps, np.ones((length, 1) if axis == 0 else (1, length), np.uint8))


def _steps_across(image: np.ndarray, box: Box) -> float:
    """Median of the largest steps across a box's border."""
    top, left, bottom, right = box
    down, across = (_largest_steps(image, axis) for axis in (0, 1))
    # Skip lines on the image's own border, which have no outside.
    lines = [down[y - 1, left:right] for y in (top, bottom)
             if 0 < y < image.shape[0]]
    lines += [across[top:bottom, x - 1] for x in (left, right)
              if 0 < x < image.shape[1]]
    return float(np.median(np.concatenate(lines))) if lines else 0.


def _common_steps(image: np.ndarray) -> float:
    """95th percentile of the largest steps in an image."""
    steps = [_largest_steps(image, axis).ravel() for axis in (0, 1)]
    return float(np.percentile(np.concatenate(steps), 95))


def random_moves(size: Tuple[int, int],
                 num: int,
                 part: float = 1 / 3,
                 seed: int = 0,
                 step: int = 1) -> Tuple[Tuple[Box, Shift], ...]:
    """Random boxes and shifts by whole pixels.

    Args:
        size: (H, W) of the image.
        num: Number of boxes.
        part: Side of a box, as a fraction of the image's short side.
        seed: Random seed.
        step: Sides, corners and shifts are multiples of this, in pixels.

    Returns:
        Boxes (top, left, bottom, right) and shifts (down, right).
    """
    generator = np.random.default_rng(seed)
    side = step * max(round(part * min(size) / step), math.ceil(11 / step))
    moves = []
    for _ in range(num):
        old, new = ([
            step * int(generator.integers(0, (length - side) // step + 1))
            for length in size
        ] for _ in range(2))
        moves.append(((old[0], old[1], old[0] + side, old[1] + side),
                      (new[0] - old[0], new[1] - old[1])))
    return tuple(moves)


def mean_moved_part(draw: Callable[[Box, Shift], np.ndarray],
                    before: np.ndarray,
                    num: int = 24,
                    part: float = 1 / 3,
                    seed: int = 0,
                    step: int = 1) -> Dict[str, float]:
    """Mean figures over random moves.

    Args:
        draw: Draws the image after moving a box.
        before: Image before the move.
        num, part, seed, step: As for :func:`random_moves`.

    Returns:
        ``SSIM``, ``PSNR`` and ``steps`` as in :class:`MovedPart`; ``SSIM
        inside`` and ``PSNR inside`` of the part without its outer fifth on
        each side.
    """
    figures = []
    for box, shift in random_moves(before.shape[:2], num, part, seed, step):
        image = draw(box, shift)
        whole = moved_part(image, before, box, shift)
        inside = moved_part(image, before, _inside(box), shift)
        figures.append((whole.ssim, whole.psnr, whole.steps, inside.ssim,
                        inside.psnr))
    names = ('SSIM', 'PSNR', 'steps', 'SSIM inside', 'PSNR inside')
    return dict(zip(names, np.mean(figures, axis=0).tolist()))


def _inside(box: Box) -> Box:
    """A box without its outer fifth, at least 11 pixels on each side."""
    cut = min(
        min(box[2] - box[0], box[3] - box[1]) // 5,
        (min(box[2] - box[0], box[3] - box[1]) - 11) // 2)
    return (box[0] + cut, box[1] + cut, box[2] - cut, box[3] - cut)
