"""Training loop for datasets of images."""
from itertools import chain, repeat
from typing import Any, Iterator, Optional, Union

import torch
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmpe.datasets import ResumableSampler
from mmpe.engine.finite import ROLLBACKS, NotFiniteError, seed_after
from mmpe.registry import LOOPS
from .train_loop import TrainLoop

__all__ = ['ImageTrainLoop']


@LOOPS.register_module()
class ImageTrainLoop(TrainLoop):
    """mmengine's loop, which resumes without reading old images again.

    mmengine first reads all images that were used before, which takes hours
    after a million iterations. With :class:`ResumableSampler`, the data loader
    starts where the training stopped.

    Args:
        runner: The runner.
        dataloader: Data loader, or its config. With a GPU, pinned memory is
            used unless the config sets it.
        args, kwargs: As for :class:`TrainLoop`.
    """

    def __init__(self, runner: Runner, dataloader: Union[dict, DataLoader],
                 *args, **kwargs) -> None:
        if isinstance(dataloader, dict):
            dataloader.setdefault('pin_memory', torch.cuda.is_available())
        super().__init__(runner, dataloader, *args, **kwargs)

    def run(self) -> nn.Module:
        """Train.

        Returns:
            The model.
        """
        sampler = self.dataloader.sampler
        if isinstance(sampler, ResumableSampler):
            self._seed = sampler.seed
            if self._iter > 0:
                self.dataloader_iterator: Any = _Resumed(
                    self._iter, self._remaining())
        return super().run()

    def _roll_back(self, error: NotFiniteError) -> None:
        super()._roll_back(error)
        if isinstance(self.dataloader.sampler, ResumableSampler):
            self.dataloader_iterator = self._remaining()

    def _remaining(self) -> Iterator[dict]:
        """Batches from the current iteration on; others after rollbacks."""
        sampler = self.dataloader.sampler
        sampler.start = self._iter * self.dataloader.batch_size
        number = self.runner.message_hub.get_info(ROLLBACKS, 0)
        if number:
            sampler.seed = seed_after(number, self._seed)
        yield from self.dataloader


class _Resumed:
    """Batches of a resumed training, with None for those already used.

    mmengine draws one batch per past iteration; onedl-mmengine calls
    ``skip_iter`` instead.
    """

    def __init__(self, num_done: int, remaining: Iterator[dict]) -> None:
        self._batches = chain(repeat(None, num_done), remaining)

    def __next__(self) -> Optional[dict]:
        return next(self._batches)

    def skip_iter(self, num_iters: int) -> None:
        """Skip batches.

        Args:
            num_iters: Number of batches.
        """
        for _ in range(num_iters):
            next(self)
