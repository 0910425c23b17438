"""Image pyramid of one photograph, for training SinGAN."""
import functools
import math
import os.path as osp
import warnings
from copy import deepcopy
from typing import BinaryIO, Dict, List, Optional, Tuple, Union

import mmcv
import numpy as np
from mmagic.datasets.transforms import PackInputs
from mmengine.dataset import BaseDataset
from PIL import Image, ImageOps, UnidentifiedImageError

from mmpe.functional.pyramid import last_stage, pyramid_sizes
from mmpe.registry import DATASETS

__all__ = [
    'SinGANDataset', 'create_real_pyramid', 'num_scales_of', 'open_rgb',
    'read_photograph'
]


def read_photograph(path: str) -> np.ndarray:
    """Read an image file of any common format as 8-bit colour.

    Greyscale, palette, CMYK and 16-bit files are converted, the orientation
    tag is applied, and transparent pixels are composed over white.

    Args:
        path: Path of the image file.

    Returns:
        uint8 (H, W, 3) in [0, 255], in OpenMMLab's BGR order.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not an image, or is damaged.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(
            f'There is no image file at {path!r}; set the path of the '
            'photograph (`data_root` of the dataset).')
    rgb = open_rgb(path, path)
    return np.ascontiguousarray(np.asarray(rgb)[..., ::-1])


def open_rgb(file: Union[str, BinaryIO],
             name: str,
             most_pixels: float = math.inf) -> Image.Image:
    """Read an image as :func:`read_photograph` does.

    Args:
        file: The file, or its path.
        name: Name of the file in errors.
        most_pixels: Largest number of pixels.

    Returns:
        The image in mode RGB.

    Raises:
        ValueError: The file is not an image, is damaged or has more pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about damaged tags
            warnings.simplefilter('error', Image.DecompressionBombWarning)
            with Image.open(file, formats=_formats()) as image:
                num_pixels = math.prod(image.size)
                if num_pixels > most_pixels:
                    raise ValueError(
                        f'it has {num_pixels / 1e6:.1f} megapixels, more than '
                        f'the limit of {most_pixels / 1e6:.0f}')
                ImageOps.exif_transpose(image, in_place=True)
                return _to_rgb(image)
    except UnidentifiedImageError:
        raise ValueError(f'{name!r} is not an image file that can be read '
                         '(PNG, JPEG, TIFF, WebP, BMP, ...).') from None
    except FileNotFoundError:
        raise
    except Exception as error:  # damaged data can fail in any way
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise ValueError(f'The image file {name!r} cannot be read: '
                         f'{reason}') from error


@functools.cache
def _formats() -> List[str]:
    """Formats that Pillow reads itself; for EPS it would run Ghostscript."""
    Image.init()
    return [name for name in Image.ID if name != 'EPS']


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith('I'):  # 16 bits; Pillow would clip at 255
        # In place, to save memory.
        values = np.array(image, np.int32).clip(0, 65535)
        values += 128
        values //= 257
        return Image.fromarray(values.astype(np.uint8)).convert('RGB')
    if image.mode in ('RGBA', 'LA', 'PA') or 'transparency' in image.info:
        image = image.convert('RGBA')
        white = Image.new('RGB', image.size, 'white')
        white.paste(image, mask=image)
        return white
    return image.convert('RGB')


def num_scales_of(path: str,
                  min_size: int,
                  max_size: int,
                  scale_factor_init: float = 0.5,
                  doubling: bool = False) -> int:
    """``num_scales`` (counted from zero) of a photograph.

    Args:
        path: Path of the image file.
        min_size, max_size, scale_factor_init, doubling: As for
            :class:`SinGANDataset`.

    Returns:
        Index of the finest scale.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not an image, or the image is too small.
    """
    return last_stage(
        read_photograph(path).shape[:2], min_size, max_size,
        scale_factor_init, doubling)


