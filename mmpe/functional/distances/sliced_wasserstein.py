"""Sliced Wasserstein distance between patches of Laplacian pyramids."""
from typing import List, Optional, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ._checks import check_features, check_images

__all__ = [
    'laplacian_pyramid', 'patch_descriptors', 'sliced_wasserstein_distance'
]


def _binomial_blur(images: Tensor, gain: float = 1.) -> Tensor:
    """Convolution with the outer product of [1, 4, 6, 4, 1] / 16."""
    channels = images.shape[1]
    row = images.new_tensor([1., 4., 6., 4., 1.]) / 16
    kernel = (gain * torch.outer(row, row)).expand(channels, 1, 5, 5)
    return F.conv2d(
        F.pad(images, (2, 2, 2, 2), mode='reflect'), kernel, groups=channels)


def _expand(images: Tensor, size: Sequence[int]) -> Tensor:
    """Upsample: insert zeros and blur, with a gain of 4 for the zeros."""
    spread = images.new_zeros(*images.shape[:2], *size)
    spread[..., ::2, ::2] = images
    return _binomial_blur(spread, gain=4.)


def laplacian_pyramid(images: Tensor, num_levels: int) -> List[Tensor]:
    """Laplacian pyramid (Burt and Adelson, 1983) with reflected borders.

    Args:
        images: Float tensor (N, C, H, W).
        num_levels: Number of levels, each half as large as the previous.

    Returns:
        ``num_levels`` tensors, finest first: differences to the next smaller
        level, and the low-pass image at the last.

    Raises:
        ValueError: Wrong shape, no level, or a level below 3 pixels.
    """
    check_images('images', images)
    smallest = min(images.shape[-2:]) / 2**(num_levels - 1)
    if num_levels < 1 or smallest < 3:
        raise ValueError(
            'Argument `num_levels` must be at least 1 and leave 3 pixels at '
            f'the last level, but got {num_levels} for images of '
            f'{tuple(images.shape[-2:])}.')
    levels = []
    for _ in range(num_levels - 1):
        smaller = _binomial_blur(images)[..., ::2, ::2]
        levels.append(images - _expand(smaller, images.shape[-2:]))
        images = smaller
    return [*levels, images]


def patch_descriptors(images: Tensor,
                      patch_size: int = 7,
                      num_patches: int = 128,
                      generator: Optional[torch.Generator] = None) -> Tensor:
    """Square patches at uniformly random places of each image.

    Args:
        images: Float tensor (N, C, H, W).
        patch_size: Side of a patch in pixels.
        num_patches: Patches per image.
        generator: Random generator of the places, on the CPU.

    Returns:
        Patches (N, num_patches, C, patch_size, patch_size).

    Raises:
        ValueError: Wrong shape or images smaller than a patch.
    """
    check_images('images', images)
    num, _, height, width = images.shape
    if min(height, width) < patch_size:
        raise ValueError(f'Images must be at least {patch_size} pixels high '
                         f'and wide, but got {(height, width)}.')

    def places(extent: int) -> Tensor:
        start = torch.randint(
            extent - patch_size + 1, (num, num_patches, 1),
            generator=generator)
        return (start + torch.arange(patch_size)).to(images.device)

    y, x = places(height)[..., :, None], places(width)[..., None, :]
    n = torch.arange(num, device=images.device)[:, None, None, None]
    # The channels, indexed by a slice, come last: [N, num, P, P, C].
    return images[n, :, y, x].permute(0, 1, 4, 2, 3)


def sliced_wasserstein_distance(x: Tensor,
                                y: Tensor,
                                num_projections: int = 512,
                                seed: int = 0) -> float:
    """Mean 1-Wasserstein distance of random one-dimensional projections.

    Rabin et al., "Wasserstein Barycenter and its Application to Texture
    Mixing" (2011). In one dimension, sorting gives the optimal transport.

    Args:
        x, y: Samples (N, C), of the same number.
        num_projections: Number of directions, uniform on the sphere.
        seed: Seed of the directions.

    Returns:
        The distance, 0 for equal sets.

    Raises:
        ValueError: Wrong or different shapes, NaN, no projection.
    """
    check_features('x', x)
    check_features('y', y)
    if x.shape != y.shape:
        raise ValueError('Arguments `x` and `y` must have the same shape, but '
                         f'got {tuple(x.shape)} and {tuple(y.shape)}.')
    if num_projections < 1:
        raise ValueError('Argument `num_projections` must be at least 1, but '
                         f'got {num_projections}.')
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(num_projections, x.shape[1], generator=generator)
    directions = F.normalize(directions, dim=1).to(x)
    # A few directions at a time, to bound the memory for the projections.
    distances = [(_sorted_rows(d @ x.T) - _sorted_rows(d @ y.T)).abs().mean(1)
                 for d in directions.split(32)]
    return float(torch.cat(distances).mean())


def _sorted_rows(x: Tensor) -> Tensor:
    """Each row of a matrix in ascending order."""
    if x.device.type != 'cpu':
        return x.sort(dim=1).values
    # NumPy sorts without an index, and in vector registers.
    return torch.from_numpy(np.sort(x.detach().numpy(), axis=1))
