"""Base class of hooks that act after iterations."""
from abc import abstractmethod
from typing import Optional

from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

__all__ = ['IterationHook']


class IterationHook(Hook):
    """A hook that acts after iterations, without their batch."""

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Call :meth:`after_iteration`."""
        self.after_iteration(runner, outputs or {})

    @abstractmethod
    def after_iteration(self, runner: Runner, outputs: dict) -> None:
        """Act after an iteration of the training.

        Args:
            runner: The runner of the training; its ``iter`` is the index of
                the iteration.
            outputs: What the model has logged.
        """
