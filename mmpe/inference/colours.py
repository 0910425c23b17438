"""Colour quantisation."""
import numpy as np
from scipy.cluster.vq import kmeans2, vq

__all__ = ['quantise']


def quantise(image: np.ndarray,
             reference: np.ndarray,
             num_colours: int) -> np.ndarray:
    """Map the colours of an image to typical colours of another image.

    Args:
        image: uint8 (H, W, 3).
        reference: uint8 (H, W, 3); its colours are clustered by k-means.
        num_colours: Number of clusters.

    Returns:
        uint8, in the shape of ``image``.

    Raises:
        ValueError: ``num_colours`` is below 2.
    """
    if num_colours < 2:
        raise ValueError('Argument `num_colours` must be at least 2, but got '
                         f'{num_colours}.')
    pixels = reference.reshape(-1, 3).astype(np.float64)
    centres, _ = kmeans2(pixels, num_colours, minit='++', seed=0)
    indices, _ = vq(image.reshape(-1, 3).astype(np.float64), centres)
    return centres[indices].round().astype(np.uint8).reshape(image.shape)
