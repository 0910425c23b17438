"""Improved precision and recall on features of VGG16."""
from typing import Dict, Optional

from torch import Tensor

from mmpe.functional.distances import precision_recall
from mmpe.registry import METRICS
from .base import FeatureMetric, check_at_least
from .networks import VGG16Features

__all__ = ['PrecisionAndRecall']


@METRICS.register_module('PR')
@METRICS.register_module()
class PrecisionAndRecall(FeatureMetric):
    """Improved precision and recall (Kynkaanniemi et al., NeurIPS 2019).

    Results ``precision`` and ``recall``, as in MMagic. Deviations from
    MMagic: radii are exact (float64, not float16), ``real_nums`` images are
    drawn without replacement, the network is read from ``vgg16_script`` only,
    and only a square tile of distances is in memory at a time.

    Args:
        fake_nums: Number of generated images, more than ``k``.
        real_nums: Number of real images, more than ``k``; -1 means all.
        k: Rank of the neighbour that sets a sample's radius.
        fake_key, real_key, need_cond_input, sample_model: As for
            :class:`~mmpe.evaluation.base.FakeImageMetric`.
        collect_device, prefix: As there.
        vgg16_script: The network's TorchScript file.
        vgg16_pkl: File of the real images' features: read if it exists,
            written otherwise. None caches them in ``cache_dir``.
        row_batch_size, col_batch_size: The smaller one is the side of a tile.
        auto_save: Write the real images' features to a file.
        kwargs: ``sample_kwargs`` and ``real_size`` as for
            :class:`~mmpe.evaluation.base.FakeImageMetric`, and ``cache_dir``
            as for :class:`~mmpe.evaluation.base.FeatureMetric`.

    Raises:
        FileNotFoundError: The network's file is missing.
        ValueError: An argument is out of its range.
    """

    name = 'PR'

    def __init__(self,
                 fake_nums: int,
                 real_nums: int = -1,
                 k: int = 3,
                 fake_key: Optional[str] = None,
                 real_key: Optional[str] = 'gt_img',
                 need_cond_input: bool = False,
                 sample_model: str = 'ema',
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 vgg16_script: str = 'work_dirs/cache/vgg16.pt',
                 vgg16_pkl: Optional[str] = None,
                 row_batch_size: int = 1024,
                 col_batch_size: int = 1024,
                 auto_save: bool = True,
                 **kwargs) -> None:
        self.tile_size = min(row_batch_size, col_batch_size)
        check_at_least(
            k=(k, 1),
            fake_nums=(fake_nums, k + 1),
            row_batch_size=(row_batch_size, 1),
            col_batch_size=(col_batch_size, 1))
        self.k = k
        super().__init__(
            fake_nums, real_nums, fake_key, real_key, need_cond_input,
            sample_model, collect_device, prefix,
            network=VGG16Features(vgg16_script),
            reference_file=vgg16_pkl,
            auto_save=auto_save,
            **kwargs)

    def figures(self, fake: Tensor) -> Dict[str, float]:
        """Precision and recall, from the fakes' features (N, F)."""
        precision, recall = precision_recall(
            self.real_features.to(self.device), fake.to(self.device), self.k,
            self.tile_size)
        return dict(precision=precision, recall=recall)
