"""``torch.compile`` for networks whose gradients are differentiated."""
import contextlib
import copy
from typing import Callable, Iterator, List, Optional

import torch
from torch import Tensor, nn

__all__ = ['compile_networks', 'eagerly', 'is_traced']


def compile_networks(networks: List[nn.Module],
                     trial: Callable[..., Tensor]) -> Optional[str]:
    """Compile networks, unless a trial with copies of them fails.

    What cannot be compiled later on, at another size for instance, runs as
    written.

    Args:
        networks: Networks, compiled in place when they are called.
        trial: Called with the compiled copies; what it returns is
            differentiated.

    Returns:
        None, or in one line why they are not compiled.
    """
    copies = copy.deepcopy(networks)
    try:
        for network in copies:
            network.compile()
        with torch.random.fork_rng(), torch.enable_grad():
            trial(*copies).sum().backward()
    except Exception as error:  # noqa: BLE001  (of many kinds)
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return lines[0]
    # Imported late: it takes a second.
    from torch import _dynamo
    _dynamo.config.suppress_errors = True
    for network in networks:
        network.compile()
    return None


@contextlib.contextmanager
def eagerly(*networks: nn.Module) -> Iterator[None]:
    """Let compiled networks run as written.

    PyTorch cannot differentiate gradients of what it has compiled.

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
    """Whether a compiler or an exporter watches what is done with a tensor.

    It is to see plain operations, for any size.
    """
    return (type(x) is not Tensor or torch.compiler.is_compiling()
            or torch.jit.is_tracing())
