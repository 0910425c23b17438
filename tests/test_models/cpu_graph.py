"""A stand-in for a CUDA graph: records operations and does them again.

Like a CUDA graph it knows addresses and numbers, not Python: what a replay
computes comes from the recorded operations alone, and a capture changes
nothing.
"""
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten


def _tensors(tree):
    return [x for x in tree_flatten(tree)[0] if isinstance(x, torch.Tensor)]


def _address(x):
    return x.untyped_storage().data_ptr()


class _Tape(TorchDispatchMode):

    def __init__(self):
        super().__init__()
        self.operations = []
        self.made = set()
        self.before = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in ('_local_scalar_dense', 'nonzero'):
            raise RuntimeError('a wait')
        inputs = _tensors((args, kwargs))
        known = {_address(x) for x in inputs}
        # The statistics of normalisations are written to without saying so.
        if func._schema.is_mutable or name == 'native_batch_norm':
            self.before += [(x, x.clone()) for x in inputs
                            if _address(x) not in self.made]
        outputs = func(*args, **kwargs)
        fresh = [index for index, x in enumerate(_tensors(outputs))
                 if _address(x) not in known]
        self.made.update(_address(_tensors(outputs)[i]) for i in fresh)
        self.operations.append((func, args, kwargs, outputs, fresh))
        return outputs


class CPUGraph:
    """With the interface of ``mmpe.models.singan.graphs.CUDAGraph``."""

    num_captures = num_replays = 0

    def __init__(self, function, others):
        CPUGraph.num_captures += 1
        random = torch.get_rng_state()
        with _Tape() as tape:
            self.result = function()
        self.operations = tape.operations
        torch.set_rng_state(random)
        with torch.no_grad():
            for x, value in reversed(tape.before):
                x.copy_(value)

    @torch.no_grad()
    def replay(self):
        CPUGraph.num_replays += 1
        for func, args, kwargs, outputs, fresh in self.operations:
            values, places = (_tensors(x)
                              for x in (func(*args, **kwargs), outputs))
            for index in fresh:
                places[index].detach().copy_(values[index])

    @staticmethod
    def warm_up(function):
        return function()

    @staticmethod
    def problem(device):
        return None
