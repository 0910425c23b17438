"""Small tensors that are made once for each device and used again and again.

What is made from numbers on the host and copied to a GPU lets the host wait
for it, and cannot be captured in a CUDA graph.
"""
from collections import OrderedDict
from contextlib import contextmanager
from typing import Callable, Iterator, List

import torch
from torch import Tensor

from mmpe.utils.compiling import is_traced

__all__ = ['constant', 'keep_constants']

# Numbers that are kept in all, 64 MiB in float32; the oldest are forgotten.
_MOST = 2**24
_made: 'OrderedDict[tuple, Tensor]' = OrderedDict()
_keepers: List[List[Tensor]] = []


def constant(make: Callable[..., Tensor], *args, like: Tensor) -> Tensor:
    """What a function makes of its arguments, on a device.

    Args:
        make: Gives a tensor on the processor; depends on its arguments alone.
        args: Hashable arguments.
        like: Tensor with the wanted device and dtype.

    Returns:
        The tensor, which must not be written to.
    """
    # A traced tensor belongs to its trace.
    if is_traced(like):
        return make(*args).to(like)
    key = (make, args, like.device, like.dtype)
    if key in _made:
        value = _made[key]
        _made.move_to_end(key)
    else:
        # Not one of inference mode, which could not be used in training.
        with torch.inference_mode(False):
            value = _made[key] = make(*args).to(like)
        while sum(x.numel() for x in _made.values()) > _MOST:
            _made.popitem(last=False)
    for keeper in _keepers:
        keeper.append(value)
    return value


@contextmanager
def keep_constants() -> Iterator[List[Tensor]]:
    """Lists the constants that are used within this context.

    A CUDA graph needs them for as long as it is replayed, even when they have
    been forgotten here.
    """
    keeper: List[Tensor] = []
    _keepers.append(keeper)
    try:
        yield keeper
    finally:
        _keepers.pop()
