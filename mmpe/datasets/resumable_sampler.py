"""Infinite sampler that can start at any position."""
from typing import Iterator, Optional, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmpe.registry import DATA_SAMPLERS

__all__ = ['ResumableSampler']


@DATA_SAMPLERS.register_module()
class ResumableSampler(Sampler):
    """mmengine's ``InfiniteSampler`` with a start position.

    The order of each pass through the dataset depends on its number and the
    seed only, so nothing before ``start`` is computed or read.

    Args:
        dataset: The dataset.
        shuffle: Shuffle each pass.
        seed: Random seed; by default a random one shared by all ranks.

    Attributes:
        start: Number of items of this rank to skip.
    """

    def __init__(self,
                 dataset: Sized,
                 shuffle: bool = True,
                 seed: Optional[int] = None) -> None:
        self.rank, self.world_size = get_dist_info()
        self.size = len(dataset)
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.start = 0

    def _order(self, number: int) -> np.ndarray:
        """Order of all indices in a pass."""
        if not self.shuffle:
            return np.arange(self.size)
        return np.random.default_rng(
            (self.seed, number)).permutation(self.size)

    def __iter__(self) -> Iterator[int]:
        position = self.start * self.world_size + self.rank
        number = -1
        while True:
            if position // self.size != number:
                number = position // self.size
                order = self._order(number)
            yield int(order[position % self.size])
            position += self.world_size

    def __len__(self) -> int:
        return self.size
