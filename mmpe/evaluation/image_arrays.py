"""Checks of images, and images as tensors.

All images are uint8 arrays (H, W, 3) in RGB order, as in ``mmpe.inference``.
"""
from typing import Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ['check_image', 'check_images', 'to_tensor']


def check_image(name: str, image: np.ndarray) -> None:
    """Check that an argument is an image.

    Args:
        name: Name of the argument.
        image: Value of the argument.

    Raises:
        ValueError: The value is not a uint8 array (H, W, 3).
    """
    if not isinstance(image, np.ndarray):
        raise ValueError(f'Argument `{name}` must be a uint8 array (H, W, 3), '
                         f'but got {type(image).__name__}.')
    if (image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3
            or image.size == 0):
        raise ValueError(f'Argument `{name}` must be a uint8 array (H, W, 3), '
                         f'but got {image.dtype} of shape {image.shape}.')


def check_images(images: Sequence[np.ndarray],
                 photograph: np.ndarray,
                 min_num: int = 1) -> None:
    """Check that images can be compared with their photograph.

    Args:
        images: uint8 (H, W, 3), all of one size.
        photograph: uint8 (H', W', 3).
        min_num: Smallest number of images.

    Raises:
        ValueError: An array is not an image, there are too few images, their
            sizes differ, or the photograph has a single colour.
    """
    if len(images) < min_num:
        raise ValueError(f'Argument `images` must have at least {min_num} '
                         f'images, but got {len(images)}.')
    for image in images:
        check_image('images', image)
    sizes = sorted({image.shape[:2] for image in images})
    if len(sizes) > 1:
        raise ValueError('Argument `images` must have images of the same '
                         f'size, but got {sizes[0]} and {sizes[1]}.')
    check_image('photograph', photograph)
    if (photograph == photograph[0, 0]).all():
        raise ValueError('Argument `photograph` must not be of a single '
                         f'colour, but all pixels are {photograph[0, 0]}.')


def to_tensor(image: np.ndarray) -> Tensor:
    """Convert an image to a tensor.

    Args:
        image: uint8 (H, W, 3).

    Returns:
        Float32 (1, 3, H, W) in [0, 255].
    """
    return torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
