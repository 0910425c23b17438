"""Training on many images."""
from itertools import chain, repeat
from typing import Union

import torch
from mmengine.runner import IterBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmpe.datasets import ResumableSampler
from mmpe.registry import LOOPS

__all__ = ['ImageTrainLoop']


@LOOPS.register_module()
class ImageTrainLoop(IterBasedTrainLoop):
    """mmengine's loop; a resumed training does not read old images again.

    mmengine reads all images that were trained on before it goes on, which
    takes hours after a million iterations. With :class:`ResumableSampler`
    the data loader begins where the training stopped.

    Args:
        runner: The runner.
        dataloader: Data loader, or its config; where there is a GPU, images
            come in pinned memory unless the config says otherwise.
        args, kwargs: As for mmengine's loop.
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
        if self._iter > 0 and isinstance(sampler, ResumableSampler):
            sampler.start = self._iter * self.dataloader.batch_size
            # mmengine throws as many batches away as there were iterations.
            self.dataloader_iterator = chain(
                repeat(None, self._iter), self.dataloader)
        return super().run()
