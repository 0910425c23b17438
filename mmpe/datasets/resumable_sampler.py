"""An endless order of images that one can enter anywhere."""
from typing import Iterator, Optional, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmpe.registry import DATA_SAMPLERS

__all__ = ['ResumableSampler']


@DATA_SAMPLERS.register_module()
class ResumableSampler(Sampler):
    """mmengine's ``InfiniteSampler``, but it can begin later.

    Each pass through the dataset has an order of its own, that of its number
    and the seed, so nothing before ``start`` has to be computed or read.

    Args:
        dataset: The dataset.
        shuffle: Whether each pass has a random order.
        seed: Random seed; by default one that all ranks agree on.

    Attributes:
        start: Number of items of this rank that are left out.
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
        """All indices, as they come in a pass."""
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
