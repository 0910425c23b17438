"""Distance between real images resized as in training and in evaluation."""
from typing import Any, List, Optional, Sequence

import torch
import torch.nn as nn
from torch import Tensor
from torch.utils.data import DataLoader

from mmpe.functional.resample import resize_images
from mmpe.utils.wrappers import unwrap
from .references import RealImages, chosen_indices
from .scales import EvaluationScale
from .sliced_wasserstein import MIN_SIZE, patch_distance

__all__ = ['filter_note']

_MOST_IMAGES = 200


def filter_note(model: nn.Module, dataloader: DataLoader,
                scales: Sequence[EvaluationScale]) -> Optional[str]:
    """Report the distance between real images of training and evaluation.

    A model learns from real images that its ``match_reals`` has shrunk, but
    is evaluated against antialiased ones. The difference is not the model's
    fault.

    Args:
        model: The model, wrapped or not.
        dataloader: Data loader of the real images, of which 200 are used.
        scales: The scales.

    Returns:
        One line with the sliced Wasserstein distance at each size where they
        differ, or None.
    """
    model = unwrap(model)
    if not hasattr(model, 'match_reals'):
        return None
    dataset: Any = dataloader.dataset
    num = min(_MOST_IMAGES, len(dataset))
    images = RealImages(dataset, chosen_indices(len(dataset), num))
    parts = []
    for scale in scales:
        distances = _distances(model, images, scale)
        if distances:
            parts.append(f'{scale.label} {distances[0]:.1f} '
                         f'({distances[1]:.1f})')
    if not parts:
        return None
    return ('In training, real images were shrunk with another filter. Their '
            'sliced Wasserstein distance to those of the evaluation, and in '
            'brackets that between two draws of the latter: ' +
            ', '.join(parts))


def _distances(model: Any, images: RealImages,
               scale: EvaluationScale) -> Optional[List[float]]:
    """Distances of both filters to evaluation's; None if they agree."""
    size = scale.size
    if size is None or min(size) < MIN_SIZE or not any(
            x < y for x, y in zip(size, images.original(0).shape[-2:])):
        return None

    def evaluated(index: int) -> Tensor:
        return resize_images(images.original(index)[None], size)

    def trained(index: int) -> Tensor:
        return model.match_reals(
            images.original(index)[None], scale.sample_kwargs)

    first = trained(0)
    if (first.shape != evaluated(0).shape
            or torch.allclose(first, evaluated(0))):
        return None
    indices = range(len(images))
    return [
        patch_distance(map(evaluated, indices), map(other, indices))
        for other in (trained, evaluated)
    ]
