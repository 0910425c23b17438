"""Base classes of metrics: drawing fakes, and comparing features."""
import copy
import hashlib
import math
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import torch
import torch.nn as nn
from mmagic.evaluation.metrics.base_gen_metric import GenerativeMetric
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import DataLoader

from mmpe.functional.resample import resize_images
from .references import (DEFAULT_CACHE_DIR, Arrays, Size, chosen_indices,
                         dataset_identity, extract_real_features,
                         read_reference, reference_key, write_reference)
from .scales import EvaluationScale

__all__ = ['FakeImageMetric', 'FeatureMetric', 'check_at_least']


def check_at_least(**minima: Any) -> None:
    """Check integer arguments: ``name=(value, minimum)``.

    Raises:
        ValueError: A value is not an integer or below its minimum.
    """
    for name, (value, minimum) in minima.items():
        if not isinstance(value, int) or value < minimum:
            raise ValueError(f'Argument `{name}` must be an integer of at '
                             f'least {minimum}, but got {value!r}.')


class _Batches:
    """Inputs that make a model draw exactly a number of images."""

    def __init__(self, num_images: int, batch_size: int, **inputs) -> None:
        self.num_images = num_images
        self.batch_size = batch_size
        self.inputs = inputs

    def __len__(self) -> int:
        return math.ceil(self.num_images / self.batch_size)

    def sizes(self) -> Iterator[int]:
        """Size of each batch."""
        for start in range(0, self.num_images, self.batch_size):
            yield min(self.batch_size, self.num_images - start)

    def __iter__(self) -> Iterator[dict]:
        for num in self.sizes():
            yield dict(inputs=dict(num_batches=num, **self.inputs))


