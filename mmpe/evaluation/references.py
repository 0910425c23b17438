"""Features of real images: extracted once, then cached in a file.

The file name is derived from everything the features depend on: the image
files (paths, sizes, modification times), the pipeline, the choice of images,
the image size and the network (by content).
"""
import hashlib
import json
from logging import WARNING
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
import torch
from mmengine.dist import (all_gather, get_rank, get_world_size,
                           is_main_process)
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mmpe.functional.resample import resize_images
from mmpe.utils import atomic_write
from mmpe.utils.files import check_stored
from mmpe.utils.progress import ProgressBar

__all__ = [
    'DEFAULT_CACHE_DIR', 'RealImages', 'chosen_indices', 'dataset_identity',
    'extract_real_features', 'read_reference', 'reference_key',
    'write_reference'
]

DEFAULT_CACHE_DIR = '~/.cache/openmmlab/mmpe'
Size = Tuple[int, int]
Arrays = Dict[str, np.ndarray]


def chosen_indices(num_images: int, real_nums: int) -> List[int]:
    """Indices of the real images to use.

    Args:
        num_images: Number of images in the dataset.
        real_nums: Number of images to use; -1 means all.

    Returns:
        All indices, or a fixed random choice without replacement, sorted.

    Raises:
        ValueError: There are no images, or fewer than ``real_nums``.
    """
    if num_images == 0:
        raise ValueError('The dataset of real images is empty.')
    if real_nums == -1:
        return list(range(num_images))
    if real_nums < 1 or real_nums > num_images:
        raise ValueError(
            'Argument `real_nums` must be -1 or from 1 to the number of real '
            f'images, {num_images}, but got {real_nums}.')
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(num_images, generator=generator)
    return order[:real_nums].sort().values.tolist()


class RealImages(Dataset):
    """Real images as float BGR or grey tensors (C, H, W) of one size."""

    def __init__(self, dataset: Dataset, indices: List[int],
                 real_key: str = 'gt_img',
                 size: Optional[Size] = None) -> None:
        self.dataset = dataset
        self.indices = indices
        self.real_key = real_key
        self.size = size

    def __len__(self) -> int:
        return len(self.indices)

    def original(self, index: int) -> Tensor:
        """An image as the dataset's pipeline delivers it."""
        sample = self.dataset[self.indices[index]]
        data_sample, inputs = sample['data_samples'], sample['inputs']
        image = data_sample.get(self.real_key)
        if image is None and isinstance(inputs, dict):
            image = inputs.get(self.real_key, inputs.get('img'))
        elif image is None:
            image = inputs
        if not isinstance(image, Tensor) or image.ndim != 3:
            raise ValueError(
                f'Argument `real_key` must be the key of images (C, H, W) in '
                f'the dataset, but `{self.real_key}` is '
                f'{type(image).__name__}.')
        orders = [data_sample.metainfo.get(f'{key}_channel_order')
                  for key in ('gt', 'img', self.real_key)]
        is_rgb = 'rgb' in [str(order).lower() for order in orders]
        return (image.flip(0) if is_rgb else image).float()

    def __getitem__(self, index: int) -> Tensor:
        image = self.original(index)
        if self.size is None:
            return image
        return resize_images(image[None], self.size)[0]


def _stack(images: List[Tensor]) -> Tensor:
    shapes = sorted({tuple(image.shape) for image in images})
    if len(shapes) > 1:
        raise ValueError(
            'Real images must have the same size and number of channels, but '
            f'got {shapes}; resize them in the pipeline or with the argument '
            '`real_size`.')
    return torch.stack(images)


