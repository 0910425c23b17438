"""Gaussian windows and blurs."""
import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['gaussian_blur', 'gaussian_kernel']


def gaussian_kernel(length: int, std: float) -> Tensor:
    """1-D Gaussian kernel with a sum of 1.

    Args:
        length: Number of taps, odd.
        std: Standard deviation in taps.

    Returns:
        Float32 (length, ).
    """
    taps = torch.arange(length) - (length - 1) / 2
    kernel = torch.exp(-taps.square() / (2 * std**2))
    return kernel / kernel.sum()


def gaussian_blur(image: Tensor, std: float) -> Tensor:
    """Gaussian blur with replicated borders.

    Args:
        image: (N, C, H, W).
        std: Standard deviation in pixels.

    Returns:
        (N, C, H, W).
    """
    radius = max(1, round(2.5 * std))
    kernel = gaussian_kernel(2 * radius + 1, std).to(image)
    channels = image.shape[1]
    padded = F.pad(image, (radius, ) * 4, mode='replicate')
    rows = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    blurred = F.conv2d(padded, rows, groups=channels)
    return F.conv2d(blurred, rows.transpose(2, 3), groups=channels)
