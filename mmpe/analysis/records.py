"""Measurements of trained models, for the claims."""
from copy import deepcopy
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmpe.evaluation.networks import EffLite0Features
from mmpe.evaluation.perceptual import EffLite0SIFIDFeatures, sifid
from mmpe.evaluation.single_image import layout_correlation, patch_swd
from mmpe.evaluation.sliced_wasserstein import patch_distance
from mmpe.functional.distances import kernel_distance
from mmpe.inference import load
from mmpe.models import ContextSinGAN
from mmpe.registry import DATASETS, build_from
from .analyse import decibels, plain
from .features import collect, feature_layers
from .measures import (border_distance, decibel, jackknife, layout_agreement,
                       location_share, padding_part, padding_reach, profile,
                       without_phases)
from .padding import pad_with
from .probes import read_place, shuffled_places
from .subjects import Subject, from_checkpoint
from .trainings import Trained

__all__ = ['FACTORS', 'Folder', 'measure', 'measure_features']

Record = Dict[str, Any]
Pictures = Dict[str, np.ndarray]
# Sizes of images, relative to training.
FACTORS = (1., 1.5, 2.)
_LATENTS = 64
_SAMPLES = 16  # from a SinGAN
_SHOWN = 10  # in figures
_FAKES = 128  # from other networks
_MAX_REAL = 256
_WHITE = 255.