def extract_real_features(extract: Callable[[Tensor], Tensor],
                          dataloader: DataLoader,
                          indices: List[int],
                          real_key: str = 'gt_img',
                          size: Optional[Size] = None) -> Tensor:
    """Extract features of real images, distributed over ranks.

    Args:
        extract: Maps images (N, C, H, W) to features (N, F).
        dataloader: Data loader with the dataset, the batch size and the
            number of workers.
        indices: Indices of the images.
        real_key: Key of the images in the data samples (or the inputs).
        size: Resize to this (H, W), bilinearly with antialiasing; None leaves
            images as they are.

    Returns:
        Features (len(indices), F) on the CPU, the same on all ranks.
    """
    share = -(-len(indices) // get_world_size())
    # Padded with the first images, so that all ranks have the same number.
    padded = indices * (1 + share * get_world_size() // len(indices))
    mine = padded[get_rank() * share:(get_rank() + 1) * share]
    images = RealImages(dataloader.dataset, mine, real_key, size)
    _warn_if_enlarged(images)
    batches = DataLoader(
        images,
        batch_size=dataloader.batch_size,
        num_workers=dataloader.num_workers,
        collate_fn=_stack,
        # By default it would draw from the global generator, and the fakes
        # would depend on whether a file of features exists.
        generator=torch.Generator())
    features = torch.cat([
        extract(batch).cpu()
        for batch in ProgressBar(
            batches,
            'Real images',
            unit='batch',
            leave=False,
            disable=not is_main_process())
    ])
    return torch.cat(all_gather(features))[:len(indices)]


def _warn_if_enlarged(images: RealImages) -> None:
    if images.size is None:
        return
    size = tuple(images.original(0).shape[-2:])
    if size[0] < images.size[0] or size[1] < images.size[1]:
        print_log(
            f'The real images (the first has {size}) are smaller than the '
            f'evaluated size {tuple(images.size)} and are enlarged: figures '
            'compare with blurred images.', 'current', WARNING)


def dataset_identity(dataset: Any) -> Optional[str]:
    """Digest of a dataset's files, their sizes and modification times.

    Args:
        dataset: A dataset whose ``get_data_info`` returns paths in keys that
            end with ``path``, as mmengine's do.

    Returns:
        The digest, or None if the dataset does not list its files.
    """
    if not hasattr(dataset, 'get_data_info'):
        return None
    digest = hashlib.sha256()
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        paths = sorted({
            Path(value)
            for key, value in info.items()
            if key.endswith('path') and Path(str(value)).is_file()
        })
        if not paths:
            return None
        for path in paths:
            stat = path.stat()
            digest.update(f'{path.resolve()}|{stat.st_size}|'
                          f'{stat.st_mtime_ns}\n'.encode())
    pipeline = getattr(dataset, 'pipeline', None)
    digest.update(repr(pipeline).encode())
    return digest.hexdigest()


def reference_key(**parts: object) -> str:
    """Everything that a reference depends on, as one line of JSON."""
    return json.dumps(parts, sort_keys=True, default=list)


def write_reference(path: Path, key: str, arrays: Arrays) -> None:
    """Write a reference (``.npz``) atomically.

    Args:
        path: The file.
        key: Key of what the arrays depend on.
        arrays: The arrays.
    """
    content: Dict[str, Any] = dict(key=np.array(key), **arrays)
    with atomic_write(path) as temporary:
        with open(temporary, 'wb') as file:
            np.savez(file, **content)


def read_reference(path: Path, key: str) -> Arrays:
    """Read a reference, without unpickling anything.

    Args:
        path: A file of :func:`write_reference`.
        key: Expected key.

    Returns:
        The arrays.

    Raises:
        ValueError: The file is damaged, or has another key.
    """
    try:
        check_stored(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        found = str(arrays.pop('key'))
    except FileNotFoundError:
        raise
    except Exception as error:  # damaged data can fail in any way
        reason = ' '.join(str(error).split())
        raise ValueError(f'`{path}` is not a file of real features of mmpe, '
                         f'or is damaged ({reason}); delete it to have '
                         'it recreated.') from error
    if found != key:
        found = ' '.join(found.split())
        raise ValueError(
            f'`{path}` was made for other images, another image size or '
            f'another network: it has {found}, but this run has {key}.')
    return arrays
