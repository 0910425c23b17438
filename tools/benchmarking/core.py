"""What a workload is, and what it is run with."""
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
    """What is the same for all workloads.

    Args:
        device: Where to compute.
        dtype: 'float32' or 'bfloat16'; MMagic always computes in float32.
        compile: Whether mmpe's networks are compiled.
        small: Whether widths and sizes are shrunk, for a trial.
        image: Photograph for SinGAN; one of scikit-image if None.
        cuda_graphs: Whether mmpe's SinGAN is trained with CUDA graphs.
    """

    device: str = 'cpu'
    dtype: str = 'float32'
    compile: bool = False
    small: bool = False
    image: Optional[str] = None
    cuda_graphs: bool = False

    def uses_bfloat16(self, side: str) -> bool:
        """Whether a side computes in bfloat16."""
        return side == 'mmpe' and self.dtype == 'bfloat16'

    def autocast(self, side: str) -> ContextManager:
        """The precision of forward passes."""
        if not self.uses_bfloat16(side):
            return contextlib.nullcontext()
        return torch.autocast(self.device.split(':')[0], torch.bfloat16)

    def optimizer(self, side: str, network: nn.Module,
                  betas: Sequence[float]) -> OptimWrapper:
        """The Adam of a side's configs, which moves nothing.

        It does all its work, but every repetition computes the same.
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
        run: Does the work once; returns results to be compared: images and
            losses by name.
        model: Whose weights MMagic's side gets from mmpe's.
        optimizers: Whose gradients are compared.
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
            The results, and the gradients of all parameters, or of those that
            the optimisers update.
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
    """Something that both sides can do.

    Args:
        name: Its name on the command line.
        make: Makes one side's task from its name and the options.
        has_dtype: Whether ``--dtype`` and ``--compile`` make a difference.
        in_process: Whether the work is done in this process, whose peak
            memory can be measured.
    """

    name: str
    make: Callable[[str, Options], Task]
    has_dtype: bool = True
    in_process: bool = True


class Derived(NamedTuple):
    """Something whose time follows from measured ones.

    Args:
        name: Its name on the command line.
        parts: How often each workload is done.
    """

    name: str
    parts: Dict[str, float]


AnyWorkload = Union[Workload, Derived]
WorkloadList = List[AnyWorkload]
