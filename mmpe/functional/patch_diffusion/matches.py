"""Matched pixels of a photograph, and the image that they give."""
import torch
from torch import Tensor

from .gaussian import gaussian_kernel

__all__ = ['corners_to_matches', 'matches_to_corners', 'vote']


def corners_to_matches(corners: Tensor, patch_size: int) -> Tensor:
    """Matched pixel of the photograph for each pixel of an image.

    It is the centre of the patch around the pixel; at the border, which has
    no such patch, the centre of the nearest patch plus the offset to it.

    Args:
        corners: Corners of the matched patches, int64 (2, H', W').
        patch_size: Side P of the patches, odd.

    Returns:
        Rows and columns of pixels, int64 (2, H, W).
    """
    half = patch_size // 2
    return _continued(corners, half) + half


def matches_to_corners(matches: Tensor, patch_size: int) -> Tensor:
    """Corners of the patches around matched pixels; not clamped.

    Args:
        matches: (2, H, W).
        patch_size: Side P of the patches, odd.

    Returns:
        (2, H', W'), possibly outside of the photograph.
    """
    half = patch_size // 2
    height, width = matches.shape[1:]
    return matches[:, half:height - half, half:width - half] - half


def vote(pixels: Tensor, matches: Tensor, std: float) -> Tensor:
    """Image composed of matched patches, averaged with a Gaussian window.

    Each pixel is the mean of the values that the patches matched to it and to
    its neighbours have there.

    Args:
        pixels: Photograph (h, w, 4) with an unused last channel, so that a
            pixel is one vector.
        matches: Rows and columns in it, int64 (2, H, W).
        std: Standard deviation of the window in pixels.

    Returns:
        (1, 3, H, W).
    """
    height, width = pixels.shape[:2]
    size = matches.shape[1:]
    radius = max(1, round(2 * std))
    kernel = gaussian_kernel(2 * radius + 1, std)
    near = _continued(matches, radius)
    flat = pixels.view(-1, 4)
    total = torch.zeros(
        size[0] * size[1], 4, device=pixels.device, dtype=pixels.dtype)
    for y, weight_y in zip(range(-radius, radius + 1), kernel.tolist()):
        for x, weight_x in zip(range(-radius, radius + 1), kernel.tolist()):
            rows, cols = near[:, radius - y:radius - y + size[0],
                              radius - x:radius - x + size[1]]
            index = (rows + y).clamp_(0, height - 1).mul_(width)
            index += (cols + x).clamp_(0, width - 1)
            total.add_(
                flat.index_select(0, index.flatten()),
                alpha=weight_y * weight_x)
    return total.view(1, *size, 4).permute(0, 3, 1, 2)[:, :3].contiguous()


def _continued(field: Tensor, width: int) -> Tensor:
    """Extend a field of positions (2, H, W) by a border that goes on."""
    axes = [torch.arange(-width, n + width) for n in field.shape[1:]]
    inner = [axis.clamp(0, n - 1) for axis, n in zip(axes, field.shape[1:])]
    beside = torch.stack(
        torch.meshgrid(*[a - b for a, b in zip(axes, inner)], indexing='ij'))
    return field[:, inner[0][:, None], inner[1]] + beside.to(field.device)
