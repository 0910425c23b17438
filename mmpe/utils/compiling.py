"""``torch.compile`` for networks whose gradients are differentiated."""
import contextlib
import copy
from typing import Callable, Iterator, List, Optional

import torch
from torch import Tensor, nn

__all__ = ['compile_networks', 'eagerly', 'is_traced']

# The public name is new in torch 2.3.
_is_compiling = (
    getattr(torch.compiler, 'is_compiling', None) or torch._utils.is_compiling)


def compile_networks(networks: List[nn.Module],
                     trial: Callable[..., Tensor]) -> Optional[str]:
    """Compile networks, unless a trial with copies fails.

    If compilation fails later, e.g. at another size, PyTorch falls back to
    eager mode.

    Args:
        networks: Networks to compile, in place.
        trial: Called with compiled copies; its result is differentiated.

    Returns:
        None, or the reason why they are not compiled, in one line.
    """
    copies = copy.deepcopy(networks)
    try:
        for network in copies:
            network.compile()
        with torch.random.fork_rng(), torch.enable_grad():
            trial(*copies).sum().backward()
    except Exception as error:  # compilers raise any type
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return lines[0]
    # Not at the top: this import takes a second.
    from torch import _dynamo
    _dynamo.config.suppress_errors = True
    for network in networks:
        network.compile()
    return None


@contextlib.contextmanager
def eagerly(*networks: nn.Module) -> Iterator[None]:
    """Run compiled networks in eager mode.

    PyTorch does not support double backward through compiled code.

    Args:
        networks: Networks, compiled or not.
    """
    compiled = {
        module: module._compiled_call_impl
        for network in networks for module in network.modules()
        if getattr(module, '_compiled_call_impl', None) is not None
    }
    for module in compiled:
        module._compiled_call_impl = None
    try:
        yield
    finally:
        for module, call in compiled.items():
            module._compiled_call_impl = call


def is_traced(x: Tensor) -> bool:
    """Whether a compiler or exporter is tracing operations on a tensor.

    It should see plain operations that work for any size.
    """
    return (type(x) is not Tensor or _is_compiling()
            or torch.jit.is_tracing())
