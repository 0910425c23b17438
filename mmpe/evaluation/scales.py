"""At which sizes a model is evaluated: read from the model, in one place."""
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import torch.nn as nn

from mmpe.utils.wrappers import unwrap

__all__ = ['EvaluationScale', 'evaluation_scales', 'evaluation_sizes']

Scale = Union[int, Tuple[int, int]]


class EvaluationScale(NamedTuple):
    """One size of a model's images.

    Attributes:
        sample_kwargs: Arguments that make the generator draw this size.
        size: Height and width, or None where the model does not say.
        resized: Whether its images get this size by resizing them.
    """

    sample_kwargs: dict
    size: Optional[Tuple[int, int]]
    resized: bool = False

    @property
    def label(self) -> str:
        """For example '256x384', height first."""
        return 'x'.join(map(str, self.size or ('?', '?')))


def evaluation_scales(
        model: nn.Module,
        scales: Union[str, Scale, Sequence[Scale]] = 'all'
) -> List[EvaluationScale]:
    """The scales of a model at which it is evaluated.

    A multi-scale model has ``multi_input_scales``, the scales it was
    configured with, and ``size_of(chosen_scale)``, the (H, W) of its images.
    Any other model has one scale, the ``out_size`` of its generator.

    Args:
        model: The model, wrapped or not.
        scales: 'largest', 'all', or a scale (extra cells, one number or
            (dh, dw)) or a list of them, also ones the model was not trained
            at.

    Returns:
        The scales, smallest image first.

    Raises:
        ValueError: ``scales`` is none of these, or the model has one scale
            and another one is asked for.
    """
    model = unwrap(model)
    if isinstance(scales, str) and scales not in ('all', 'largest'):
        raise ValueError("Argument `scales` must be 'all', 'largest', a scale "
                         f'or a list of scales, but got {scales!r}.')
    trained = getattr(model, 'multi_input_scales', None)
    if not trained:
        return [_only_scale(model, scales)]
    found = sorted((_at(model, scale) for scale in _listed(scales, trained)),
                   key=lambda scale: scale.size[0] * scale.size[1])
    return found[-1:] if scales == 'largest' else found


def evaluation_sizes(model: nn.Module, sizes: Sequence[Tuple[int, int]]
                     ) -> List[EvaluationScale]:
    """How a model is evaluated at sizes it may never have been trained at.

    Args:
        model: The model, wrapped or not.
        sizes: (H, W). A multi-scale model draws them, the images of any other
            one are resized.

    Returns:
        One for each size, in this order.

    Raises:
        ValueError: A multi-scale model cannot draw a size; names the nearest
            one.
    """
    model = unwrap(model)
    sizes = [tuple(size) for size in sizes]
    if getattr(model, 'multi_input_scales', None):
        return [EvaluationScale(model.kwargs_for_size(size), size)
                for size in sizes]
    own = _only_scale(model, 'all').size
    return [EvaluationScale({}, size, size != own) for size in sizes]


def _listed(scales: Union[str, Scale, Sequence[Scale]],
            trained: Sequence[Scale]) -> List[Scale]:
    if isinstance(scales, str):
        return list(trained)
    scales = [scales] if isinstance(scales, (int, tuple)) else list(scales)
    if not scales:
        raise ValueError('Argument `scales` must name at least one scale, but '
                         'is empty.')
    return scales


def _at(model: nn.Module, scale: Scale) -> EvaluationScale:
    size = tuple(model.size_of(scale))
    return EvaluationScale(dict(chosen_scale=scale), size)


def _only_scale(model: nn.Module, scales: Union[str, Scale, Sequence[Scale]]
                ) -> EvaluationScale:
    if not isinstance(scales, str):
        raise ValueError(
            f'Argument `scales` must be \'all\' or \'largest\' for a '
            f'{type(model).__name__}, which has one scale, but got {scales}.')
    out_size = getattr(unwrap(model.generator), 'out_size', None)
    return EvaluationScale({}, None if out_size is None else
                           (out_size, out_size))
