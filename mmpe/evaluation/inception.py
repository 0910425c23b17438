"""FID and KID: distances between features of InceptionV3."""
from pathlib import Path
from typing import Dict, Optional

import numpy as np
import torch
from torch import Tensor

from mmpe.checkpoint import load_pickle
from mmpe.functional.distances import (feature_statistics, frechet_distance,
                                       kernel_distance)
from mmpe.registry import METRICS
from .base import FeatureMetric, check_at_least
from .networks import inception_features
from .references import Arrays

__all__ = ['FrechetInceptionDistance', 'KernelInceptionDistance']


class _InceptionMetric(FeatureMetric):
    """Metric of InceptionV3's features, with MMagic's arguments."""

    def __init__(self,
                 fake_nums: int,
                 real_nums: int = -1,
                 inception_style: str = 'StyleGAN',
                 inception_path: Optional[str] = None,
                 inception_pkl: Optional[str] = None,
                 fake_key: Optional[str] = None,
                 real_key: Optional[str] = 'gt_img',
                 need_cond_input: bool = False,
                 sample_model: str = 'orig',
                 *args,
                 **kwargs) -> None:
        super().__init__(
            fake_nums, real_nums, fake_key, real_key, need_cond_input,
            sample_model, *args,
            network=inception_features(inception_style, inception_path),
            reference_file=inception_pkl,
            **kwargs)


@METRICS.register_module('FID-Full')
@METRICS.register_module('FID')
@METRICS.register_module()
class FrechetInceptionDistance(_InceptionMetric):
    """Frechet Inception distance (Heusel et al., NeurIPS 2017).

    Results as in MMagic: ``fid``, and its two terms ``mean`` and ``cov``.
    Deviations from MMagic: 8-bit images for StyleGAN's network are rounded,
    not truncated; ``real_nums`` images are drawn at random, not the first
    ones; a missing network file is an error.

    Args:
        fake_nums: Number of generated images, at least 2.
        real_nums: Number of real images; -1 means all.
        inception_style: 'StyleGAN' (TorchScript file) or 'pytorch'.
        inception_path: The network's file. None searches the download folders
            of torch hub and MMagic.
        inception_pkl: File of the real images' statistics: read if it exists
            (mmpe's, or MMagic's pickle), written otherwise. None caches them
            in ``cache_dir``.
        fake_key, real_key, need_cond_input, sample_model, args, kwargs: As
            for :class:`~mmpe.evaluation.base.FakeImageMetric`, and
            ``cache_dir`` as for
            :class:`~mmpe.evaluation.base.FeatureMetric`.

    Raises:
        FileNotFoundError: The network's file is missing.
        ValueError: An argument is out of its range.
    """

    name = 'FID'
    reference_kind = 'statistics'

    def summarise(self, features: Tensor) -> Arrays:
        """Mean and covariance of the real features (N, F)."""
        mean, cov = feature_statistics(features)
        return dict(real_mean=mean.numpy(), real_cov=cov.numpy())

    def read(self, path: Path, key: str) -> Arrays:
        """Read a file of statistics, mmpe's or MMagic's."""
        with open(path, 'rb') as file:
            is_ours = file.read(2) == b'PK'
        if is_ours:
            return super().read(path, key)
        state = load_pickle(path)
        names = ('real_mean', 'real_cov')
        if not isinstance(state, dict) or not set(names) <= set(state):
            raise ValueError(f'`{path}` must have {" and ".join(names)}.')
        arrays = {name: state[name] for name in names}
        shapes = [x.shape for x in arrays.values()
                  if isinstance(x, np.ndarray) and x.dtype.kind == 'f']
        if len(shapes) < 2 or len(
                shapes[0]) != 1 or shapes[1] != 2 * shapes[0]:
            raise ValueError(f'`{path}` is damaged: `real_mean` and '
                             '`real_cov` must be floating-point arrays (F, ) '
                             'and (F, F).')
        return arrays

    def figures(self, fake: Tensor) -> Dict[str, float]:
        """FID and its terms, from the fakes' features (N, F)."""
        real = [
            torch.from_numpy(self.reference[name])
            for name in ('real_mean', 'real_cov')
        ]
        stats = feature_statistics(fake)
        fid = frechet_distance(*stats, *real)
        mean = float((stats[0] - real[0]).square().sum())
        return dict(fid=fid, mean=mean, cov=fid - mean)


@METRICS.register_module('KID')
@METRICS.register_module()
class KernelInceptionDistance(_InceptionMetric):
    """Kernel Inception distance (Binkowski et al., ICLR 2018).

    Unbiased squared MMD with a cubic kernel. Results: mean ``kid`` and
    standard deviation ``kid_std`` over random subsets, not multiplied by
    1000.

    Args:
        args: As for :class:`FrechetInceptionDistance`.
        num_subsets: Number of subsets.
        subset_size: Samples per subset; all if there are fewer.
        kwargs: As for :class:`FrechetInceptionDistance`.

    Raises:
        FileNotFoundError: The network's file is missing.
        ValueError: An argument is out of its range.
    """

    name = 'KID'

    def __init__(self,
                 *args,
                 num_subsets: int = 100,
                 subset_size: int = 1000,
                 **kwargs) -> None:
        check_at_least(
            num_subsets=(num_subsets, 1), subset_size=(subset_size, 2))
        super().__init__(*args, **kwargs)
        self.num_subsets = num_subsets
        self.subset_size = subset_size

    def figures(self, fake: Tensor) -> Dict[str, float]:
        """KID, from the fakes' features (N, F)."""
        kid, std = kernel_distance(
            self.real_features, fake, self.num_subsets,
            min(self.subset_size, len(fake), len(self.real_features)))
        return dict(kid=kid, kid_std=std)
