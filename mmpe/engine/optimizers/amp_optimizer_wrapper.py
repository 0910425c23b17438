"""Training in bfloat16 on any device."""
from contextlib import contextmanager
from typing import Iterator

import torch
import torch.nn as nn
from mmengine.optim import OptimWrapper

from mmpe.registry import OPTIM_WRAPPERS

__all__ = ['BFloat16OptimWrapper']


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Trains in bfloat16 where it is safe (``torch.autocast``).

    Weights and optimiser states stay in float32. Unlike mmengine's
    ``AmpOptimWrapper``, it works on CPUs, too, and does not scale losses, as
    bfloat16 has the range of float32.

    Args:
        kwargs: As for ``mmengine.optim.OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Context in which the forward passes of a step run."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(
                device, dtype=torch.bfloat16):
            yield
