"""Base class of the training loops."""
import sys
from typing import Sequence

from mmengine.dist import is_main_process
from mmengine.runner import IterBasedTrainLoop
from torch import nn

from mmpe.engine.finite import (ROLLBACKS, NotFiniteError,
                                last_good_checkpoint)

__all__ = ['TrainLoop']


class TrainLoop(IterBasedTrainLoop):
    """mmengine's loop, with rollbacks to the last good checkpoint.

    If a value is not finite (see :class:`mmpe.engine.RuntimeInfoHook` and
    :class:`mmpe.engine.CheckpointHook`), the training resumes from its last
    checkpoint with other random numbers, derived from the seed and the number
    of rollbacks.

    Args:
        args: As for mmengine's loop.
        rollbacks: Maximum number of rollbacks, including those before the
            training was resumed. By default, the training ends at once.
        kwargs: As for mmengine's loop.

    Raises:
        NotFiniteError: A value is not finite, and there is no rollback left or
            no checkpoint.
        ValueError: ``rollbacks`` is negative.
    """

    def __init__(self, *args, rollbacks: int = 0, **kwargs) -> None:
        if rollbacks < 0:
            raise ValueError('Argument `rollbacks` must be at least 0, but '
                             f'got {rollbacks}.')
        self.rollbacks = rollbacks
        super().__init__(*args, **kwargs)

    def run(self) -> nn.Module:
        """Train.

        Returns:
            The model.
        """
        try:
            return super().run()
        finally:
            self.runner.call_hook('after_loop')

    def run_iter(self, data_batch: Sequence[dict]) -> None:
        """Run an iteration; repeat with the next batch after a rollback.

        Args:
            data_batch: Batch of the data loader.
        """
        while True:
            try:
                super().run_iter(data_batch)
                return
            except NotFiniteError as error:
                self._roll_back(error)
            data_batch = next(self.dataloader_iterator)

    def _roll_back(self, error: NotFiniteError) -> None:
        """Go back to the last good checkpoint, or raise the error."""
        hub = self.runner.message_hub
        number = hub.get_info(ROLLBACKS, 0) + 1
        path = last_good_checkpoint(self.runner)
        if number > self.rollbacks or path is None:
            raise error
        if is_main_process():
            # Not logged, as some configs only log errors.
            print(f'{error}: back to it (rollback {number} of '
                  f'{self.rollbacks})', file=sys.stderr)
        hub.log_scalars.clear()  # drop values that the checkpoint lacks
        self.runner.resume(path)
        hub.update_info(ROLLBACKS, number)
        self.runner.call_hook('after_rollback')
