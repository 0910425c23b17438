"""Scales and sizes at which a model is evaluated."""
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

import torch.nn as nn

from mmpe.utils.wrappers import unwrap

__all__ = ['EvaluationScale', 'evaluation_scales', 'evaluation_sizes']

Scale = Union[int, Tuple[int, int]]
Scales = Union[str, Scale, Sequence[Scale]]


class EvaluationScale(NamedTuple):
    """A size of a model's images.

    Attributes:
        sample_kwargs: Arguments of the generator for this size.
        size: Height and width, or None if unknown.
        resized: Whether images must be resized to this size.
    """

    sample_kwargs: dict
    size: Optional[Tuple[int, int]]
    resized: bool = False

    @property
    def label(self) -> str:
        """Label such as '256x384', height first."""
        return 'x'.join(map(str, self.size or ('?', '?')))

    @property
    def area(self) -> int:
        """Number of pixels, 0 if unknown."""
        height, width = self.size or (0, 0)
        return height * width


def evaluation_scales(model: nn.Module,
                      scales: Scales = 'all') -> List[EvaluationScale]:
    """Scales at which to evaluate a model.

    A multi-scale model has ``multi_input_scales``, its configured scales, and
    ``size_of(chosen_scale)``, the (H, W) of its images. Any other model has
    one scale, the ``out_size`` of its generator.

    Args:
        model: The model, wrapped or not.
        scales: 'largest', 'all', a scale (extra cells, one number or
            (dh, dw)) or a list of scales, trained or not.

    Returns:
        The scales, smallest image first.

    Raises:
        ValueError: ``scales`` is invalid, or another scale is given for a
            model with one scale.
    """
    model = unwrap(model)
    if isinstance(scales, str) and scales not in ('all', 'largest'):
        raise ValueError("Argument `scales` must be 'all', 'largest', a scale "
                         f'or a list of scales, but got {scales!r}.')
    trained = getattr(model, 'multi_input_scales', None)
    if not trained:
        return [_only_scale(model, scales)]
    found = sorted((_at(model, scale) for scale in _listed(scales, trained)),
                   key=lambda scale: scale.area)
    return found[-1:] if scales == 'largest' else found


def evaluation_sizes(model: nn.Module, sizes: Sequence[Tuple[int, int]]
                     ) -> List[EvaluationScale]:
    """Sizes at which to evaluate a model, trained or not.

    Args:
        model: The model, wrapped or not.
        sizes: (H, W) of each. A multi-scale model draws them; images of any
            other model are resized.

    Returns:
        One per size, in the same order.

    Raises:
        ValueError: A multi-scale model has no such size; names the nearest
            one.
    """
    gan = unwrap(model)
    sizes = [(height, width) for height, width in sizes]
    if getattr(gan, 'multi_input_scales', None):
        return [
            EvaluationScale(gan.kwargs_for_size(size), size) for size in sizes
        ]
    own = _only_scale(gan, 'all').size
    return [EvaluationScale({}, size, size != own) for size in sizes]


def _listed(scales: Scales, trained: Sequence[Scale]) -> List[Scale]:
    if isinstance(scales, str):
        return list(trained)
    scales = [scales] if isinstance(scales, (int, tuple)) else list(scales)
    if not scales:
        raise ValueError('Argument `scales` must have at least one scale, but '
                         'is empty.')
    return scales


def _at(model: Any, scale: Scale) -> EvaluationScale:
    height, width = model.size_of(scale)
    return EvaluationScale(dict(chosen_scale=scale), (height, width))


def _only_scale(model: Any, scales: Scales) -> EvaluationScale:
    if not isinstance(scales, str):
        raise ValueError(
            f'Argument `scales` must be \'all\' or \'largest\' for a '
            f'{type(model).__name__}, which has one scale, but got {scales}.')
    out_size = getattr(unwrap(model.generator), 'out_size', None)
    return EvaluationScale({}, None if out_size is None else
                           (out_size, out_size))
