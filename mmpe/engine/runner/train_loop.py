"""What the loops of both families have in common."""
import sys
from typing import Sequence

from mmengine.dist import is_main_process
from mmengine.runner import IterBasedTrainLoop
from torch import nn

from mmpe.engine.finite import (ROLLBACKS, NotFiniteError,
                                last_good_checkpoint)

__all__ = ['TrainLoop']


class TrainLoop(IterBasedTrainLoop):
    """mmengine's loop, which can go back to the last good checkpoint.

    When a number is not finite (see :class:`mmpe.engine.RuntimeInfoHook` and
    :class:`mmpe.engine.CheckpointHook`), the training goes on from its last
    checkpoint with other random numbers, which follow from the seed and the
    number of the rollback.

    Args:
        args: As for mmengine's loop.
        rollbacks: How often in a training, resumed ones included; by default
            the training ends at once.
        kwargs: As for mmengine's loop.

    Raises:
        NotFiniteError: A number is not finite, and no rollback is left or
            there is no checkpoint.
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
        """Run an iteration; after a rollback the one after the checkpoint.

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
            # Not by the logger: some configs want errors alone.
            print(f'{error}: back to it (rollback {number} of '
                  f'{self.rollbacks})', file=sys.stderr)
        hub.log_scalars.clear()  # of values that the checkpoint has not
        self.runner.resume(path)
        hub.update_info(ROLLBACKS, number)
        self.runner.call_hook('after_rollback')
