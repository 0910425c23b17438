"""Iterations of SinGAN as CUDA graphs.

Shapes are fixed at a scale, and at the small scales a GPU waits for the host
to launch short kernels one by one. A CUDA graph launches those of an iteration
at once. It records addresses and numbers, not Python: whatever changes between
iterations must be in tensors with fixed addresses.
"""
from collections import Counter
from contextlib import contextmanager
from typing import (Callable, Dict, Hashable, Iterator, List, Optional,
                    Type)

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapperDict
from torch import Tensor

from mmpe.functional.constants import keep_constants

__all__ = ['WARM_UP', 'CUDAGraph', 'IterationGraphs', 'graphs_problem']

# Eager iterations of each kind, in which libraries create their handles and
# choose algorithms; neither can be captured.
WARM_UP = 3
Log = Dict[str, Tensor]


class CUDAGraph:
    """Captures a function on the current GPU.

    Args:
        function: Function that returns a tensor; captured, not run.
        others: Graphs that are never replayed at the same time.

    Attributes:
        result: The returned tensor, overwritten by each replay.
    """

    # Warm-up and capture share a stream, as libraries keep handles per stream.
    _streams: Dict[int, 'torch.cuda.Stream'] = {}

    def __init__(self, function: Callable[[], Tensor],
                 others: List['CUDAGraph']) -> None:
        self._graph = torch.cuda.CUDAGraph()
        # Only results outlive a replay, and they are copied at once, so all
        # graphs can share a memory pool.
        pool = others[0]._graph.pool() if others else None
        with torch.cuda.graph(self._graph, pool=pool, stream=self._stream()):
            self.result = function()

    def replay(self) -> None:
        """Replay the graph."""
        self._graph.replay()

    @classmethod
    def warm_up(cls, function: Callable[[], Log]) -> Log:
        """Run a function that will be captured later.

        Args:
            function: The function.

        Returns:
            The function's result.
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
        """One line that says why a device has no graphs, or None."""
        if device.type != 'cuda':
            return f'the model is on {device.type!r} instead of a GPU'
        return None


class IterationGraphs:
    """Runs the first iterations eagerly, the others as graphs.

    Args:
        graph_type: :class:`CUDAGraph` or a substitute.
    """

    def __init__(self, graph_type: Type[CUDAGraph] = CUDAGraph) -> None:
        self._graph_type = graph_type
        self._forget()

    def _forget(self) -> None:
        self._graphs: Dict[Hashable, CUDAGraph] = {}
        self._names: Dict[Hashable, List[str]] = {}
        self._constants: List[Tensor] = []
        self._num_runs: Counter = Counter()
        self._states: List[dict] = []
        self._rates: List[Tensor] = []
        self._rates_now: List[float] = []

    def __deepcopy__(self, memo: dict) -> 'IterationGraphs':
        """Copies start without graphs, which belong to captured tensors."""
        return IterationGraphs(self._graph_type)

    def run(self, kind: Hashable, iteration: Callable[[], Log],
            wrappers: OptimWrapperDict) -> Log:
        """Run an iteration.

        Args:
            kind: Key of the iteration; those with the same key launch the
                same kernels.
            iteration: Runs the iteration eagerly and returns its log.
            wrappers: The optimisers it uses.

        Returns:
            Values for the log, as new tensors.

        Raises:
            RuntimeError: The iteration cannot be captured.
        """
        optimizers = [x.optimizer for x in wrappers.optim_wrappers.values()]
        # Loading a checkpoint replaces an optimiser's state, and with it the
        # captured addresses.
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
        """Copy the learning rates to the device if they changed."""
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
        """Let optimisers read their learning rates from device tensors.

        During capture only, as checkpoints and logs hold numbers.
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
    """Check whether a training can be captured.

    Args:
        objective: The objective.
        wrappers: The optimisers.

    Returns:
        None, or one line that says why it cannot.
    """
    if not _knows_kinds(objective):
        return (f'{type(objective).__name__} does not say which iterations '
                'launch the same kernels (`kind`)')
    for wrapper in wrappers.optim_wrappers.values():
        if isinstance(wrapper, AmpOptimWrapper):
            return 'float16 scales the losses; use bfloat16, which does not'
        if wrapper.clip_grad_kwargs:
            return 'gradients are clipped (`clip_grad`)'
        if not isinstance(wrapper.optimizer, torch.optim.Adam) or not all(
                group['fused'] for group in wrapper.optimizer.param_groups):
            return 'the optimiser must be a fused Adam'
    return None


def _knows_kinds(objective: object) -> bool:
    """Whether an objective defines ``kind`` at or below its losses."""
    if getattr(objective, 'kind', None) is None:
        return False

    def depth(name: str) -> int:
        """Index in the MRO of the class that defines a method."""
        return next(index for index, cls in enumerate(type(objective).__mro__)
                    if name in vars(cls))

    return depth('kind') <= min(depth('disc_losses'), depth('gen_losses'))
