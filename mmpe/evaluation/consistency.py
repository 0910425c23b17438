"""Consistency of a model's images across scales."""
from itertools import combinations
from typing import Any, Dict, Iterator, List, Optional, Sequence, Union

import torch
import torch.nn as nn
from torch import Tensor
from torch.utils.data import DataLoader

from mmpe.functional.distances import self_ssim
from mmpe.registry import METRICS
from mmpe.utils.wrappers import unwrap
from .base import FakeImageMetric, _Batches
from .scales import EvaluationScale, Scale, evaluation_scales

__all__ = ['CrossScaleConsistency']


class _LatentAtAllScales(_Batches):
    """Inputs that draw each batch of latents at all scales in turn."""

    def __init__(self, model: nn.Module, scales: Sequence[EvaluationScale],
                 sample_kwargs: dict, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.model = unwrap(model)
        self.kwargs = [{**sample_kwargs, **scale.sample_kwargs}
                       for scale in scales]

    def __len__(self) -> int:
        return super().__len__() * len(self.kwargs)

    def __iter__(self) -> Iterator[dict]:
        for num in self.sizes():
            noise = self.model.noise_fn(num_batches=num)
            for kwargs in self.kwargs:
                yield dict(
                    inputs=dict(
                        noise=noise, sample_kwargs=kwargs, **self.inputs))


@METRICS.register_module('SelfSSIM')
@METRICS.register_module()
class CrossScaleConsistency(FakeImageMetric):
    """Structural similarity between images of a latent at two sizes.

    SelfSSIM (Ntavelis et al., "Arbitrary-Scale Image Synthesis", CVPR 2022):
    for each pair of scales, the two images of a latent are resized to the
    smaller size and compared. Needs neither a network nor real images.

    Results: one per pair, e.g. ``256x256-384x384``, and their ``mean``; 1
    means that scales differ in resolution only.

    Args:
        fake_nums: Number of latents.
        scales: 'all' or a list of scales; see
            :func:`~mmpe.evaluation.scales.evaluation_scales`.
        fake_key: Key of the fakes in the samples, 'fake_img' if None.
        sample_model: 'ema' or 'orig'.
        collect_device: As in mmengine.
        prefix: Prefix of the names of the results, 'SelfSSIM' by default.
        sample_kwargs: Further arguments of the generator, e.g.
            ``dict(randomize_noise=False)`` to fix the injected noise of each
            size.

    Raises:
        ValueError: An argument is out of its range, or the model has only one
            scale.
    """

    name = 'SelfSSIM'
    default_prefix = 'SelfSSIM'
    per_scale = False

    def __init__(self,
                 fake_nums: int,
                 scales: Union[str, Sequence[Scale]] = 'all',
                 fake_key: Optional[str] = None,
                 sample_model: str = 'ema',
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 sample_kwargs: Optional[dict] = None) -> None:
        super().__init__(
            fake_nums,
            fake_key=fake_key,
            sample_model=sample_model,
            collect_device=collect_device,
            prefix=prefix,
            sample_kwargs=sample_kwargs)
        self.scales = scales
        self.SAMPLER_MODE = f'CrossScale {scales} {self.SAMPLER_MODE}'
        self._drawn: List[Tensor] = []

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Find the model's scales.

        Args:
            module: The model.
            dataloader: Unused.
        """
        self.found = evaluation_scales(module, self.scales)
        if len(self.found) < 2:
            raise ValueError(
                'The consistency of scales needs at least two scales, but '
                f'{type(unwrap(module)).__name__} is evaluated at '
                f'{self.found[0].label} only.')

    def get_metric_sampler(self, model: nn.Module, dataloader: DataLoader,
                           metrics: Sequence[FakeImageMetric]) -> Any:
        """Inputs for each batch of latents at all scales."""
        return _LatentAtAllScales(
            model,
            self.found,
            self.sample_kwargs,
            max(metric.fake_nums_per_device for metric in metrics),
            dataloader.batch_size,
            sample_model=self.sample_model)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Process a batch at one scale; compare after the last scale.

        Args:
            data_batch: Unused.
            data_samples: Outputs of the model.
        """
        self._drawn.append(
            torch.stack([self.fake_image(sample) for sample in data_samples]))
        if len(self._drawn) < len(self.found):
            return
        pairs = [self_ssim(x, y) for x, y in combinations(self._drawn, 2)]
        self._drawn = []
        missing = self.fake_nums_per_device - len(self.fake_results)
        rows = torch.stack(pairs, dim=1).cpu()[:missing]
        self.fake_results += rows.split(1) if len(rows) else []

    def compute_metrics(self, results_fake: Sequence[Tensor]
                        ) -> Dict[str, float]:
        """Mean similarity of each pair of scales, and of all pairs."""
        means = torch.cat(list(results_fake)).double().mean(dim=0)
        figures = {
            f'{x.label}-{y.label}': float(value)
            for (x, y), value in zip(combinations(self.found, 2), means)
        }
        return dict(figures, mean=float(means.mean()))
