"""Figures of images from a model of one photograph.

All images are uint8 arrays (H, W, 3) in RGB order, as in ``mmpe.inference``.
These figures need no network; those that do are in ``perceptual``.
"""
from typing import Dict, List, Sequence

import cv2
import numpy as np
from mmagic.evaluation.metrics.psnr import psnr

from mmpe.functional.distances import ssim
from .image_arrays import check_image, check_images, to_tensor
from .image_patches import (PatchMatch, level_names, nearest_patches,
                            patch_swd)

__all__ = [
    'PatchMatch', 'check_image', 'check_images', 'diversity',
    'layout_correlation', 'level_names', 'nearest_patches', 'patch_swd',
    'reconstruction', 'to_tensor'
]


def reconstruction(image: np.ndarray,
                   photograph: np.ndarray) -> Dict[str, float]:
    """How exactly a model reconstructs its photograph.

    Args:
        image: The reconstruction, uint8 (H, W, 3).
        photograph: uint8 (H, W, 3).

    Returns:
        ``PSNR`` in dB, infinite for equal images, and ``SSIM`` in [-1, 1].

    Raises:
        ValueError: An array is not an image, the sizes differ, or are below
            11 pixels.
    """
    check_image('image', image)
    check_image('photograph', photograph)
    if image.shape != photograph.shape:
        raise ValueError('Arguments `image` and `photograph` must have the '
                         f'same size, but got {image.shape[:2]} and '
                         f'{photograph.shape[:2]}.')
    similarity = ssim(to_tensor(image), to_tensor(photograph))
    return dict(PSNR=float(psnr(image, photograph)), SSIM=float(similarity))


def diversity(images: Sequence[np.ndarray], photograph: np.ndarray) -> float:
    """Diversity of random images (Rott Shaham et al., ICCV 2019).

    Standard deviation of each pixel's intensity over the images, averaged
    over pixels and divided by that of the photograph's intensities.

    Args:
        images: At least two uint8 (H, W, 3), all of one size.
        photograph: uint8 (H', W', 3).

    Returns:
        The diversity, 0 for equal images and about 1 for images without a
        common layout.

    Raises:
        ValueError: See :func:`check_images`.
    """
    check_images(images, photograph, min_num=2)
    spread = np.stack([_intensity(x) for x in images]).std(axis=0).mean()
    return float(spread / _intensity(photograph).std())


def _intensity(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY)


def layout_correlation(image: np.ndarray,
                       photograph: np.ndarray,
                       cells: int = 8) -> float:
    """Correlation of an image's global layout with a photograph's.

    Both are reduced to the same coarse grid by averaging areas, so an image
    of another size or aspect ratio is compared with the stretched photograph.
    The figure is the Pearson correlation over cells and colours after
    subtracting each image's mean colour, so brightness, contrast and tint
    have no effect.

    Args:
        image: uint8 (H, W, 3) of any size.
        photograph: uint8 (H', W', 3).
        cells: Cells of the grid along the photograph's short side; in
            proportion along the long side.

    Returns:
        Correlation in [-1, 1]: 1 for the same layout, about 0 for an
        unrelated one, and 0 if one of the two has a single colour.

    Raises:
        ValueError: An array is not an image, or ``cells`` is below 2 or
            larger than an image.
    """
    check_image('image', image)
    check_image('photograph', photograph)
    size = photograph.shape[:2]
    grid = [max(cells, round(cells * side / min(size))) for side in size]
    if cells < 2 or any(side < num for picture in (image, photograph)
                        for side, num in zip(picture.shape, grid)):
        raise ValueError('Argument `cells` must be at least 2 and leave a '
                         f'pixel in each cell, but got {cells} for images of '
                         f'{image.shape[:2]} and {size} pixels.')
    x, y = (_coarse(picture, grid) for picture in (image, photograph))
    norms = np.linalg.norm(x), np.linalg.norm(y)
    if min(norms) < 0.01:  # equal cells, up to rounding errors
        return 0.
    return float((x * y).sum() / np.prod(norms))


def _coarse(image: np.ndarray, grid: List[int]) -> np.ndarray:
    """Differences between the cells' colours and the mean colour."""
    image = cv2.resize(
        image.astype(np.float64), grid[::-1], interpolation=cv2.INTER_AREA)
    return image - image.mean(axis=(0, 1))
