"""Folders of images."""
from copy import deepcopy
from logging import WARNING
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from mmagic.datasets import BasicImageDataset
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmpe.registry import DATASETS, TRANSFORMS, build_from
from .singan_dataset import read_photograph

__all__ = ['ImageFolderDataset', 'LoadPhotograph', 'deliver_size']

_PIPELINE = [dict(type='LoadPhotograph'), dict(type='PackInputs', keys='gt')]


@TRANSFORMS.register_module()
class LoadPhotograph(BaseTransform):
    """Reads an image file of any common format; damaged files are errors.

    MMagic's ``LoadImageFromFile`` returns what it can decode of a truncated
    file, and does not name an unreadable one.

    Args:
        key: The image is read from ``{key}_path``, and mirrored if
            ``mirrored`` is true.
    """

    def __init__(self, key: str = 'gt') -> None:
        self.key = key

    def transform(self, results: dict) -> dict:
        """Add the image, uint8 (H, W, 3) in BGR order, to an item.

        Args:
            results: The item.

        Returns:
            The item with ``{key}``, ``ori_{key}_shape`` and
            ``{key}_channel_order``.

        Raises:
            ValueError: The file cannot be read; the error names it.
        """
        image = read_photograph(results[f'{self.key}_path'])
        if results.get('mirrored'):
            image = image[:, ::-1].copy()
        results[self.key] = image
        results[f'ori_{self.key}_shape'] = image.shape
        results[f'{self.key}_channel_order'] = 'bgr'
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(key={self.key!r})'


@DATASETS.register_module()
class ImageFolderDataset(BasicImageDataset):
    """All images of a folder, sorted by name.

    Args:
        data_root: The folder.
        mirror: Add mirrored images as further items, as StyleGAN2's code
            does. So items are the same whenever they are read, and a resumed
            training sees the same data as an uninterrupted one.
        skip_unreadable: Replace an unreadable image by the next one, with a
            warning that names it, instead of raising an error.
        num_cached: So many items are kept in memory as the pipeline returned
            them, and not read again. For pipelines without randomness.
        pipeline: Transforms; by default :class:`LoadPhotograph` and MMagic's
            ``PackInputs``.
        kwargs: As for ``mmagic.datasets.BasicImageDataset``.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: The folder has no images.
    """

    def __init__(self,
                 data_root: str,
                 mirror: bool = False,
                 skip_unreadable: bool = False,
                 num_cached: int = 0,
                 pipeline: Optional[list] = None,
                 **kwargs) -> None:
        if not data_root or not Path(data_root).is_dir():
            raise FileNotFoundError(f'There is no folder {str(data_root)!r}; '
                                    'set the folder of the images '
                                    '(`data_root` of the dataset).')
        self.mirror = mirror
        self.skip_unreadable = skip_unreadable
        self.num_cached = num_cached
        self._cache: Dict[int, dict] = {}
        kwargs.setdefault('data_prefix', dict(gt=''))
        transforms = [
            build_from(TRANSFORMS, part) if isinstance(part, dict) else part
            for part in (_PIPELINE if pipeline is None else pipeline)
        ]
        super().__init__(
            data_root=str(data_root), pipeline=transforms, **kwargs)

    def load_data_list(self) -> List[dict]:
        """Find the images.

        Returns:
            Items sorted by path, as folders have no defined order.
        """
        found = sorted(super().load_data_list(), key=lambda item: item['key'])
        if not found:
            raise ValueError(f'There are no images in {self.data_root!r} '
                             f'(files that end with {self.img_suffix}).')
        if not self.mirror:
            return found
        return found + [dict(item, mirrored=True) for item in found]

    def prepare_data(self, idx: int) -> dict:
        """Load an item, or the next readable one with ``skip_unreadable``.

        Args:
            idx: Index of the item.

        Returns:
            The item after the pipeline.

        Raises:
            ValueError: The image cannot be read and must not be skipped, or
                no image of the dataset can be read.
        """
        if idx in self._cache:
            return deepcopy(self._cache[idx])
        for index in range(idx, idx + len(self)):
            try:
                item = super().prepare_data(index % len(self))
                if len(self._cache) < self.num_cached:
                    self._cache[idx] = deepcopy(item)
                return item
            except (OSError, ValueError) as error:
                if not self.skip_unreadable:
                    raise
                print_log(f'Skipped: {error}', 'current', WARNING)
        raise ValueError(f'No image in {self.data_root!r} can be read.')


def deliver_size(pipeline: List[dict], size: Tuple[int, int]) -> None:
    """Make a pipeline resize images to at least a given size.

    Otherwise real images of a larger size would be blurred.

    Args:
        pipeline: Configs of the transforms, changed in place.
        size: Height and width.
    """
    for transform in pipeline:
        if transform['type'] == 'Resize' and isinstance(
                transform.get('scale'), (list, tuple)):
            # OpenCV's order: width and height.
            transform['scale'] = tuple(
                max(*sides) for sides in zip(transform['scale'], size[::-1]))
