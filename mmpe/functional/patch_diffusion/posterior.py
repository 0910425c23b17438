"""The mean over all patches."""
from typing import NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .gaussian import gaussian_kernel

__all__ = ['PatchPrior', 'all_patches', 'posterior_mean']

# Elements in a block of logits, to fit into caches.
BLOCK_LOGITS = 2**22
# Smallest noise level; there, a single patch has all the weight.
_SMALLEST_SIGMA = 1e-3


class PatchPrior(NamedTuple):
    """Log prior of a photograph's N patches at each place of an image.

    Computed as ``queries @ keys.T + bias``, up to a constant per place.

    Attributes:
        queries: (H', W', F), one per place.
        keys: (N, F), one per patch.
        bias: (N, ), one per patch.
    """

    queries: Tensor
    keys: Tensor
    bias: Tensor


def all_patches(image: Tensor, patch_size: int) -> Tensor:
    """All patches of an image, row by row.

    Args:
        image: (1, 3, H, W).
        patch_size: Side P of the patches in pixels.

    Returns:
        (H' * W', 3 * P * P).
    """
    return F.unfold(image, patch_size)[0].t().contiguous()


def posterior_mean(image: Tensor,
                   patches: Tensor,
                   patch_size: int,
                   sigma: float,
                   std: float,
                   prior: Optional[PatchPrior] = None,
                   want_best: bool = True
                   ) -> Tuple[Tensor, Optional[Tensor]]:
    r"""Posterior mean of the clean image, over all patches.

    The image is :math:`(1 - \sigma) y + \sigma \epsilon`, the interpolation
    of flow matching. Estimates of overlapping patches are averaged with a
    Gaussian window.

    Args:
        image: Noisy image (1, 3, H, W).
        patches: Patches of the photograph, (N, 3 * P * P).
        patch_size: Side P of the patches.
        sigma: Noise level, from 0 to 1.
        std: Standard deviation of the window in pixels.
        prior: Log prior of the patches; uniform by default.
        want_best: Return the most probable patches. If False, GPUs compute
            the mean with ``scaled_dot_product_attention``.

    Returns:
        The estimate (1, 3, H, W), and the index (H', W') of the most probable
        patch at each place, or None.
    """
    height, width = image.shape[2:]
    num_rows, num_cols = height - patch_size + 1, width - patch_size + 1
    sigma = max(sigma, _SMALLEST_SIGMA)
    # -|x - a p|^2 / (2 s^2) = a / s^2 x p - a^2 / (2 s^2) |p|^2 + const(x),
    # with a = 1 - s: logits are a product with the patches, plus a bias.
    factor = (1 - sigma) / sigma**2
    bias = patches.square().sum(1) * (-(1 - sigma) * factor / 2)
    if prior is not None:
        bias = bias + prior.bias
    window = gaussian_kernel(patch_size, std).to(image)
    weights = torch.outer(window, window).expand(3, -1, -1).reshape(-1, 1)
    total, norm = torch.zeros_like(image), torch.zeros_like(image[:, :1])
    best = []
    rows = max(1, BLOCK_LOGITS // (len(patches) * num_cols))
    for top in range(0, num_rows, rows):
        bottom = min(top + rows, num_rows) + patch_size - 1
        block = image[:, :, top:bottom]
        queries = F.unfold(block, patch_size)[0].t() * factor  # [H'W', 3PP]
        features = None
        if prior is not None:
            features = prior.queries[top:top + rows].flatten(0, 1)
        if image.is_cuda and not want_best:
            values = _attend_fused(queries, features, patches, prior, bias)
        else:
            values, index = _attend(queries, features, patches, prior, bias)
            best.append(index)
        size = (bottom - top, width)
        # Weighted sum of overlapping patches, and of their weights.
        total[:, :, top:bottom] += F.fold(values.t()[None] * weights, size,
                                          patch_size)
        ones = weights[-patch_size**2:].expand(-1, len(values))[None]
        norm[:, :, top:bottom] += F.fold(ones, size, patch_size)
    if not want_best:
        return total / norm, None
    return total / norm, torch.cat(best).view(num_rows, num_cols)


def _attend(queries: Tensor, features: Optional[Tensor], patches: Tensor,
            prior: Optional[PatchPrior],
            bias: Tensor) -> Tuple[Tensor, Tensor]:
    """Weighted means of all patches, and the patches of largest weight."""
    logits = torch.addmm(bias, queries, patches.t())  # [H'W', N]
    if prior is not None and features is not None:
        logits.addmm_(features, prior.keys.t())
    index = logits.argmax(1)
    return logits.softmax(1) @ patches, index


def _attend_fused(queries: Tensor, features: Optional[Tensor],
                  patches: Tensor, prior: Optional[PatchPrior],
                  bias: Tensor) -> Tensor:
    """The means only; bias and prior become additional features."""
    all_queries = [queries, queries.new_ones(len(queries), 1)]
    all_keys = [patches, bias[:, None]]
    if prior is not None and features is not None:
        all_queries.append(features)
        all_keys.append(prior.keys)
    mean = F.scaled_dot_product_attention(
        torch.cat(all_queries, 1)[None, None],
        torch.cat(all_keys, 1)[None, None],
        patches[None, None],
        scale=1.)
    return mean[0, 0]
