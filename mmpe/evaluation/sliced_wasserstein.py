"""Sliced Wasserstein distance between patches; needs no network."""
from typing import Any, Dict, Iterable, List, Optional, Tuple

import torch
from mmengine.dist import get_rank
from mmengine.logging import print_log
from torch import Tensor

from mmpe.functional.distances import (laplacian_pyramid, patch_descriptors,
                                       sliced_wasserstein_distance)
from mmpe.registry import METRICS
from .base import FeatureMetric, check_at_least
from .references import Size

__all__ = [
    'MIN_SIZE', 'SlicedWassersteinDistance', 'normalised_patches',
    'patch_distance'
]

MIN_SIZE = 16
_MAX_LEVELS = 4


class _PatchExtractor:
    """Patches of all levels of an image's pyramid, as one row."""

    identity = None  # random places, so not cached

    def __init__(self, patch_size: int, num_patches: int, seed: int) -> None:
        self.patch_size = patch_size
        self.num_patches = num_patches
        self.generator = torch.Generator().manual_seed(seed + get_rank())
        self.image_size: Optional[Size] = None

    def to(self, device: torch.device) -> None:
        """No-op, as patches are taken on the images' device."""

    def level_sizes(self) -> List[Size]:
        """Sizes of the levels, halved while they are large enough."""
        if self.image_size is None:
            return []
        sizes = [self.image_size]
        while (len(sizes) < _MAX_LEVELS
               and min(-(-side // 2) for side in sizes[-1]) >= MIN_SIZE):
            height, width = sizes[-1]
            sizes.append((-(-height // 2), -(-width // 2)))
        return sizes

    def __call__(self, images: Tensor) -> Tensor:
        """Rows (N, levels * patches * C * P * P) of images (N, C, H, W)."""
        size = images.shape[-2], images.shape[-1]
        if self.image_size not in (None, size):
            raise ValueError(
                'Real and generated images must have the same size, but got '
                f'{self.image_size} and {size}; see the argument '
                '`real_size`.')
        if min(size) < MIN_SIZE:
            raise ValueError(f'Images must be at least {MIN_SIZE} pixels '
                             f'high and wide, but got {size}.')
        self.image_size = size
        images = images.float()
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        levels = laplacian_pyramid(images, len(self.level_sizes()))
        patches = [
            patch_descriptors(level, self.patch_size, self.num_patches,
                              self.generator) for level in levels
        ]
        return torch.stack(patches, dim=1).flatten(1)


def normalised_patches(patches: Tensor) -> Tensor:
    """Normalise patches to mean 0 and deviation 1 in each channel.

    Args:
        patches: Float tensor (N, C, P, P).

    Returns:
        The patches as rows (N, C * P * P).
    """
    mean = patches.mean(dim=(0, 2, 3), keepdim=True)
    std = patches.std(dim=(0, 2, 3), keepdim=True)
    return ((patches - mean) / std.clamp(min=1e-8)).flatten(1)


@METRICS.register_module('SWD')
@METRICS.register_module()
class SlicedWassersteinDistance(FeatureMetric):
    """Sliced Wasserstein distance between patches (Karras et al., ICLR 2018).

    1. Compute a Laplacian pyramid of each image (binomial kernel
       [1, 4, 6, 4, 1] / 16, reflected borders) with up to 4 levels, the
       smallest one at least 16 pixels high and wide.
    2. Take ``patches_per_image`` patches of 7 x 7 pixels at random places of
       each level.
    3. Normalise the patches of each set and level to mean 0 and deviation 1
       in each colour channel.
    4. The distance of a level is the mean 1-Wasserstein distance between the
       patches projected on 512 random directions, times 1000.

    Results: one per level, named by its height, and ``avg``. Deviations from
    MMagic: fakes are drawn from latents and need not be square, and borders
    are reflected.

    Args:
        fake_nums: Number of generated and of real images; with fewer real
            ones, all of them and as many generated ones.
        image_shape: (C, H, W) as in MMagic; sets ``real_size``.
        fake_key: Key of the fakes in the samples, 'fake_img' if None.
        real_key: Key of the real images in the data samples.
        sample_model: 'ema' or 'orig'.
        collect_device: As in mmengine.
        prefix: Prefix of the names of the results, 'SWD' by default.
        sample_kwargs: Arguments of the generator, e.g.
            ``dict(chosen_scale=4)``.
        real_size: Resize real images to this (H, W); see
            :class:`~mmpe.evaluation.base.FakeImageMetric`.
        patches_per_image: Patches per image and level, 600 bytes each.
        seed: Seed of places and directions.

    Raises:
        ValueError: An argument is out of its range, or images are too small.
    """

    name = 'SWD'
    default_prefix = 'SWD'
    patch_size = 7
    num_projections = 512
    real_nums: int

    def __init__(self,
                 fake_nums: int,
                 image_shape: Optional[Tuple[int, int, int]] = None,
                 fake_key: Optional[str] = None,
                 real_key: Optional[str] = 'gt_img',
                 sample_model: str = 'ema',
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 sample_kwargs: Optional[dict] = None,
                 real_size: Optional[Size] = None,
                 patches_per_image: int = 128,
                 seed: int = 0) -> None:
        check_at_least(patches_per_image=(patches_per_image, 1))
        if real_size is None and image_shape is not None:
            real_size = image_shape[1:]
        self.patches_per_image = patches_per_image
        self.seed = seed
        super().__init__(
            fake_nums,
            fake_nums,
            fake_key,
            real_key,
            False,
            sample_model,
            collect_device,
            prefix,
            sample_kwargs,
            real_size,
            network=None)

    def prepare(self, module: torch.nn.Module,
                dataloader: torch.utils.data.DataLoader) -> None:
        """Take the patches of the real images.

        Args:
            module: The model; its device is used.
            dataloader: Data loader of the real images.
        """
        self.network = _PatchExtractor(self.patch_size, self.patches_per_image,
                                       self.seed)
        dataset: Any = dataloader.dataset
        num_images = len(dataset)
        if 0 < num_images < self.real_nums:
            print_log(
                f'{self.name} compares {num_images} images instead of '
                f'{self.real_nums}, since there are no more real ones.',
                'current')
            self.real_nums = num_images
        super().prepare(module, dataloader)

    def figures(self, fake: Tensor) -> Dict[str, float]:
        """Distance at each level and their mean, from the fakes' patches."""
        sizes = self.network.level_sizes()
        shape = (-1, len(sizes), self.patches_per_image, 3, self.patch_size,
                 self.patch_size)
        real = self.real_features.view(shape)
        fake = fake.view(shape)[:len(real)]
        values = [
            1000 * sliced_wasserstein_distance(
                normalised_patches(real[:, level].flatten(0, 1)),
                normalised_patches(fake[:, level].flatten(0, 1)),
                self.num_projections, self.seed)
            for level in range(len(sizes))
        ]
        figures = {str(size[0]): v for size, v in zip(sizes, values)}
        return dict(figures, avg=sum(values) / len(values))


def patch_distance(reals: Iterable[Tensor],
                   fakes: Iterable[Tensor],
                   seed: int = 0) -> float:
    """Sliced Wasserstein distance between two sets of images.

    Args:
        reals, fakes: Batches of BGR images (N, 3, H, W) in [0, 255], all of
            one size.
        seed: Seed of places and directions.

    Returns:
        Mean over all levels, see :class:`SlicedWassersteinDistance`.

    Raises:
        ValueError: Sizes differ, or images are too small.
    """
    metric = SlicedWassersteinDistance(1, seed=seed)
    metric.network = _PatchExtractor(metric.patch_size,
                                     metric.patches_per_image, seed)
    rows = [torch.cat([metric.rows_of(x) for x in images])
            for images in (reals, fakes)]
    metric.reference = metric.summarise(rows[0])
    return metric.figures(rows[1])['avg']
