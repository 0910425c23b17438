"""Structural similarity of images (SSIM), and of one latent at two sizes."""
import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.resample import resize_images
from ._checks import check_images

__all__ = ['self_ssim', 'ssim']

_SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5


def _gaussian_window(images: Tensor) -> Tensor:
    radius = _SSIM_WINDOW // 2
    x = torch.arange(-radius, radius + 1, device=images.device)
    window = torch.exp(-x.to(images).square() / (2 * _SSIM_SIGMA**2))
    return window / window.sum()


def _local_means(images: Tensor) -> Tensor:
    """Gaussian-weighted means over all whole windows, per channel."""
    num, channels, height, width = images.shape
    window = _gaussian_window(images)
    images = images.reshape(num * channels, 1, height, width)  # [N C, 1, H, W]
    images = F.conv2d(images, window[None, None, :, None])
    images = F.conv2d(images, window[None, None, None, :])
    return images.reshape(num, channels, *images.shape[-2:])


def ssim(x: Tensor, y: Tensor, data_range: float = 255.) -> Tensor:
    """Structural similarity of pairs of images (Wang et al., 2004).

    With the paper's constants: Gaussian window of 11 pixels and sigma 1.5,
    K1 = 0.01, K2 = 0.03. Whole windows only, separately for each channel;
    mean over windows and channels.

    Args:
        x, y: Float images (N, C, H, W), at least 11 pixels high and wide.
        data_range: Difference between the largest and smallest possible
            value.

    Returns:
        Similarities (N, ) in [-1, 1], in the dtype of the images.

    Raises:
        ValueError: Wrong or different shapes, images too small.
    """
    check_images('x', x)
    check_images('y', y)
    if x.shape != y.shape:
        raise ValueError('Arguments `x` and `y` must have the same shape, but '
                         f'got {tuple(x.shape)} and {tuple(y.shape)}.')
    if min(x.shape[-2:]) < _SSIM_WINDOW:
        raise ValueError(f'Images must be at least {_SSIM_WINDOW} pixels high '
                         f'and wide, but got {tuple(x.shape[-2:])}.')
    # [N, C, H - 10, W - 10] each. C3 = C2 / 2 merges contrast and structure.
    mean_x, mean_y = _local_means(x), _local_means(y)
    var_x = _local_means(x * x) - mean_x**2
    var_y = _local_means(y * y) - mean_y**2
    cov = _local_means(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * data_range)**2, (0.03 * data_range)**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * cov + c2) / (var_x + var_y + c2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def self_ssim(x: Tensor, y: Tensor, data_range: float = 255.) -> Tensor:
    """Similarity of images of the same latents at two sizes (SelfSSIM).

    Both are resized to the smaller height and the smaller width of the two
    and compared with :func:`ssim` (Ntavelis et al., "Arbitrary-Scale Image
    Synthesis", CVPR 2022).

    Args:
        x, y: Float images (N, C, H, W) and (N, C, H', W').
        data_range: Difference between the largest and smallest possible
            value.

    Returns:
        Similarities (N, ) in [-1, 1].

    Raises:
        ValueError: Wrong shapes, images too small.
    """
    check_images('x', x)
    check_images('y', y)
    size = (min(x.shape[2], y.shape[2]), min(x.shape[3], y.shape[3]))
    return ssim(resize_images(x, size), resize_images(y, size), data_range)
