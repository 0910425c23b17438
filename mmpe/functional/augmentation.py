"""Differentiable image transforms with one strength per image.

They are linear in the images, or nearly so, and twice differentiable; a
strength of zero returns the same values exactly.
"""
import torch
from torch import Tensor

__all__ = ['adjust_colour', 'cut_out', 'translate']


def translate(images: Tensor, shifts: Tensor) -> Tensor:
    """Shift images by whole pixels, with zeros at the border.

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
        # Source index of each pixel along this axis, [N, C, H, W].
        index = place.clamp(0, size - 1).view(shape).expand_as(images)
        images = images.gather(2 + axis, index) * inside
    return images


def adjust_colour(images: Tensor, brightness: Tensor, saturation: Tensor,
                  contrast: Tensor) -> Tensor:
    """Change brightness, then saturation, then contrast.

    Args:
        images: Float (N, C, H, W).
        brightness: (N, ), added to all values.
        saturation: (N, ), relative change of a pixel's distance from its mean
            over channels; -1 gives grey.
        contrast: (N, ), relative change of the values' distance from the
            image's mean.

    Returns:
        (N, C, H, W), not clamped.
    """
    brightness, saturation, contrast = (
        x.view(-1, 1, 1, 1) for x in (brightness, saturation, contrast))
    images = images + brightness
    # A sum, not a mixture, which would not be exact at zero strength.
    grey = images.mean(dim=1, keepdim=True)
    images = images + (images - grey) * saturation
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return images + (images - mean) * contrast


def cut_out(images: Tensor, centres: Tensor, sides: Tensor) -> Tensor:
    """Set a rectangle of each image to zero.

    Args:
        images: Float (N, C, H, W).
        centres: Centres (N, 2) of the rectangles, as fractions of height and
            width.
        sides: Sides (N, ) of the rectangles, as fractions of height and
            width; rectangles are clipped to the image.

    Returns:
        (N, C, H, W).
    """
    rows, columns = (
        ((torch.arange(size, device=images.device) + 0.5) / size -
         centres[:, axis, None]).abs() < sides[:, None] / 2
        for axis, size in enumerate(images.shape[-2:]))
    inside = rows[:, None, :, None] & columns[:, None, None, :]  # [N, 1, H, W]
    return images * ~inside
