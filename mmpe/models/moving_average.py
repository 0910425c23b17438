"""Exponential moving average of the generator's weights."""
from typing import Optional

import torch
from mmagic.models.base_models import ExponentialMovingAverage as Base
from torch import nn

from mmpe.registry import MODELS

__all__ = ['ExponentialMovingAverage']


@MODELS.register_module()
class ExponentialMovingAverage(Base):
    """MMagic's moving average, fused and without host synchronisation.

    A momentum of 1 - 0.5^(batch size / n) has a half-life of n images.

    Args:
        args, kwargs: As for MMagic's ``ExponentialMovingAverage``.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        # Host copy of the buffer `steps`; None if it must be read back.
        self._num_steps: Optional[int] = 0

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        self._num_steps = None
        super()._load_from_state_dict(*args, **kwargs)

    def update_parameters(self, model: nn.Module) -> None:
        """Move the averages towards a model's weights.

        The first call copies them.

        Args:
            model: The model.
        """
        if self._num_steps is None:
            self._num_steps = int(self.steps)
        if self._num_steps % self.interval == 0:
            self._update(model)
        if not self.update_buffers:
            self.sync_buffers(model)
        self.steps += 1
        self._num_steps += 1

    @torch.no_grad()
    def _update(self, model: nn.Module) -> None:
        averages, sources = (
            x.state_dict() if self.update_buffers else dict(
                x.named_parameters()) for x in (self.module, model))
        is_first = self._num_steps == 0
        pairs = [(average, sources[name].to(average.device))
                 for name, average in averages.items()
                 if is_first or average.is_floating_point()]
        averages, sources = (list(tensors) for tensors in zip(*pairs))
        if is_first:
            torch._foreach_copy_(averages, sources)
        else:
            # average <- (1 - momentum) average + momentum weight
            torch._foreach_mul_(averages, 1 - self.momentum)
            torch._foreach_add_(averages, sources, alpha=self.momentum)

    @torch.no_grad()
    def sync_buffers(self, model: nn.Module) -> None:
        """Copy a model's buffers.

        Args:
            model: The model.
        """
        buffers = list(self.module.buffers())
        if buffers:
            torch._foreach_copy_(buffers, list(model.buffers()))