def create_real_pyramid(
        real: np.ndarray,
        min_size: int,
        max_size: int,
        scale_factor_init: float = 0.5,
        doubling: bool = False) -> Tuple[List[np.ndarray], float, int]:
    """Create the image pyramid of a photograph.

    The long side of the finest image is at most ``max_size``, the short side
    of the coarsest one is ``min_size``. With doubling sizes it is close to
    ``min_size``, and images are resized by area instead of bilinearly.

    Args:
        real: Image (H, W, 3).
        min_size, max_size, scale_factor_init, doubling: As for
            :class:`SinGANDataset`.

    Returns:
        The images, the coarsest first; the actual ratio of neighbouring
        sizes; and the index of the finest image.

    Raises:
        ValueError: See :func:`mmpe.functional.pyramid.last_stage`.
    """
    sizes = pyramid_sizes(real.shape[:2], min_size, max_size,
                          scale_factor_init, doubling)
    # OpenCV's 'area' averages over a pixel's area, even if an axis grows.
    method = 'area' if doubling else 'bilinear'
    finest = mmcv.imresize(real, sizes[-1][::-1], interpolation=method)
    reals = [
        mmcv.imresize(finest, size[::-1], interpolation=method)
        for size in sizes
    ]
    factor = (min(sizes[0]) / min(sizes[-1]))**(1 / (len(sizes) - 1))
    return reals, factor, len(sizes) - 1


@DATASETS.register_module()
class SinGANDataset(BaseDataset):
    """Dataset in which each item is the pyramid of the same photograph.

    Args:
        data_root: Path of the image file, in any format that Pillow reads.
        min_size: Short side of the coarsest image in pixels.
        max_size: Upper bound on the long side of the finest image in pixels.
        scale_factor_init: Desired ratio of neighbouring sizes; ignored with
            ``doubling``.
        pipeline: Transforms of the item, which has the keys ``input_sample``
            and ``real_scale0``, ``real_scale1``, ... By default everything is
            packed; images of the pyramid that a pipeline omits are added.
        num_samples: Length of the dataset; -1 means endless (a million).
        doubling: Make each image exactly twice as large as the previous one,
            by averaging the finest one's pixels. The coarsest short side is
            then only close to ``min_size``, see
            :func:`mmpe.functional.pyramid.doubling_sizes`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not an image, or the image is too small.
    """

    def __init__(self,
                 data_root: str,
                 min_size: int,
                 max_size: int,
                 scale_factor_init: float = 0.5,
                 pipeline: Optional[list] = None,
                 num_samples: int = -1,
                 doubling: bool = False) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.scale_factor_init = scale_factor_init
        self.num_samples = num_samples
        self.doubling = doubling
        super().__init__(data_root=data_root, pipeline=pipeline or [])

    def full_init(self) -> None:
        """Read the photograph and create its pyramid."""
        self.reals, self.scale_factor, self.stop_scale = create_real_pyramid(
            read_photograph(self.data_root), self.min_size, self.max_size,
            self.scale_factor_init, self.doubling)
        self._item = self._pack()

    def _pack(self) -> Dict[str, object]:
        data = {f'real_scale{i}': real for i, real in enumerate(self.reals)}
        data['input_sample'] = np.zeros_like(self.reals[0], dtype=np.float32)
        packed = PackInputs(keys=list(data))(data)
        if not self.pipeline.transforms:
            return packed
        item = self.pipeline(deepcopy(data))
        item['inputs'] = {**packed['inputs'], **item['inputs']}
        return item

    def __getitem__(self, idx: int) -> Dict[str, object]:
        """The packed pyramid.

        Args:
            idx: Ignored, as all items are the same.

        Returns:
            ``inputs``, a dict of uint8 images (3, H, W) in BGR order named
            ``real_scale{i}`` and the float32 ``input_sample``, zeros of the
            coarsest size; ``data_samples``.
        """
        return self._item

    def __len__(self) -> int:
        return int(1e6) if self.num_samples < 0 else self.num_samples
