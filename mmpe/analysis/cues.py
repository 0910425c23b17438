"""Training generators without some of their spatial cues."""
import contextlib
from typing import Any, Dict

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmpe.registry import HOOKS
from mmpe.utils.wrappers import unwrap
from .inputs import change_inputs
from .padding import pad_with

__all__ = ['CuesHook', 'change_cues']


def _mean_of_places(x: Tensor, ratio: int = 1) -> Tensor:
    return x.mean(dim=(2, 3), keepdim=True).expand_as(x)


def change_cues(model: nn.Module,
                padding: str = 'zeros',
                flat_first_map: bool = False) -> None:
    """Change the spatial cues of a generator's layers permanently.

    Args:
        model: The generator; not SinGAN's, which has its own options.
        padding: Padding of all layers, see
            :func:`mmpe.analysis.padding.pad_with`; not 'none'.
        flat_first_map: Replace the first map by its mean over places, so that
            it carries no positional information.

    Raises:
        ValueError: See ``pad_with``, or the padding is 'none'.
    """
    if padding == 'none':
        raise ValueError("Argument `padding` must not be 'none' for training: "
                         "use 'reflect'.")
    stack: Any = contextlib.ExitStack()  # never closed
    stack.enter_context(pad_with(model, padding))
    if flat_first_map:
        stack.enter_context(change_inputs(model, _mean_of_places))
    model.cues_changed = stack


@HOOKS.register_module()
class CuesHook(Hook):
    """Applies :func:`change_cues` to the generator before training.

    The discriminator and the keys of checkpoints do not change.

    Args:
        padding: As for :func:`change_cues`.
        flat_first_map: As for :func:`change_cues`.
    """

    def __init__(self,
                 padding: str = 'zeros',
                 flat_first_map: bool = False) -> None:
        self._cues: Dict[str, Any] = dict(
            padding=padding, flat_first_map=flat_first_map)

    def before_run(self, runner: Runner) -> None:
        """Change the generator and its moving average."""
        model: Any = unwrap(runner.model)
        average = getattr(model, 'generator_ema', None)
        for generator in (model.generator, average and average.module):
            if generator is not None and not hasattr(generator,
                                                     'cues_changed'):
                change_cues(generator, **self._cues)
