"""Saving, resizing and arranging of images."""
import math
import os
from pathlib import Path
from typing import Sequence, Tuple, Union

import cv2
import numpy as np
import torch
from PIL import Image, ImageDraw

from .files import atomic_write

__all__ = [
    'contact_sheet', 'resize_image', 'save_gif', 'save_image', 'save_mp4',
    'to_rgb'
]

_MARGIN = 8
_LABEL_HEIGHT = 16


def to_rgb(image: torch.Tensor) -> np.ndarray:
    """Convert an image of a data sample to RGB.

    Args:
        image: (3, H, W) in BGR order, in [0, 255].

    Returns:
        uint8 (H, W, 3) in RGB order.
    """
    image = image.detach().flip(0).permute(1, 2, 0).cpu()
    return image.round().clamp(0, 255).to(torch.uint8).numpy()


def save_image(path: Union[str, os.PathLike], image: np.ndarray) -> Path:
    """Write an image as PNG, atomically.

    Args:
        path: Path of the file; missing folders are created.
        image: uint8 (H, W, 3) in RGB order.

    Returns:
        The path.

    Raises:
        OSError: The file cannot be written.
    """
    with atomic_write(path) as temporary:
        Image.fromarray(image).save(temporary, format='PNG')
    return Path(path)


def save_gif(path: Union[str, os.PathLike],
             frames: Sequence[np.ndarray],
             seconds: float = 1 / 15) -> Path:
    """Write images as a looping GIF, atomically.

    Args:
        path: Path of the file; missing folders are created.
        frames: uint8 (H, W, 3) in RGB order.
        seconds: Duration of each frame.

    Returns:
        The path.

    Raises:
        OSError: The file cannot be written.
    """
    first, *others = [Image.fromarray(frame) for frame in frames]
    with atomic_write(path) as temporary:
        first.save(
            temporary,
            format='GIF',
            save_all=True,
            append_images=others,
            duration=round(1000 * seconds),
            loop=0)
    return Path(path)


def save_mp4(path: Union[str, os.PathLike], frames: Sequence[np.ndarray],
             fps: float) -> Path:
    """Write images as an MP4 video, atomically.

    Args:
        path: Path of the file, with the suffix ``.mp4``; missing folders are
            created.
        frames: uint8 (H, W, 3) in RGB order. The last row or column of an odd
            size is repeated, as videos need even sizes.
        fps: Frames per second.

    Returns:
        The path.

    Raises:
        OSError: The file cannot be written.
    """
    frames = [
        np.pad(x, ((0, len(x) % 2), (0, x.shape[1] % 2), (0, 0)), 'edge')
        for x in frames
    ]
    height, width = frames[0].shape[:2]
    with atomic_write(path) as temporary:
        writer = cv2.VideoWriter(
            str(temporary), cv2.VideoWriter.fourcc(*'mp4v'), fps,
            (width, height))
        if not writer.isOpened():
            raise OSError(f'OpenCV cannot write the video {str(path)!r}.')
        for frame in frames:
            writer.write(frame[..., ::-1])
        writer.release()
    return Path(path)


def resize_image(image: np.ndarray, size: Tuple[int, int]) -> np.ndarray:
    """Resize an image with a bicubic filter.

    Args:
        image: uint8 (H, W, 3).
        size: (H, W) of the result.

    Returns:
        uint8 of that size.
    """
    resized = Image.fromarray(image).resize(
        size[::-1], Image.BICUBIC)  # type: ignore[attr-defined]
    return np.asarray(resized)


def contact_sheet(rows: Sequence[Sequence[Tuple[str, np.ndarray]]],
                  caption: str = '') -> np.ndarray:
    """Arrange labelled images in rows on white.

    Args:
        rows: Labels and images of each row; images are uint8 (H, W, 3) of any
            sizes.
        caption: Text below the images.

    Returns:
        uint8 (H, W, 3) in RGB order.
    """
    heights = [
        _LABEL_HEIGHT + max(image.shape[0] for _, image in row) + _MARGIN
        for row in rows
    ]
    # A label may be wider than its image.
    measure = ImageDraw.Draw(Image.new('RGB', (1, 1)))
    widths = [[
        _MARGIN + max(image.shape[1], math.ceil(measure.textlength(label)))
        for label, image in row
    ] for row in rows]
    width = max(*map(sum, widths), measure.textlength(caption) + _MARGIN)
    height = sum(heights) + (_LABEL_HEIGHT if caption else 0)
    sheet = Image.new('RGB', (math.ceil(width) + _MARGIN, height + _MARGIN),
                      'white')
    draw = ImageDraw.Draw(sheet)
    top = _MARGIN
    for row, row_widths, height in zip(rows, widths, heights):
        left = _MARGIN
        for (label, image), width in zip(row, row_widths):
            draw.text((left, top), label, fill='black')
            sheet.paste(Image.fromarray(image), (left, top + _LABEL_HEIGHT))
            left += width
        top += height
    draw.text((_MARGIN, top), caption, fill='black')
    return np.asarray(sheet)
