"""Cache of small constant tensors per device.

Copying a tensor made on the host to a GPU synchronises the host, and cannot be
captured in a CUDA graph.
"""
from collections import OrderedDict
from contextlib import contextmanager
from typing import Any, Callable, Hashable, Iterator, List, Tuple

import torch
from torch import Tensor

from mmpe.utils.compiling import is_traced

__all__ = ['constant', 'keep_constants']

# Total size of the cache in elements, 64 MiB in float32; least recently used
# entries are dropped.
_MOST = 2**24
_made: 'OrderedDict[Tuple[Any, ...], Tensor]' = OrderedDict()
_keepers: List[List[Tensor]] = []


def constant(make: Callable[..., Tensor], *args: Hashable,
             like: Tensor) -> Tensor:
    """Cached result of a function, on a device.

    Args:
        make: Pure function that returns a tensor on the CPU.
        args: Hashable arguments.
        like: Tensor with the wanted device and dtype.

    Returns:
        The tensor, which must not be modified.
    """
    # Tensors from tracing must not outlive their trace.
    if is_traced(like):
        return make(*args).to(like)
    key = (make, args, like.device, like.dtype)
    if key in _made:
        value = _made[key]
        _made.move_to_end(key)
    else:
        # Inference tensors could not be used in training later.
        with torch.inference_mode(False):
            value = _made[key] = make(*args).to(like)
        while sum(x.numel() for x in _made.values()) > _MOST:
            _made.popitem(last=False)
    for keeper in _keepers:
        keeper.append(value)
    return value


@contextmanager
def keep_constants() -> Iterator[List[Tensor]]:
    """Collect the constants used within this context.

    A CUDA graph needs them for as long as it is replayed, even after they
    have been dropped from the cache.
    """
    keeper: List[Tensor] = []
    _keepers.append(keeper)
    try:
        yield keeper
    finally:
        _keepers.pop()
