"""How good the images are that a model has learnt from one photograph.

All images are uint8 arrays (H, W, 3) in RGB order, as `mmpe.inference` gives
them; no figure needs a network.
"""
import cv2
import numpy as np

__all__ = ['layout_correlation']


def _check_image(name: str, image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray):
        raise ValueError(f'Argument `{name}` must be a uint8 array (H, W, 3), '
                         f'but got {type(image).__name__}.')
    if (image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3
            or image.size == 0):
        raise ValueError(f'Argument `{name}` must be a uint8 array (H, W, 3), '
                         f'but got {image.dtype} of shape {image.shape}.')


def layout_correlation(image: np.ndarray,
                       photograph: np.ndarray,
                       cells: int = 8) -> float:
    """How much of a photograph's global layout is left in an image.

    Both are reduced to one coarse grid by averaging areas, so that an image
    of another size or shape is compared with the stretched photograph. The
    figure is the Pearson correlation over cells and colours, after each image
    has lost its mean colour: brightness, contrast and a tint do not count.

    Args:
        image: uint8 (H, W, 3) of any size.
        photograph: uint8 (H', W', 3).
        cells: Cells of the grid along the photograph's short side; its long
            side has as many more as the photograph is longer.

    Returns:
        From -1 to 1: 1 for the same layout, about 0 for an unrelated one, and
        0 where one of the two is a plain area.

    Raises:
        ValueError: An array is no such image, fewer than 2 cells, or more
            than an image has pixels.
    """
    _check_image('image', image)
    _check_image('photograph', photograph)
    height, width = photograph.shape[:2]
    grid = [max(cells, round(cells * x / min(height, width)))
            for x in (height, width)]
    room = min(size // num for picture in (image, photograph)
               for size, num in zip(picture.shape, grid))
    if cells < 2 or room < 1:
        raise ValueError('Argument `cells` must be at least 2 and leave a '
                         f'pixel in each cell, but got {cells} for images of '
                         f'{image.shape[:2]} and {height, width} pixels.')
    x, y = (_coarse(picture, grid) for picture in (image, photograph))
    norm = np.linalg.norm(x) * np.linalg.norm(y)
    # averaging leaves rounding errors, about 1e-12, in a plain area
    return float((x * y).sum() / norm) if norm > 1e-6 else 0.


def _coarse(image: np.ndarray, grid: list) -> np.ndarray:
    """Deviation of the cells' colours from the mean colour."""
    image = cv2.resize(
        image.astype(np.float64), grid[::-1], interpolation=cv2.INTER_AREA)
    return image - image.mean(axis=(0, 1))
