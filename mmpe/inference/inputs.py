"""Reading and checking of images, masks and displacements."""
import os.path as osp

import cv2
import numpy as np

from mmpe.datasets import read_photograph
from mmpe.datasets.singan_dataset import open_rgb
from mmpe.utils.files import PathLike

__all__ = [
    'check_mask', 'check_rgb', 'is_inside', 'read_displacement', 'read_mask',
    'read_rgb'
]


def read_rgb(path: PathLike) -> np.ndarray:
    """Read an image as :func:`mmpe.datasets.read_photograph` does.

    Args:
        path: Path of the image file.

    Returns:
        uint8 (H, W, 3) in RGB order.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not an image, or is damaged.
    """
    return np.ascontiguousarray(read_photograph(str(path))[..., ::-1])


def check_rgb(image: np.ndarray) -> None:
    """Check that an array is an RGB image.

    Args:
        image: The array.

    Raises:
        ValueError: It is not uint8 (H, W, 3).
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError('Argument `image` must be uint8 (H, W, 3) in RGB '
                         f'order, but got {image.dtype} {image.shape}.')


def check_mask(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Check a mask of an image.

    Args:
        mask: As for :func:`is_inside`.
        image: (H, W, 3).

    Returns:
        The mask as bool (H, W).

    Raises:
        ValueError: It is empty, or has another size than the image.
    """
    if mask.shape != image.shape[:2]:
        raise ValueError(
            'Argument `mask` must have the size of the image, '
            f'{image.shape[0]} x {image.shape[1]} (height x width), but got '
            f'{" x ".join(map(str, mask.shape))}.')
    return is_inside(mask)


def read_mask(path: PathLike) -> np.ndarray:
    """Read a mask from an image.

    Args:
        path: Path of the image file.

    Returns:
        bool (H, W), true where the image is bright.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not an image, is damaged, or has no bright
            pixels.
    """
    try:
        return is_inside(read_rgb(path).max(axis=2))
    except ValueError as error:
        raise ValueError(f'{str(path)!r}: {error}') from None


def is_inside(mask: np.ndarray) -> np.ndarray:
    """Convert a mask to bool: true, or above half of the range.

    Args:
        mask: bool, uint8 in [0, 255], or float in [0, 1].

    Returns:
        bool, in the shape of ``mask``.

    Raises:
        ValueError: The mask is empty.
    """
    if mask.dtype != bool:
        mask = mask > (127 if mask.dtype == np.uint8 else 0.5)
    if not mask.any():
        raise ValueError('The mask is empty: nothing in it is above half of '
                         'the range.')
    return mask


def read_displacement(path: PathLike) -> np.ndarray:
    """Read a dense displacement.

    Args:
        path: Path of a ``.npy`` file (H, W, 2) with x (right) first, as usual
            for optical flow; or of a 16-bit flow PNG as in KITTI, with
            (value - 2**15) / 64 pixels, and a third channel that marks valid
            pixels (others get the displacement 0).

    Returns:
        float32 (2, H, W) in pixels, y (down) first.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file has another format.
    """
    path = str(path)
    if not osp.isfile(path):
        raise FileNotFoundError(f'There is no displacement file {path!r}.')
    flow = _read_npy(path) if path.endswith('.npy') else _read_flow_png(path)
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.dtype.kind not in 'fiu':
        raise ValueError(f'{path!r} must hold numbers of the shape (H, W, 2), '
                         f'but holds {flow.dtype} {flow.shape}.')
    return np.ascontiguousarray(
        flow[..., ::-1].transpose(2, 0, 1), dtype=np.float32)


def _read_npy(path: str) -> np.ndarray:
    try:
        # Does not allocate what the header claims.
        return np.lib.format.open_memmap(path, mode='r')
    except Exception as error:  # damaged data can fail in any way
        reason = ' '.join(str(error).split())
        raise ValueError(f'{path!r} is not a .npy file of numbers: '
                         f'{reason}') from None


def _read_flow_png(path: str) -> np.ndarray:
    try:
        open_rgb(path, path)  # OpenCV accepts damaged and huge files
        image = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    except (ValueError, cv2.error):
        image = None
    if image is None or image.dtype != np.uint16 or image.shape[2:] != (3, ):
        raise ValueError(f'{path!r} is neither a .npy file nor a flow PNG '
                         '(three channels of 16 bits).')
    # In place, to save memory.
    flow = image[..., 1:].transpose(2, 0, 1).astype(np.float32, order='C')
    flow -= 2**15
    flow /= 64
    flow *= image[..., 0] > 0
    return flow[::-1].transpose(1, 2, 0)
