"""Cues of place that a generator is trained without."""
import contextlib
from typing import Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmpe.registry import HOOKS
from mmpe.utils.wrappers import unwrap
from .padding import change_inputs, pad_with

__all__ = ['CuesHook', 'change_cues']


def _mean_of_places(x: Tensor, ratio: int = 1) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True).expand_as(x)


def change_cues(model: nn.Module,
                padding: str = 'zeros',
                flat_first_map: bool = False) -> None:
    """Change what tells a generator's layers their place, for good.

    Args:
        model: The generator; not one of SinGAN, which has options of its own.
        padding: What all layers pad with, see
            :func:`mmpe.analysis.padding.pad_with`; not 'none'.
        flat_first_map: Whether all places of the first map get the mean of
            them, so that it says nothing of a place.

    Raises:
        ValueError: See ``pad_with``, or the padding is 'none'.
    """
    if padding == 'none':
        raise ValueError("Argument `padding` must not be 'none' for good: use "
                         "'reflect'.")
    stack = contextlib.ExitStack()  # never closed
    stack.enter_context(pad_with(model, padding))
    if flat_first_map:
        stack.enter_context(change_inputs(model, _mean_of_places))
    model.cues_changed = stack


@HOOKS.register_module()
class CuesHook(Hook):
    """Trains the generator of a GAN with :func:`change_cues`.

    The discriminator and the keys of checkpoints stay as they are.

    Args:
        padding: As there.
        flat_first_map: As there.
    """

    def __init__(self,
                 padding: str = 'zeros',
                 flat_first_map: bool = False) -> None:
        self._cues = dict(padding=padding, flat_first_map=flat_first_map)

    def before_run(self, runner: Runner) -> None:
        """Change the generator and its moving average, once."""
        model = unwrap(runner.model)
        average: Optional[nn.Module] = getattr(model, 'generator_ema', None)
        for generator in (model.generator, average and average.module):
            if generator is not None and not hasattr(generator,
                                                     'cues_changed'):
                change_cues(generator, **self._cues)
