"""Iterations of SinGAN as CUDA graphs.

At a scale all shapes are fixed, and at the small ones a GPU waits for the host
to launch one short kernel after the other. A CUDA graph launches those of an
iteration at once. It knows addresses and numbers, not Python: what changes
from one iteration to the next has to be in tensors that stay where they are.
"""
from collections import Counter
from contextlib import contextmanager
from typing import Callable, Dict, Hashable, Iterator, List, Optional

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapperDict
from torch import Tensor

from mmpe.functional.constants import keep_constants

__all__ = ['CUDAGraph', 'IterationGraphs', 'WARM_UP', 'graphs_problem']

# Iterations of each kind that are run as written: they let libraries make
# their handles and choose algorithms, which cannot be captured.
WARM_UP = 3
Log = Dict[str, Tensor]


class CUDAGraph:
    """What a function does on the current GPU, to be done again.

    Args:
        function: Captured, not run; gives a tensor.
        others: Graphs that are never replayed at the same time.

    Attributes:
        result: The tensor; each replay overwrites it.
    """

    # Captured where it was warmed up: libraries have handles for each stream.
    _streams: Dict[int, 'torch.cuda.Stream'] = {}

    def __init__(self, function: Callable[[], Tensor],
                 others: List['CUDAGraph']) -> None:
        self._graph = torch.cuda.CUDAGraph()
        # Nothing but results is kept from one replay to the next, and they
        # are copied at once: so all may share their memory.
        pool = others[0]._graph.pool() if others else None
        with torch.cuda.graph(self._graph, pool=pool, stream=self._stream()):
            self.result = function()

    def replay(self) -> None:
        """Do it."""
        self._graph.replay()

    @classmethod
    def warm_up(cls, function: Callable[[], Log]) -> Log:
        """Run a function that is to be captured later on.

        Args:
            function: The function.

        Returns:
            What it gives.
        """
        stream, current = cls._stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            result = function()
        current.wait_stream(stream)
        return result

    @classmethod
    def _stream(cls) -> 'torch.cuda.Stream':
        device = torch.cuda.current_device()
        if device not in cls._streams:
            cls._streams[device] = torch.cuda.Stream()
        return cls._streams[device]

    @staticmethod
    def problem(device: torch.device) -> Optional[str]:
        """In one line, why there are no graphs on a device, if so."""
        if device.type != 'cuda':
            return f'the model is on {device.type!r} instead of a GPU'
        return None


class IterationGraphs:
    """Runs iterations: a few as written, then as graphs.

    Args:
        graph_type: :class:`CUDAGraph`, or what stands in for it.
    """

    def __init__(self, graph_type: type = CUDAGraph) -> None:
        self._graph_type = graph_type
        self._forget()

    def _forget(self) -> None:
        self._graphs: Dict[Hashable, CUDAGraph] = {}
        self._names: Dict[Hashable, List[str]] = {}
        self._constants: List[Tensor] = []
        self._num_runs = Counter()
        self._states: List[dict] = []
        self._rates: List[Tensor] = []
        self._rates_now: List[float] = []

    def __deepcopy__(self, memo: dict) -> 'IterationGraphs':
        """Graphs belong to the tensors they were captured with."""
        return IterationGraphs(self._graph_type)

    def run(self, kind: Hashable, iteration: Callable[[], Log],
            wrappers: OptimWrapperDict) -> Log:
        """Run an iteration.

        Args:
            kind: Which one it is: iterations of a kind launch the same
                kernels.
            iteration: Runs it as written; gives values for the log.
            wrappers: The optimisers it uses.

        Returns:
            Values for the log, tensors of their own.

        Raises:
            RuntimeError: It cannot be captured.
        """
        optimizers = [x.optimizer for x in wrappers.optim_wrappers.values()]
        # Loading a checkpoint replaces the state of an optimiser.
        states = [x.state for x in optimizers]
        if len(states) != len(self._states) or any(
                a is not b for a, b in zip(states, self._states)):
            self._forget()
            self._states = states
        self._num_runs[kind] += 1
        if self._num_runs[kind] <= WARM_UP:
            return self._graph_type.warm_up(iteration)
        groups = [group for x in optimizers for group in x.param_groups]
        self._set_rates(groups)
        if kind not in self._graphs:
            self._capture(kind, iteration, groups)
        graph = self._graphs[kind]
        graph.replay()
        return dict(zip(self._names[kind], graph.result.clone().unbind()))

    def _capture(self, kind: Hashable, iteration: Callable[[], Log],
                 groups: List[dict]) -> None:

        def function() -> Tensor:
            log = iteration()
            self._names[kind] = list(log)
            return torch.stack([x.detach() for x in log.values()])

        try:
            with keep_constants() as constants, self._rates_in(groups):
                graph = self._graph_type(function, list(self._graphs.values()))
        except RuntimeError as error:
            raise RuntimeError(
                'An iteration cannot be captured as a CUDA graph: '
                f'{str(error).strip().splitlines()[0]} Set '
                '`model.cuda_graphs=False`.') from error
        self._constants += constants
        self._graphs[kind] = graph

    def _set_rates(self, groups: List[dict]) -> None:
        """Bring the learning rates to the device, where they changed."""
        if not self._rates:
            self._rates = [
                torch.zeros((), device=group['params'][0].device)
                for group in groups
            ]
        now = [group['lr'] for group in groups]
        if now != self._rates_now:
            for rate, value in zip(self._rates, now):
                rate.fill_(value)
            self._rates_now = now

    @contextmanager
    def _rates_in(self, groups: List[dict]) -> Iterator[None]:
        """Let optimisers read their learning rates on the device.

        For the capture alone: checkpoints and logs hold numbers.
        """
        before = [(group['lr'], group['capturable']) for group in groups]
        for group, rate in zip(groups, self._rates):
            group.update(lr=rate, capturable=True)
        try:
            yield
        finally:
            for group, (lr, capturable) in zip(groups, before):
                group.update(lr=lr, capturable=capturable)


def graphs_problem(objective: object,
                   wrappers: OptimWrapperDict) -> Optional[str]:
    """Why a training cannot be captured, if so.

    Args:
        objective: How a scale is trained.
        wrappers: The optimisers.

    Returns:
        None, or the reason in one line.
    """
    if not _knows_kinds(objective):
        return (f'{type(objective).__name__} does not say which iterations '
                'are alike (`kind`)')
    for wrapper in wrappers.optim_wrappers.values():
        if isinstance(wrapper, AmpOptimWrapper):
            return 'losses are scaled in float16; bfloat16 needs no scaling'
        if wrapper.clip_grad_kwargs:
            return 'gradients are clipped (`clip_grad`)'
        if not isinstance(wrapper.optimizer, torch.optim.Adam) or not all(
                group['fused'] for group in wrapper.optimizer.param_groups):
            return 'the optimiser is no fused Adam'
    return None


def _knows_kinds(objective: object) -> bool:
    """Whether ``kind`` was written for the losses of an objective."""
    if getattr(objective, 'kind', None) is None:
        return False

    def depth(name: str) -> int:
        """Where in the classes of the objective a method was written."""
        return next(index for index, cls in enumerate(type(objective).__mro__)
                    if name in vars(cls))

    return depth('kind') <= min(depth('disc_losses'), depth('gen_losses'))