class Folder:
    """Images of a folder and their features, at any size.

    Args:
        data_root: The folder.
        config: Config of a training, with the pipeline that makes images
            square.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: The folder has no images.
    """

    def __init__(self, data_root: str, config: str) -> None:
        self._settings = Config.fromfile(config).train_dataloader.dataset
        self._settings.update(data_root=data_root, mirror=False)
        self._images: Dict[int, Tensor] = {}
        self._features: Dict[int, Tensor] = {}
        self.network = EffLite0Features()
        self._dataset(1)

    def _dataset(self, size: int) -> Any:
        settings = deepcopy(self._settings)
        for step in settings.pipeline:
            if step.type == 'Resize':
                step.scale = (size, size)
        return build_from(DATASETS, settings)

    def images(self, size: int) -> Tensor:
        """Up to 256 images (N, 3, size, size), BGR in [-1, 1]."""
        if size not in self._images:
            dataset = self._dataset(size)
            step = max(1, -(-len(dataset) // _MAX_REAL))
            self._images[size] = torch.stack([
                dataset[index]['data_samples'].gt_img
                for index in range(0, len(dataset), step)
            ]) / (_WHITE / 2) - 1
        return self._images[size]

    def features(self, size: int) -> Tensor:
        """Features (N, 1280) of the images from EfficientNet-Lite0."""
        if size not in self._features:
            self._features[size] = self.extract(self.images(size))
        return self._features[size]

    def extract(self, images: Tensor) -> Tensor:
        """Features (N, 1280) of BGR images (N, 3, H, W) in [-1, 1]."""
        pixels = (images + 1) * (_WHITE / 2)
        return torch.cat([self.network(part) for part in pixels.split(32)])


def measure(trained: Trained,
            folder: Optional[Folder] = None) -> Tuple[Record, Pictures]:
    """Measure a trained model.

    Args:
        trained: The training.
        folder: Training images; not needed for SinGANs.

    Returns:
        Figures in JSON types, and a few samples by name, uint8 RGB
        (N, H, W, 3).

    Raises:
        ValueError: The folder is missing.
    """
    subject = from_checkpoint(trained.config, trained.checkpoint)
    if 'singan' in trained.name:
        record, pictures = _of_photograph(subject, trained)
    elif folder is not None:
        record, pictures = _of_folder(subject, trained, folder)
    else:
        raise ValueError('Argument `folder` is required except for SinGANs.')
    return {**record, **measure_features(subject)}, pictures


def measure_features(subject: Subject,
                     num: int = _LATENTS,
                     seed: int = 0) -> Record:
    """Measure positional information in the features of a network.

    Args:
        subject: The network.
        num: Number of latents.
        seed: Seed of the latents.

    Returns:
        ``layers``: location share of each layer with its error. For the
        ``deepest`` layer and the ``output``: ``share`` with its profile; the
        probe in zones (``near``, ``middle``) and in ``rings`` of equal
        distance to the border, relative to the error of guessing;
        ``relation_profile``, the change of the mean over latents between
        neighbours; and, with padding, ``ppp_snr_db`` and
        ``padding_db_profile``. Phases of upsampling, which repeat with the
        cells of the smallest map, are excluded.
    """
    sizes = feature_layers(subject.model, lambda: subject.run(2, seed))
    features = collect(subject.model, lambda: subject.run(num, seed),
                       list(sizes), sizes)
    padded = dict(features)
    layers = []
    for name, x in features.items():
        x = features[name] = without_phases(x, _period(sizes, name))
        share, error = jackknife(lambda x: location_share(x).ratio, x)
        layers.append(
            dict(name=name, size=list(x.shape[2:]), share=share, error=error))
    deep = [name for name, x in features.items() if name and x.shape[1] > 4]
    named = dict(deepest=deep[-1], output='')
    record: Record = dict(layers=layers)
    unpadded = _unpadded(subject, num, seed, {
        name: sizes[name] for name in named.values()
    })
    for key, name in named.items():
        padding = {}
        if name in unpadded:
            padding = _padding(padded[name], unpadded[name])
        record[key] = dict(
            _of_layer(features[name]),
            relation_profile=_relation(padded[name], _period(sizes, name)),
            **padding)
    return plain(record)


def _period(sizes: Dict[str, Tuple[int, int]], name: str) -> int:
    """Cells of a layer per cell of the smallest map, or 1 if fractional."""
    ratios = {side / least
              for side, least in zip(sizes[name], min(sizes.values()))}
    ratio = ratios.pop()
    return int(ratio) if not ratios and ratio == int(ratio) else 1


def _unpadded(subject: Subject, num: int, seed: int,
              sizes: Dict[str, Tuple[int, int]]) -> Dict[str, Tensor]:
    """Features without padding; empty for a network without padding."""
    if not subject.margin:
        return {}
    try:
        with pad_with(subject.model, 'none', subject.margin,
                      subject.first_map):
            return collect(subject.model, lambda: subject.run(num, seed),
                           list(sizes), sizes)
    except ValueError:  # maps have their own borders, so nothing is padded
        return {}


def _padding(padded: Tensor, unpadded: Tensor) -> Record:
    """Figures of the contribution of padding to a layer."""
    reach = padding_reach(padded, unpadded)
    return dict(
        ppp_snr_db=decibel(padding_part(padded, unpadded).ratio),
        padding_db_profile=decibels(reach.profile))


def _of_layer(x: Tensor) -> Record:
    """Figures of one layer."""
    share = location_share(x)
    record: Record = dict(
        size=list(x.shape[2:]),
        share_profile=share.profile.tolist(),
        share_map=share.part.float().tolist())
    record['share'], record['share_error'] = jackknife(
        lambda x: location_share(x).ratio, x)
    for zone in ('near', 'middle'):
        record[zone] = _reading(x, zone)
    record['shuffled'] = _reading(shuffled_places(x), 'all')
    distance = border_distance(*x.shape[2:])
    # The innermost rings have too few cells.
    last = max(1, min(x.shape[2:]) // 2 - 1)
    rings = range(0, last, max(1, last // 10))
    record['rings'] = list(rings)
    record['ring_errors'] = [
        _reading(x, distance == ring)['error'] for ring in rings
    ]
    return record


def _reading(x: Tensor, zone: Any) -> Record:
    """Accuracy of reading x and y: R2, and error relative to guessing."""
    results = [result for target, result in read_place(x, zone).items()
               if target != 'border' and result]
    return dict(
        r2=float(np.mean([result.r2 for result in results])),
        r2_error=float(max(result.r2_error for result in results)),
        cells=float(np.mean([result.cells for result in results])),
        error=float(
            np.mean([result.cells / result.guess for result in results])))


def _relation(x: Tensor, period: int) -> List[float]:
    """Distance between mean features of neighbours: profile to the border.

    Neighbours are a period apart, to compare equal phases. Means over even
    and over odd latents are multiplied, so that noise cancels.
    """
    x = x.double()
    x = x / x.var(dim=(0, 2, 3), keepdim=True).sqrt().clamp(min=1e-12)
    even, odd = x[0::2].mean(0), x[1::2].mean(0)
    squared = torch.zeros(x.shape[2:], dtype=x.dtype)
    count = torch.zeros_like(squared)
    for axis in (1, 2):
        moved = x.shape[axis + 1] - period
        steps = [mean.narrow(axis, period, moved) - mean.narrow(axis, 0, moved)
                 for mean in (even, odd)]
        step = (steps[0] * steps[1]).mean(0)
        for first in (0, period):
            squared.narrow(axis - 1, first, moved).add_(step)
            count.narrow(axis - 1, first, moved).add_(1)
    return profile(squared / count).clamp(min=0).sqrt().tolist()


# --- folders of images ------------------------------------------------------


def _of_folder(subject: Subject, trained: Trained,
               folder: Folder) -> Tuple[Record, Pictures]:
    """Layout and fidelity, compared with the data."""
    name = trained.name
    base = subject.run(1, 0).shape[-1]
    options: Record = {}
    if name.startswith(('mspie', 'stylegan2')):
        options['injected_noise'] = None  # the model's own
    sizes, pictures = {}, {}
    for factor in FACTORS if name.startswith('mspie') else (1., ):
        if name.startswith('mspie'):
            options['chosen_scale'] = round(4 * (factor - 1))
        size = round(base * factor)
        images = _drawn(subject, **options)
        pictures[str(factor)] = _pixels(images[:_SHOWN])
        sizes[str(factor)] = dict(
            _layouts(images, folder.images(size)),
            size=size,
            **_fidelity(images, folder, size))
    record = dict(sizes=sizes, **sizes['1.0'])
    record['data_layout'] = layout_agreement(folder.images(base))
    if not name.startswith('mspie'):
        with pad_with(subject.model, 'none', subject.margin):
            images = _drawn(subject)
        pictures['unpadded'] = _pixels(images[:_SHOWN])
        record['unpadded'] = _layouts(images, folder.images(base))
    return plain(record), pictures


def _pixels(images: Tensor) -> np.ndarray:
    """BGR images in [-1, 1] as uint8 RGB (N, H, W, 3)."""
    pixels = ((images.clamp(-1, 1) + 1) * (_WHITE / 2)).round()
    return pixels.flip(1).permute(0, 2, 3, 1).numpy().astype(np.uint8)


def _drawn(subject: Subject, **options: Any) -> Tensor:
    return subject.run(_FAKES, 0, **options).clamp(-1, 1)


def _layouts(images: Tensor, real: Tensor) -> Record:
    """Agreement of layouts with the data and among samples."""
    layout, error = jackknife(lambda x: layout_agreement(x, real), images)
    return dict(
        layout_data=layout,
        layout_data_error=error,
        layout=layout_agreement(images))


def _fidelity(images: Tensor, folder: Folder, size: int) -> Record:
    """Sliced Wasserstein distance, and kernel distance times 1000."""
    real = folder.features(size)
    fake = folder.extract(images)
    kid, _ = kernel_distance(
        real, fake, num_subsets=20, subset_size=min(len(real), len(fake), 100))
    num = min(len(real), len(fake))
    some = torch.linspace(0, len(real) - 1, num).long()  # equal numbers
    pixels = [(x + 1) * (_WHITE / 2)
              for x in (images[:num], folder.images(size)[some])]
    return dict(swd=patch_distance(pixels[1:], pixels[:1]), kid=1000 * kid)


# --- photographs ------------------------------------------------------------


def _of_photograph(subject: Subject,
                   trained: Trained) -> Tuple[Record, Pictures]:
    """Layout and fidelity, compared with the photograph, at several sizes."""
    sampler: Any = load(trained.config, trained.checkpoint)
    photograph, (height, width) = sampler.photograph, sampler.size
    sizes, pictures = {}, dict(photograph=photograph[None])
    growth = None
    if isinstance(sampler.model, ContextSinGAN):
        # The encoding's own growth, not the config's.
        generator: Any = subject.model.generator
        growth = generator.head_position_encode.growth
    for factor in FACTORS:
        size = (round(height * factor), round(width * factor))
        images = sampler.sample(_SAMPLES, size, 0, growth=growth)
        sizes[str(factor)] = _sizes(images, photograph)
        pictures[str(factor)] = np.stack(images[:_SHOWN])
        if factor == 1:
            swd = patch_swd(images, photograph)
            fidelity = dict(
                swd=float(np.mean(list(swd.values()))),
                sifid=sifid(images, photograph, EffLite0SIFIDFeatures()))
    record = dict(
        sizes=sizes, layout_data=sizes['1.0']['stretched'], **fidelity)
    found = _unpadded(subject, _SAMPLES, 0, {'': photograph.shape[:2]})
    if found:
        images = _pixels(found[''])
        pictures['unpadded'] = images[:_SHOWN]
        record['unpadded'] = dict(
            layout_data=_mean_layout(images, photograph))
    return plain(record), pictures


def _sizes(images: Sequence[np.ndarray], photograph: np.ndarray) -> Record:
    """Layout of a larger image: the whole, and its top-left part."""
    height, width = photograph.shape[:2]
    return dict(
        stretched=_mean_layout(images, photograph),
        kept=_mean_layout([x[:height, :width] for x in images], photograph))


def _mean_layout(images: Iterable[np.ndarray],
                 photograph: np.ndarray) -> float:
    return float(np.mean([layout_correlation(x, photograph) for x in images]))
