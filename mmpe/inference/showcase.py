"""Typical pictures of a model of one photograph, drawn without any choice."""
import itertools
from pathlib import Path
from typing import List, Tuple

import cv2
import numpy as np

from mmpe.utils.files import PathLike
from mmpe.utils.images import save_image
from .layout import LayoutEdit
from .patch_diffusion import PatchSampler
from .photograph import PhotographSampler

__all__ = ['Row', 'draw_moved', 'draw_sizes', 'find_part', 'originals']

# Labels and pictures.
Row = List[Tuple[str, np.ndarray]]
Box = Tuple[int, int, int, int]
# Width of a box's border, on which there should be few edges, in pixels.
_BORDER = 4


def originals(sampler: PhotographSampler) -> Row:
    """The photograph, if the model holds it, and its reconstruction."""
    row = []
    if sampler.photograph is not None:
        row.append(('photograph', sampler.photograph))
    if not isinstance(sampler, PatchSampler):  # reconstructs it exactly
        row.append(('reconstruction', sampler.reconstruct()))
    return row


def draw_sizes(sampler: PhotographSampler, num: int, seed: int,
               folder: PathLike) -> List[Row]:
    """Draw samples at the photograph's size, wider, and taller.

    Args:
        sampler: The model.
        num: Number of samples per size.
        seed: Seed of the first sample.
        folder: Where each sample is saved.

    Returns:
        Rows of a contact sheet.
    """
    height, width = sampler.size
    rows = [originals(sampler)]
    for kind, size in (('sample', (height, width)),
                       ('wider', (height, round(1.5 * width))),
                       ('taller', (round(1.5 * height), width))):
        images = sampler.sample(num, size, seed)
        for index, image in enumerate(images):
            save_image(Path(folder, f'{kind}_{seed + index}.png'), image)
        rows.append([(f'{kind} {size[0]}x{size[1]}', x) for x in images])
    return [rows[0] + rows[1], *rows[2:]]


def draw_moved(sampler: PhotographSampler, region: Box,
               shift: Tuple[int, int], folder: PathLike) -> Row:
    """Move a part of the photograph, repeat it, and mirror the layout.

    Args:
        sampler: A model with explicit positions that holds the photograph.
        region: The part: top, left, bottom, right in pixels.
        shift: How far it is moved down and right.
        folder: Where each picture is saved.

    Returns:
        A row of a contact sheet.
    """
    outline = sampler.training_image.copy()
    top, left, bottom, right = region
    cv2.rectangle(outline, (left, top), (right - 1, bottom - 1),
                  (255, 255, 255))
    row = [('a part', outline)]
    for name, edit, seed in (
        ('moved', LayoutEdit(region, shift), None),
        ('repeated', LayoutEdit(region, shift, keep=True), None),
        ('mirrored layout', LayoutEdit(flip='horizontal'), 0)):
        image = sampler.layout([edit], seed=seed)
        save_image(Path(folder, f'{name.split()[0]}.png'), image)
        row.append((name, image))
    return row


def find_part(image: np.ndarray) -> Tuple[Box, Tuple[int, int]]:
    """Find a part of a photograph worth moving, and a place for it.

    It is the box with many edges inside and few on its border; the place is
    near, with few edges on the border there.

    Args:
        image: uint8 (H, W, 3).

    Returns:
        The box (top, left, bottom, right) and its shift (down, right).
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.hypot(*(cv2.Sobel(grey, cv2.CV_32F, *x) for x in ((1, 0),
                                                                 (0, 1))))
    side = min(image.shape[:2])
    candidates = []
    for part, ratio in itertools.product((0.18, 0.25, 0.33), (0.7, 1, 1.4)):
        box = round(part * side), round(part * ratio * side)
        inner, border = _edges_of_boxes(edges, box)
        score = inner / (border + edges.mean() / 2)
        place = np.unravel_index(score.argmax(), score.shape)
        candidates.append((score[place], place, box, border))
    _, (top, left), box, border = max(candidates, key=lambda x: x[0])
    y, x = np.indices(border.shape)
    apart = np.maximum(np.abs(y - top) / box[0], np.abs(x - left) / box[1])
    # Not overlapping the box, and not too far away.
    border = border + np.where(apart < 1.1, np.inf, edges.mean() * apart / 8)
    new = np.unravel_index(border.argmin(), border.shape)
    first = _BORDER + int(top), _BORDER + int(left)
    return (*first, first[0] + box[0], first[1] + box[1]), (int(new[0] - top),
                                                            int(new[1] - left))


def _edges_of_boxes(
        edges: np.ndarray,
        box: Tuple[int, int]) -> Tuple[np.ndarray, np.ndarray]:
    """Mean of the edges inside of each box, and on its border.

    Box (i, j) has its top left corner at (i, j) + _BORDER.
    """

    def sums(grow: int) -> np.ndarray:
        size = box[1] + 2 * grow, box[0] + 2 * grow
        total = cv2.boxFilter(
            edges, -1, size, anchor=(0, 0), normalize=False)
        first = _BORDER - grow
        rows, cols = (length - part - 2 * _BORDER + 1
                      for length, part in zip(edges.shape, box))
        return total[first:first + rows, first:first + cols]

    area = box[0] * box[1]
    ring = (box[0] + 2 * _BORDER) * (box[1] + 2 * _BORDER) - area
    inner = sums(0)
    return inner / area, (sums(_BORDER) - inner) / ring
