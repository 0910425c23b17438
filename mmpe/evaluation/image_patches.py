"""Patches of images from a model of one photograph, beside its own.

All images are uint8 arrays (H, W, 3) in RGB order, as in ``mmpe.inference``.
"""
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.distances import (laplacian_pyramid, patch_descriptors,
                                       sliced_wasserstein_distance)
from .image_arrays import check_images, to_tensor
from .sliced_wasserstein import normalised_patches

__all__ = ['PatchMatch', 'level_names', 'nearest_patches', 'patch_swd']

_PATCH = 7
# In the smallest level, each patch has another one that it does not overlap.
_MIN_SIZE = 3 * _PATCH
_MAX_LEVELS = 4
# Patches compared at a time, which bounds the memory.
_BLOCK = 2**15


class PatchMatch(NamedTuple):
    """How well patches of images and of a photograph match.

    Attributes:
        distance: Distance from patches of the images to the nearest ones of
            the photograph, relative to that from patches of the photograph to
            the nearest ones elsewhere in it: 0 for copies, 1 if images are as
            novel as one part of the photograph is to another.
        coverage: Fraction of the photograph's patches to which an image has a
            nearer patch than the rest of the photograph, in [0, 1].
    """

    distance: float
    coverage: float


def level_names(*sizes: Tuple[int, int]) -> List[str]:
    """Names of the pyramid's levels for comparing patches.

    The smallest level has room for three patches side by side.

    Args:
        sizes: (H, W) of the images and of the photograph.

    Returns:
        '1/1' (the finest), '1/2', ...; at most four.

    Raises:
        ValueError: A size is below 21 pixels.
    """
    side = min(map(min, sizes))
    if side < _MIN_SIZE:
        raise ValueError(f'Images must be at least {_MIN_SIZE} pixels high '
                         f'and wide, but got {side}.')
    names: List[str] = []
    while side >= _MIN_SIZE and len(names) < _MAX_LEVELS:
        names.append(f'1/{2**len(names)}')
        side = -(-side // 2)
    return names


def patch_swd(images: Sequence[np.ndarray],
              photograph: np.ndarray,
              num_patches: int = 256,
              seed: int = 0) -> Dict[str, float]:
    """Sliced Wasserstein distance between patches of images and photograph.

    As in :class:`~mmpe.evaluation.SlicedWassersteinDistance`: 7 x 7 patches
    of a Laplacian pyramid, normalised per colour channel, 512 directions,
    times 1000. Patches of images in the photograph's size are taken at the
    same random places, so copies give 0. Two random sets from one image do
    not, so compare figures of equal numbers of images and patches only.

    Args:
        images: uint8 (H, W, 3), all of one size.
        photograph: uint8 (H', W', 3).
        num_patches: Patches per image and level.
        seed: Seed of places and directions.

    Returns:
        The distance at each level: '1/1' (the finest), '1/2', ...

    Raises:
        ValueError: See :func:`check_images`; or images are too small.
    """
    check_images(images, photograph)
    names = level_names(images[0].shape[:2], photograph.shape[:2])
    fake = _pyramid_patches(images, len(names), num_patches, seed)
    real = _pyramid_patches([photograph] * len(images), len(names),
                            num_patches, seed)
    return {
        name: 1000 * sliced_wasserstein_distance(
            normalised_patches(x), normalised_patches(y), seed=seed)
        for name, x, y in zip(names, fake, real)
    }


def _pyramid_patches(images: Sequence[np.ndarray], num_levels: int,
                     num_patches: int, seed: int) -> List[Tensor]:
    """Patches (N, 3, P, P) of all images at each level."""
    generator = torch.Generator().manual_seed(seed)
    patches = [[
        patch_descriptors(level, _PATCH, num_patches, generator)[0]
        for level in laplacian_pyramid(to_tensor(image), num_levels)
    ] for image in images]
    return [torch.cat(level) for level in zip(*patches)]


def nearest_patches(images: Sequence[np.ndarray],
                    photograph: np.ndarray,
                    num_patches: int = 256,
                    seed: int = 0) -> Dict[str, PatchMatch]:
    """Match 7 x 7 patches at several resolutions.

    At '1/4', for example, image and photograph are reduced to a quarter by
    averaging areas, so a patch covers 28 x 28 pixels. Distances are
    Euclidean, to the nearest of all patches; means are over random patches,
    then over images.

    Args:
        images: uint8 (H, W, 3), all of one size.
        photograph: uint8 (H', W', 3).
        num_patches: Number of patches of each image, and of the photograph,
            to match.
        seed: Seed of their places.

    Returns:
        The match at each level: '1/1' (the finest), '1/2', ...

    Raises:
        ValueError: See :func:`check_images`; or images are too small.
    """
    check_images(images, photograph)
    generator = torch.Generator().manual_seed(seed)
    matches = {}
    for name in level_names(images[0].shape[:2], photograph.shape[:2]):
        divisor = int(name.split('/')[1])
        matches[name] = _match([_reduced(x, divisor) for x in images],
                               _reduced(photograph, divisor), num_patches,
                               generator)
    return matches


def _reduced(image: np.ndarray, divisor: int) -> Tensor:
    size = [-(-side // divisor) for side in image.shape[1::-1]]
    image = image.astype(np.float32)
    # Centred at 0, where the matrix product of `_nearest` is most exact.
    return to_tensor(cv2.resize(image, size,
                                interpolation=cv2.INTER_AREA)) - 127.5


def _match(images: Sequence[Tensor], photograph: Tensor, num_patches: int,
           generator: torch.Generator) -> PatchMatch:
    places = _random_places(photograph, num_patches, generator)
    real = _patches_at(photograph, places)
    elsewhere = _nearest(real, photograph, places)
    distances, covered = [], []
    for image in images:
        fake = _patches_at(image,
                           _random_places(image, num_patches, generator))
        distances.append(_nearest(fake, photograph).mean())
        covered.append((_nearest(real, image) <= elsewhere).double().mean())
    return PatchMatch(
        float(torch.stack(distances).mean() / elsewhere.mean()),
        float(torch.stack(covered).mean()))


def _random_places(image: Tensor, num: int,
                   generator: torch.Generator) -> Tensor:
    """Top-left corners (num, 2) of patches."""
    return torch.stack([
        torch.randint(side - _PATCH + 1, (num, ), generator=generator)
        for side in image.shape[-2:]
    ], dim=1)


def _patches_at(image: Tensor, places: Tensor) -> Tensor:
    """Patches (N, C * P * P) with the given corners."""
    windows = image[0].unfold(1, _PATCH, 1).unfold(
        2, _PATCH, 1)  # [C, H, W, P, P]
    return windows[:, places[:, 0], places[:, 1]].transpose(0, 1).flatten(1)


def _all_patches(image: Tensor) -> Iterator[Tuple[Tensor, Tensor]]:
    """Corners (M, 2) and patches (M, C * P * P), a few rows at a time."""
    height, width = (side - _PATCH + 1 for side in image.shape[-2:])
    rows = max(_BLOCK // width, 1)
    for top in range(0, height, rows):
        block = image[..., top:top + rows + _PATCH - 1, :]
        places = torch.cartesian_prod(
            torch.arange(top, min(top + rows, height)), torch.arange(width))
        yield places, F.unfold(block, _PATCH)[0].T


def _nearest(patches: Tensor,
             image: Tensor,
             own_places: Optional[Tensor] = None) -> Tensor:
    """Float64 distances (N, ) of patches to the nearest ones of an image.

    Patches that overlap with the patch itself, at ``own_places``, are
    excluded.
    """
    best = torch.full((len(patches), ), torch.inf, dtype=torch.float64)
    for places, others in _all_patches(image):
        # The squared distance minus the squared norm of the patch, [N, M].
        order = others.square().sum(dim=1) - 2 * patches @ others.T
        if own_places is not None:
            shift = (own_places[:, None] - places).abs().amax(dim=-1)
            order[shift < _PATCH] = torch.inf
        values, index = order.min(dim=1)
        distances = (patches - others[index]).double().norm(dim=1)
        distances[values.isinf()] = torch.inf
        best = best.minimum(distances)
    return best
