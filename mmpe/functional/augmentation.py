"""Differentiable transforms of images, each image with its own amounts.

They are linear in the images or nearly so, and can be differentiated twice;
an amount of zero gives back the very same values.
"""
import torch
from torch import Tensor

__all__ = ['adjust_colour', 'cut_out', 'translate']


def translate(images: Tensor, shifts: Tensor) -> Tensor:
    """Move images by whole pixels; zeros come in at the border.

    Args:
        images: Float (N, C, H, W).
        shifts: Integers (N, 2): pixels down and to the right.

    Returns:
        (N, C, H, W).
    """
    for axis in (0, 1):
        size = images.shape[2 + axis]
        place = torch.arange(
            size, device=images.device) - shifts[:, axis, None]
        shape = (-1, 1, size, 1) if axis == 0 else (-1, 1, 1, size)
        inside = ((place >= 0) & (place < size)).view(shape)
        index = place.clamp(0, size - 1).view(shape).expand_as(images)
        images = images.gather(2 + axis, index) * inside
    return images


def adjust_colour(images: Tensor, brightness: Tensor, saturation: Tensor,
                  contrast: Tensor) -> Tensor:
    """Change brightness, then saturation, then contrast.

    Args:
        images: Float (N, C, H, W).
        brightness: (N, ), added to all values.
        saturation: (N, ): by which part the distance of a pixel's channels
            from their mean grows; -1 makes it grey.
        contrast: (N, ): by which part the distance of an image's values from
            their mean grows.

    Returns:
        (N, C, H, W), not clamped.
    """
    brightness, saturation, contrast = (
        x.view(-1, 1, 1, 1) for x in (brightness, saturation, contrast))
    images = images + brightness
    # With a sum instead of a mixture an amount of zero is exact.
    grey = images.mean(dim=1, keepdim=True)
    images = images + (images - grey) * saturation
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return images + (images - mean) * contrast


def cut_out(images: Tensor, centres: Tensor, sides: Tensor) -> Tensor:
    """Set a rectangle of each image to zero.

    Args:
        images: Float (N, C, H, W).
        centres: (N, 2), of the rectangles, as parts of height and width.
        sides: (N, ), of the rectangles, as parts of height and width; what
            lies outside of the image is left out.

    Returns:
        (N, C, H, W).
    """
    rows, columns = (
        ((torch.arange(size, device=images.device) + 0.5) / size -
         centres[:, axis, None]).abs() < sides[:, None] / 2
        for axis, size in enumerate(images.shape[-2:]))
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    return images * ~inside
