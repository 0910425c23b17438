"""Checks of the arguments of distances."""
import torch
from torch import Tensor

__all__ = ['check_features', 'check_images', 'check_same_width']


def check_features(name: str, features: Tensor, min_num: int = 1) -> None:
    if features.ndim != 2 or features.dtype not in (torch.float32,
                                                    torch.float64):
        raise ValueError(
            f'Argument `{name}` must be a float32 or float64 tensor of shape '
            f'(N, C), but got {features.dtype} of shape '
            f'{tuple(features.shape)}.')
    if len(features) < min_num:
        raise ValueError(f'Argument `{name}` must have at least {min_num} '
                         f'samples, but got {len(features)}.')
    # The sum is finite only if all values are, and needs no second array.
    if not features.sum().isfinite():
        raise ValueError(f'Argument `{name}` must be finite, but got NaN or '
                         'infinite values.')


def check_same_width(real: Tensor, fake: Tensor) -> None:
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            'Arguments `real` and `fake` must have the same number of '
            f'features, but got {real.shape[1]} and {fake.shape[1]}.')


def check_images(name: str, images: Tensor) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f'Argument `{name}` must be a floating-point tensor of shape '
            f'(N, C, H, W), but got {images.dtype} of shape '
            f'{tuple(images.shape)}.')
