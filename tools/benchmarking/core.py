"""Workloads, their tasks and their options."""
import contextlib
from typing import (Callable, ContextManager, Dict, Iterable, List,
                    NamedTuple, Optional, Sequence, Union)

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmpe.engine.optimizers import Adam, BFloat16OptimWrapper

__all__ = [
    'SIDES', 'AnyWorkload', 'Derived', 'Options', 'Results', 'Task',
    'Workload', 'WorkloadList'
]

Results = Dict[str, Tensor]
SIDES = ('mmagic', 'mmpe')


class Options(NamedTuple):
    """Options of all workloads.

    Args:
        device: Device to compute on.
        dtype: Precision of mmpe, 'float32' or 'bfloat16'; MMagic always runs
            in float32.
        compile: Whether to compile mmpe's networks.
        small: Whether to shrink widths and sizes, for a quick check.
        image: Photograph for SinGAN; one of scikit-image if None.
        cuda_graphs: Whether to train mmpe's SinGAN with CUDA graphs.
    """

    device: str = 'cpu'
    dtype: str = 'float32'
    compile: bool = False
    small: bool = False
    image: Optional[str] = None
    cuda_graphs: bool = False

    def uses_bfloat16(self, side: str) -> bool:
        """Whether a side runs in bfloat16."""
        return side == 'mmpe' and self.dtype == 'bfloat16'

    def autocast(self, side: str) -> ContextManager:
        """Context with the precision of a side's forward passes."""
        if not self.uses_bfloat16(side):
            return contextlib.nullcontext()
        return torch.autocast(self.device.split(':')[0], torch.bfloat16)

    def optimizer(self, side: str, network: nn.Module,
                  betas: Sequence[float]) -> OptimWrapper:
        """The Adam of a side's configs, with learning rate 0.

        It does all its work, but every repetition gives the same results.
        """
        wrapper = BFloat16OptimWrapper if self.uses_bfloat16(side) \
            else OptimWrapper
        adam = Adam if side == 'mmpe' else torch.optim.Adam
        return wrapper(
            optimizer=adam(
                network.parameters(), lr=0., betas=tuple(betas)))


class Task:
    """One side of a workload.

    Args:
        run: Does the work once; returns the images and losses to compare, by
            name.
        model: Model whose weights are copied from mmpe's side to MMagic's.
        optimizers: Optimisers whose gradients are compared.
    """

    def __init__(self,
                 run: Callable[[], Results],
                 model: Optional[nn.Module] = None,
                 optimizers: Sequence[OptimWrapper] = ()) -> None:
        self.run = run
        self.model = model
        self.optimizers = [wrapper.optimizer for wrapper in optimizers]

    def record(self) -> Results:
        """Do the work once.

        Returns:
            The results, and the gradients of the parameters that the
            optimisers update, or of all without optimisers.
        """
        gradients: Results = {}
        names = {
            parameter: name for name, parameter in (
                self.model.named_parameters() if self.model else ())
        }

        def keep(parameters: Iterable[nn.Parameter]) -> None:
            for parameter in parameters:
                if parameter.grad is not None:
                    key = f'gradient of {names[parameter]}'
                    gradients[key] = parameter.grad.clone()

        handles = [
            optimizer.register_step_pre_hook(
                lambda optimizer, *_: keep(optimizer.param_groups[0]['params'])
            ) for optimizer in self.optimizers
        ]
        results = self.run()
        for handle in handles:
            handle.remove()
        if not handles:
            keep(names)
        results = {**results, **gradients}
        return {key: value.detach().cpu() for key, value in results.items()}


class Workload(NamedTuple):
    """Work that both sides can do.

    Args:
        name: Name on the command line.
        make: Makes the task of a side.
        has_dtype: Whether ``--dtype`` and ``--compile`` make a difference.
        in_process: Whether the work is done in this process, so that its peak
            memory can be measured.
    """

    name: str
    make: Callable[[str, Options], Task]
    has_dtype: bool = True
    in_process: bool = True


class Derived(NamedTuple):
    """Work whose time is derived from that of workloads.

    Args:
        name: Name on the command line.
        parts: Number of times that each workload is done.
    """

    name: str
    parts: Dict[str, float]


AnyWorkload = Union[Workload, Derived]
WorkloadList = List[AnyWorkload]
