"""Files of layout edits."""
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import cv2
import numpy as np

from mmpe.utils.files import PathLike, atomic_write
from .layout import LayoutEdit

__all__ = ['parse_edits', 'read_edits', 'write_edits']

Size = Tuple[int, int]
# Limits of a file: far more than needed, and quick to read.
_MOST_BYTES, _MOST_EDITS, _MOST_POINTS, _LONGEST = 2**20, 100, 5000, 2**16
_NUMBERS = dict(shift=2, scale=2, angle=0, feather=0, margin=0)
_SWITCHES = 'keep', 'remove'
_KEYS = ('region', 'outline', 'flip', *_NUMBERS, *_SWITCHES)


def read_edits(path: PathLike, size: Size) -> List[LayoutEdit]:
    """Read a file of edits.

    The file is JSON: ``{"size": [H, W], "edits": [...]}``, with the size of
    the image that the edits were made for. An edit has some of the arguments
    of :class:`.LayoutEdit`: ``region`` (top, left, bottom, right), ``shift``
    (down, right), ``scale`` (height, width), ``angle``, ``flip``, ``keep``,
    ``remove``, ``feather`` and ``margin``. Instead of ``region``, it can have
    an ``outline``, the corners (y, x) of a polygon.

    Args:
        path: Path of the file.
        size: (H, W) of the output; pixels in the file are scaled to it.

    Returns:
        The edits, in order.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a file of edits, or see
            :class:`.LayoutEdit`.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f'There is no file of edits {str(path)!r}.')
    if os.path.getsize(path) > _MOST_BYTES:
        raise ValueError(f'The file of edits {str(path)!r} has more than '
                         f'{_MOST_BYTES} bytes.')
    try:
        content = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError):
        raise ValueError(f'{str(path)!r} is not a file of edits: it is not '
                         'JSON.') from None
    try:
        return parse_edits(content, size)
    except ValueError as error:
        raise ValueError(f'{str(path)!r}: {error}') from None


def write_edits(path: PathLike, edits: Sequence[Dict[str, Any]],
                size: Size) -> Path:
    """Write a file of edits.

    Args:
        path: Path of the file; missing folders are created.
        edits: The edits, in the format of the file.
        size: (H, W) of the image that they were made for.

    Returns:
        The path.

    Raises:
        OSError: The file cannot be written.
        ValueError: The edits are invalid.
    """
    content = dict(size=list(size), edits=list(edits))
    parse_edits(content, size)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + '\n')
    return Path(path)


def parse_edits(content: object, size: Size) -> List[LayoutEdit]:
    """Parse the content of a file of edits.

    Args:
        content: The parsed JSON.
        size: As for :func:`read_edits`.

    Returns:
        The edits, in order.

    Raises:
        ValueError: The content is invalid.
    """
    if not isinstance(content, dict) or set(content) != {'size', 'edits'}:
        raise ValueError('Edits must be a JSON object with "size" and '
                         '"edits".')
    drawn_on, edits = _numbers('size', content['size'], 2), content['edits']
    if any(x != int(x) or not 1 <= x <= _LONGEST for x in drawn_on):
        raise ValueError('The size of edits must be two whole numbers from 1 '
                         f'to {_LONGEST}, but got {drawn_on}.')
    if not isinstance(edits, list) or not 1 <= len(edits) <= _MOST_EDITS:
        raise ValueError(f'There must be from 1 to {_MOST_EDITS} edits.')
    factors = np.divide(size, drawn_on)
    return [_parse_edit(edit, size, factors) for edit in edits]


def _parse_edit(edit: object, size: Size, factors: np.ndarray) -> LayoutEdit:
    if not isinstance(edit, dict) or not set(edit) <= set(_KEYS):
        raise ValueError('An edit must be an object with some of '
                         f'{", ".join(_KEYS)}.')
    if 'region' in edit and 'outline' in edit:
        raise ValueError('An edit cannot have both "region" and "outline".')
    options: Dict[str, Any] = {}
    for name, length in _NUMBERS.items():
        if edit.get(name) is not None:
            options[name] = _numbers(name, edit[name], length)
    for name in _SWITCHES:
        if not isinstance(edit.get(name, False), bool):
            raise ValueError(f'"{name}" of an edit must be true or false.')
        options[name] = edit.get(name, False)
    options['flip'] = edit.get('flip')
    if not isinstance(options['flip'], (str, type(None))):
        raise ValueError('"flip" of an edit must be a string.')
    if 'shift' in options:
        options['shift'] = tuple(float(x) for x in options['shift'] * factors)
    if 'scale' in options:
        options['scale'] = tuple(options['scale'])
    for name in ('feather', 'margin'):
        if name in options:
            options[name] = float(options[name] * factors.mean())
    if edit.get('region') is not None:
        box = np.array(_numbers('region', edit['region'], 4))
        options['region'] = tuple(
            int(x) for x in (box * np.tile(factors, 2)).round())
    elif edit.get('outline') is not None:
        options['region'] = _inside(edit['outline'], size, factors)
    return LayoutEdit(**options)


def _inside(outline: object, size: Size, factors: np.ndarray) -> np.ndarray:
    """Mask of the inside of an outline."""
    if not isinstance(outline, list) or not 3 <= len(outline) <= _MOST_POINTS:
        raise ValueError('"outline" of an edit must have from 3 to '
                         f'{_MOST_POINTS} corners.')
    corners = np.array([_numbers('outline', x, 2) for x in outline]) * factors
    corners = corners.round().astype(np.int32)
    mask = np.zeros(size, np.uint8)
    cv2.fillPoly(mask, [corners[:, ::-1]], 1)
    if not mask.any():
        raise ValueError('"outline" of an edit must enclose a part of the '
                         f'output, {size[0]} x {size[1]} pixels.')
    return mask.astype(bool)


def _numbers(name: str, value: object, length: int) -> Any:
    """Check a number, or a list of ``length`` numbers."""
    numbers = value if length else [value]
    if (not isinstance(numbers, list) or len(numbers) != (length or 1)
            or not all(isinstance(x, (int, float)) and not isinstance(x, bool)
                       and abs(x) <= _LONGEST for x in numbers)):
        raise ValueError(f'"{name}" of edits must be '
                         f'{f"{length} numbers" if length else "a number"} of '
                         f'at most {_LONGEST}.')
    return value
