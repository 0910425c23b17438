"""Search for the most probable patches, by principal components."""
from typing import Optional

import torch
from torch import Tensor

from .posterior import BLOCK_LOGITS

__all__ = ['nearest_corners', 'principal_patches']

# Elements in a block of candidates, to fit into caches.
_BLOCK_CANDIDATES = 2**20
# Largest number of patches for computing principal components.
_MAX_SAMPLES = 4096


def principal_patches(image: Tensor, patch_size: int, num: int) -> Tensor:
    """Principal components of the patches of an image.

    Args:
        image: (1, 3, H, W).
        patch_size: Side P of the patches.
        num: Number K of components, at most 3 * P * P.

    Returns:
        Orthonormal filters (K, 3, P, P); convolving an image with them
        projects all its patches.
    """
    windows = image[0].unfold(1, patch_size, 1).unfold(
        2, patch_size, 1)  # [3, H', W', P, P]
    num_rows, num_cols = windows.shape[1:3]
    # Patches overlap, so a sample is enough.
    count = num_rows * num_cols
    step = max(1, count // _MAX_SAMPLES)
    # A step that divides the width would miss whole columns.
    while step > 1 and num_cols % step == 0:
        step -= 1
    index = torch.arange(0, count, step, device=image.device)
    samples = windows[:, index // num_cols, index % num_cols]
    samples = samples.transpose(0, 1).flatten(1)
    samples = samples - samples.mean(0)
    # Eigenvalues ascend, so the last vectors are the principal ones.
    vectors = torch.linalg.eigh(samples.t() @ samples)[1]  # [3PP, 3PP]
    vectors = vectors[:, -min(num, vectors.shape[1]):].t()
    return vectors.reshape(-1, 3, patch_size, patch_size)


def nearest_corners(queries: Tensor, table: Tensor, corners: Optional[Tensor],
                    radius: int) -> Tensor:
    """Patch with the largest logit at each place, near an expected one.

    Args:
        queries: (H', W', F); a logit is the product of a query and a key.
        table: Keys (h', w', F), one per patch of the photograph.
        corners: Expected patches (2, H', W'), rows and columns of ``table``;
            None to search all patches.
        radius: The search window has a side of 2 * radius + 1.

    Returns:
        Rows and columns of the patches, int64 (2, H', W').
    """
    num_rows, num_cols, width = table.shape
    keys, flat = table.view(-1, width), queries.reshape(-1, width)
    best = torch.empty(len(flat), dtype=torch.int64, device=queries.device)
    if corners is None:
        step = max(1, BLOCK_LOGITS // len(keys))
        for start in range(0, len(flat), step):
            logits = flat[start:start + step] @ keys.t()
            best[start:start + step] = logits.argmax(1)
    else:
        offsets = torch.arange(-radius, radius + 1, device=queries.device)
        rows, cols = corners.flatten(1)[..., None]
        step = max(1, _BLOCK_CANDIDATES // (width * len(offsets)**2))
        for start in range(0, len(flat), step):
            part = slice(start, start + step)
            row = (rows[part] + offsets).clamp_(0, num_rows - 1)
            col = (cols[part] + offsets).clamp_(0, num_cols - 1)
            index = (row[:, :, None] * num_cols + col[:, None]).flatten(
                1)  # [places, (2 radius + 1)^2]
            found = keys.index_select(0, index.flatten())
            found = found.view(*index.shape, width)
            logits = (found * flat[part, None]).sum(2)
            best[part] = index.gather(1, logits.argmax(1, keepdim=True))[:, 0]
    best = best.view(queries.shape[:2])
    return torch.stack((best.div(num_cols, rounding_mode='floor'),
                        best % num_cols))
