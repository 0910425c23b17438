"""Measurements of trained models, for the claims."""
from typing import Any, Dict, Iterable, Optional, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor

from mmpe.evaluation.perceptual import EffLite0SIFIDFeatures, sifid
from mmpe.evaluation.single_image import layout_correlation, patch_swd
from mmpe.evaluation.sliced_wasserstein import patch_distance
from mmpe.functional.distances import kernel_distance
from mmpe.inference import load
from mmpe.models import ContextSinGAN
from .analyse import plain
from .feature_records import Record, collect_unpadded, measure_features
from .folder import WHITE, Folder
from .measures import jackknife, layout_agreement
from .padding import pad_with
from .subjects import Subject, from_checkpoint
from .trainings import Trained

__all__ = ['FACTORS', 'Folder', 'measure', 'measure_features']

Pictures = Dict[str, np.ndarray]
# Sizes of images, relative to training.
FACTORS = (1., 1.5, 2.)
_SAMPLES = 16  # from a SinGAN
_SHOWN = 10  # in figures
_FAKES = 128  # from other networks


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
    pixels = ((images.clamp(-1, 1) + 1) * (WHITE / 2)).round()
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
    pixels = [(x + 1) * (WHITE / 2)
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
    found = collect_unpadded(subject, _SAMPLES, 0,
                             {'': photograph.shape[:2]})
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