class FakeImageMetric(GenerativeMetric):
    """Metric of generated images.

    Metrics with the same ``sample_model``, ``sample_kwargs`` and kind of
    input share their samples.

    Args:
        fake_nums: Number of generated images.
        real_nums: Number of real images; -1 means all.
        fake_key: Key of the fakes in the samples, 'fake_img' if None.
        real_key: Key of the real images in the data samples.
        need_cond_input: Draw conditional inputs from the dataset.
        sample_model: 'ema' or 'orig'.
        collect_device: As in mmengine.
        prefix: Prefix of the names of the results.
        sample_kwargs: Arguments of the generator, e.g.
            ``dict(chosen_scale=4)``.
        real_size: Resize real images to this (H, W), by
            :func:`mmpe.functional.resample.resize_images`. None leaves them
            as the pipeline delivers them.

    Raises:
        ValueError: An argument is out of its range.
    """

    #: Whether `MultiScaleEvaluator` makes one copy per scale.
    per_scale = True

    def __init__(self,
                 fake_nums: int,
                 real_nums: int = -1,
                 fake_key: Optional[str] = None,
                 real_key: Optional[str] = 'gt_img',
                 need_cond_input: bool = False,
                 sample_model: str = 'ema',
                 collect_device: str = 'cpu',
                 prefix: Optional[str] = None,
                 sample_kwargs: Optional[dict] = None,
                 real_size: Optional[Size] = None) -> None:
        check_at_least(fake_nums=(fake_nums, 1))
        if real_nums != -1:
            check_at_least(real_nums=(real_nums, 1))
        super().__init__(fake_nums, real_nums, fake_key, real_key or 'gt_img',
                         need_cond_input, sample_model, collect_device, prefix)
        self.real_size: Optional[Size] = None
        if real_size is not None:
            height, width = real_size
            self.real_size = height, width
        self.resizes_fakes = False
        self._set_sampling(sample_kwargs or {})

    def _set_sampling(self, sample_kwargs: dict) -> None:
        self.sample_kwargs = dict(sample_kwargs)
        # In MMagic's Evaluator, metrics with the same mode share samples.
        if sample_kwargs:
            self.SAMPLER_MODE = f'Generative {sorted(sample_kwargs.items())}'

    def at_scale(self, scale: EvaluationScale,
                 prefix: Optional[str]) -> 'FakeImageMetric':
        """A copy of the metric for one scale; networks are shared.

        Args:
            scale: Scale that sets ``real_size``, extends ``sample_kwargs``
                and says whether to resize the fakes, too.
            prefix: Prefix of the copy.

        Returns:
            The copy.
        """
        metric = copy.copy(self)
        metric.fake_results, metric.real_results = [], []
        metric.prefix = prefix
        if scale.size is not None:
            metric.real_size = scale.size
        metric.resizes_fakes = scale.resized
        metric._set_sampling({**self.sample_kwargs, **scale.sample_kwargs})
        return metric

    def get_metric_sampler(self, model: nn.Module, dataloader: DataLoader,
                           metrics: List[GenerativeMetric]) -> Any:
        """Inputs for the images shared by a group of metrics.

        Args:
            model: The model.
            dataloader: Data loader that sets the batch size.
            metrics: The group; its largest number of images is drawn.

        Returns:
            An iterable of inputs for ``model.test_step``.
        """
        if self.need_cond_input:
            return super().get_metric_sampler(model, dataloader, metrics)
        return _Batches(
            max(metric.fake_nums_per_device for metric in metrics),
            dataloader.batch_size or 1,
            sample_model=self.sample_model,
            sample_kwargs=self.sample_kwargs)

    def fake_image(self, sample: dict) -> Tensor:
        """The image (C, H, W) in an output of the model."""
        sample = sample.get(self.sample_model, sample)
        if self.fake_key is not None and self.fake_key in sample:
            return sample[self.fake_key].float()
        return sample['fake_img'].float()

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Process a batch of outputs of the model.

        Args:
            data_batch: Unused.
            data_samples: The outputs.
        """
        missing = self.fake_nums_per_device - len(self.fake_results)
        images = [self.fake_image(sample) for sample in data_samples[:missing]]
        if images:
            stacked = torch.stack(images)
            if self.resizes_fakes and self.real_size is not None:
                stacked = resize_images(stacked, self.real_size)
            self.fake_results += self.rows_of(stacked).split(1)

    def rows_of(self, images: Tensor) -> Tensor:
        """Data to keep of images (N, C, H, W): rows (N, ...) on the CPU."""
        raise NotImplementedError

    def compute_metrics(self, results_fake: Sequence[Tensor]) -> Dict:
        """Compute figures from the rows of all fakes."""
        raise NotImplementedError


class FeatureMetric(FakeImageMetric):
    """Metric that compares features of generated and real images.

    Args:
        network: Maps images (N, C, H, W), BGR in [0, 255], to features. Has
            ``to(device)`` and ``identity``, a string that identifies its
            weights, or None. Features without an identity are not cached.
        reference_file: File of the real images' features: read if it exists,
            written otherwise. None caches them in ``cache_dir``, under a name
            derived from everything they depend on.
        cache_dir: Folder of cached features.
        auto_save: Write files.
        args, kwargs: As for :class:`FakeImageMetric`.
    """

    #: Kind of the cached data: 'features' or 'statistics'.
    reference_kind = 'features'

    def __init__(self,
                 *args,
                 network: Any,
                 reference_file: Optional[str] = None,
                 cache_dir: str = DEFAULT_CACHE_DIR,
                 auto_save: bool = True,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.network = network
        self.reference_file = reference_file
        self.cache_dir = cache_dir
        self.auto_save = auto_save
        self.reference: Arrays = {}

    def rows_of(self, images: Tensor) -> Tensor:
        """Features (N, F) of images (N, C, H, W)."""
        return self.network(images).cpu()

    def summarise(self, features: Tensor) -> Arrays:
        """Data to cache of the real features (N, F)."""
        return dict(features=features.numpy())

    def compute_metrics(self, results_fake: Sequence[Tensor]) -> Dict:
        """Compute figures from the features of all fakes."""
        return self.figures(torch.cat(list(results_fake)))

    def figures(self, fake: Tensor) -> Dict[str, float]:
        """Compute figures from fake features (N, F), ``self.reference``."""
        raise NotImplementedError

    @property
    def real_features(self) -> Tensor:
        """Features (M, F) of the real images, on the main rank."""
        return torch.from_numpy(self.reference['features'])

    def prepare(self, module: nn.Module, dataloader: DataLoader) -> None:
        """Read or extract the features of the real images.

        Args:
            module: The model; its device is used.
            dataloader: Data loader of the real images.
        """
        self.device = next(module.parameters()).device
        self.network.to(self.device)
        dataset: Any = dataloader.dataset
        indices = chosen_indices(len(dataset), self.real_nums)
        key, path = self._reference_place(dataloader, indices)
        if self._read(path, key):
            return
        features = extract_real_features(self.network, dataloader, indices,
                                         self.real_key, self.real_size)
        self.reference = self.summarise(features)
        if path and self.auto_save and is_main_process():
            write_reference(path, key, self.reference)
            print_log(f'Features of real images written to `{path}`.',
                      'current')

    def _reference_place(self, dataloader: DataLoader, indices: List[int]
                         ) -> Tuple[str, Optional[Path]]:
        """Key of the real features, and the file for them or None."""
        identity = getattr(self.network, 'identity', None)
        data = dataset_identity(dataloader.dataset) if identity else None
        key = reference_key(
            kind=self.reference_kind,
            data=data,
            num_images=len(indices),
            real_key=self.real_key,
            size=self.real_size,
            network=identity)
        if self.reference_file:
            return key, Path(self.reference_file).expanduser()
        if data is None:
            return key, None
        digest = hashlib.sha256(key.encode()).hexdigest()
        name = f'{self.network.name}-{self.reference_kind}-{digest[:16]}.npz'
        return key, Path(self.cache_dir).expanduser() / name

    def _read(self, path: Optional[Path], key: str) -> bool:
        """Read the file on the main rank; returns on all if it exists."""
        found = [False]
        if path and is_main_process() and path.is_file():
            self.reference = self.read(path, key)
            print_log(f'Features of real images read from `{path}`.',
                      'current')
            found = [True]
        broadcast_object_list(found)
        return found[0]

    def read(self, path: Path, key: str) -> Arrays:
        """Read a file of real features."""
        return read_reference(path, key)
