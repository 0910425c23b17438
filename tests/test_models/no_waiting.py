"""Finds what would make a GPU wait, without one.

The device ``meta`` stands in for it: its tensors have no values, so whatever
looks at one fails or is found here, and it is another device than the
processor, so copies between both are seen.
"""
import traceback
from contextlib import ExitStack, contextmanager, nullcontext
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

DEVICE = torch.device('meta')
# Operations whose result, or its size, the host has to know.
_READS = {
    '_local_scalar_dense', 'is_nonzero', 'equal', 'nonzero', 'masked_select',
    '_unique2', 'unique_consecutive', 'unique_dim'
}
_MAKERS = {'tensor', 'as_tensor', 'new_tensor', 'asarray'}


def _on_device(x):
    return isinstance(x, torch.Tensor) and x.device == DEVICE


def _place():
    """Where in mmpe or MMagic an operation was called."""
    frames = [
        frame for frame in traceback.extract_stack()
        if any(part in frame.filename
               for part in ('/mmpe/', '/mmagic/', '/mmengine/'))
    ]
    return f'{frames[-1].filename}:{frames[-1].lineno}' if frames else '?'


class _Finding:
    """Keeps what a mode finds."""

    def __init__(self, found):
        super().__init__()
        self.found = found


class _Operations(_Finding, TorchDispatchMode):

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        tensors = [x for x in tree_flatten((args, kwargs))[0]
                   if isinstance(x, torch.Tensor)]
        devices = {x.device for x in tensors}
        target = kwargs.get('device')
        problem = None
        if name in _READS and DEVICE in devices:
            problem = 'read'
        elif name == 'index' and any(
                _on_device(x) and x.dtype in (torch.bool, torch.uint8)
                for x in tree_flatten(args[1])[0]):
            problem = 'read'
        elif name in ('_to_copy', 'copy_') and (
                len(devices | {torch.device(target)} if target else devices)
                > 1):
            problem = 'copy'
        elif len(devices) > 1 and (name in ('index', 'index_put_') or any(
                x.dim() for x in tensors if x.device != DEVICE)):
            # On a GPU an error or a copy. A single number is neither.
            problem = 'mixture'
        if problem:
            self.found.append(f'{problem}: {name} at {_place()}')
        return func(*args, **kwargs)


class _Functions(_Finding, TorchFunctionMode):

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, '__name__', '')
        result = func(*args, **kwargs)
        source = args[0] if args else None
        if name == 'new_tensor':
            source = args[1] if len(args) > 1 else kwargs.get('data')
        if name in _MAKERS and _on_device(result) and not _on_device(source):
            self.found.append(f'made from numbers: {name} at {_place()}')
        elif name == '__getitem__' and _on_device(args[0]) and any(
                isinstance(x, list) for x in (
                    args[1] if isinstance(args[1], tuple) else args[1:])):
            self.found.append(f'made from numbers: {name} at {_place()}')
        return result


def _without_autocast(stack):
    """Let meta tensors be asked for autocast, which they do not have."""
    for name, value in (('autocast', nullcontext()),
                        ('get_autocast_dtype', torch.float32),
                        ('is_autocast_enabled', False)):
        real = getattr(torch, name, None)  # one is new in torch 2.4
        if real is None:
            continue

        def stand_in(*args, real=real, value=value, **kwargs):
            is_meta = args[:1] == (DEVICE.type, )
            return value if is_meta else real(*args, **kwargs)

        stack.enter_context(mock.patch.object(torch, name, stand_in))


@contextmanager
def waits():
    """Lists what would wait for the device, or copy to or from it.

    Gives:
        One line for each: what it is and where. It is filled while the
        context is open.
    """
    found = []
    with ExitStack() as stack:
        _without_autocast(stack)
        stack.enter_context(_Functions(found))
        stack.enter_context(_Operations(found))
        yield found
