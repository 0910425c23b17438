"""Time, memory, and what the machine can do."""
import contextlib
import gc
import math
import os
import platform
import statistics
import time
from pathlib import Path
from typing import (Callable, Dict, Iterator, List, NamedTuple, Optional,
                    Sequence, Tuple)

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from mmpe.functional.winograd import direct_convolutions
from .core import SIDES, Options, Results, Task, Workload

__all__ = [
    'Seconds', 'allowed_differences', 'convolution_rate', 'differences',
    'effect_of_rounding', 'flops_of', 'machine', 'make_both', 'peak_memory',
    'time_both', 'without_tf32', 'worst_of'
]

# A repetition takes at least this long; short work is done several times.
_LEAST_SECONDS = 0.2
# Rounding errors of about as many units in the last place are left by sums of
# thousands of products.
_UNITS_IN_THE_LAST_PLACE = 4
_TRIALS = 4
# How often their effect is tolerated.
_ROUNDING = 3
_CONVOLUTIONS = ((4, 128, 64), (2, 128, 128), (2, 256, 64), (1, 512, 32))


class Seconds(NamedTuple):
    """How long a side takes.

    Args:
        wall: Median time.
        cpu: Median time of all threads on processors.
        all: Every measured time.
    """

    wall: float
    cpu: float
    all: List[float]


def machine(options: Options) -> Dict[str, object]:
    """What the figures were measured on."""
    with contextlib.suppress(OSError):
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        models = [
            line.partition(':')[2].strip() for line in lines
            if line.startswith('model name')
        ]
    device = models[0] if models else platform.processor()
    if options.device != 'cpu':
        device = torch.cuda.get_device_name(options.device)
    return dict(
        device=device,
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        torch=torch.__version__)


@contextlib.contextmanager
def without_tf32() -> Iterator[None]:
    """Let GPUs convolve in float32; PyTorch's default rounds to TF32."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def _synchronize(options: Options) -> None:
    if options.device != 'cpu':
        torch.cuda.synchronize(options.device)


def convolution_rate(options: Options, dtype: torch.dtype) -> float:
    """FLOP/s of 3x3 convolutions in good shapes: the best of some."""
    rates = []
    for num, channels, side in _CONVOLUTIONS:
        if options.small:
            num, channels, side = 1, 64, 32
        x = torch.randn(
            num, channels, side, side, dtype=dtype, device=options.device)
        weight = torch.randn(channels, channels, 3, 3).to(x)
        flops = 2 * x.numel() * weight[0].numel()
        for memory_format in (torch.contiguous_format, torch.channels_last):
            x = x.contiguous(memory_format=memory_format)
            weight = weight.contiguous(memory_format=memory_format)
            times = []
            for _ in range(5):
                start = time.perf_counter()
                F.conv2d(x, weight, padding=1)
                _synchronize(options)
                times.append(time.perf_counter() - start)
            rates.append(flops / min(times))
    return max(rates)


def make_both(workload: Workload, options: Options) -> Dict[str, Task]:
    """Both sides, with the same weights."""
    tasks = {side: workload.make(side, options) for side in SIDES}
    if tasks['mmpe'].model is not None:
        state = tasks['mmpe'].model.state_dict()
        state.pop('_extra_state', None)
        tasks['mmagic'].model.load_state_dict(state)
    return tasks


class _FlopCounter(TorchDispatchMode):
    """PyTorch's own one fails where gradients are differentiated."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self,
                           func: Callable,
                           types: tuple,
                           args: tuple = (),
                           kwargs: Optional[dict] = None) -> object:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=out)
        return out


def flops_of(task: Task) -> int:
    """FLOPs of convolutions, computed directly, and of matrix products."""
    with direct_convolutions(), _FlopCounter() as counter:
        task.run()
    return counter.total


def differences(results: Results, expected: Results) -> Dict[str, float]:
    """How far results are from the expected ones.

    Of images and losses it is the largest difference by the largest value; of
    the gradients of a network, as one vector, the norm of the difference by
    the norm: single ones may be nearly zero.

    Args:
        results, expected: Tensors by name; 'gradient of NETWORK.PARAMETER'.

    Returns:
        Differences by name; 'gradient of NETWORK'.

    Raises:
        ValueError: One has results that the other lacks.
    """
    for key in results.keys() ^ expected.keys():
        # A term that one side leaves out must not matter.
        present = {**results, **expected}[key]
        if not key.startswith('gradient') or present.any():
            raise ValueError(f'Only one side has {key!r}.')
    pairs: Dict[str, List[tuple]] = {}
    for key in sorted(results.keys() & expected.keys()):
        name = key.split('.')[0] if key.startswith('gradient') else key
        pairs.setdefault(name, []).append((results[key], expected[key]))
    return {
        name: _difference(*map(_vector, zip(*values)),
                          2 if name.startswith('gradient') else math.inf)
        for name, values in pairs.items()
    }


def effect_of_rounding(task: Task, expected: Results) -> Dict[str, float]:
    """How far rounding errors move a side's results.

    Its weights are moved by a few units in the last place, up or down at
    random, and moved back; more than once, since in small networks it is a
    matter of chance whether an activation changes its side.

    Args:
        task: The side.
        expected: Its results.

    Returns:
        The largest :func:`differences` from the expected ones.
    """
    parameters = list(task.model.parameters())
    before = [parameter.detach().clone() for parameter in parameters]
    generator = torch.Generator().manual_seed(0)
    largest: Dict[str, float] = {}
    for _ in range(_TRIALS):
        for parameter, value in zip(parameters, before):
            signs = torch.randint(
                0, 2, value.shape, generator=generator) * 2. - 1
            towards, moved = signs.to(value) * math.inf, value
            for _ in range(_UNITS_IN_THE_LAST_PLACE):
                moved = torch.nextafter(moved, towards)
            parameter.data.copy_(moved)
        for key, value in differences(task.record(), expected).items():
            largest[key] = max(largest.get(key, 0.), value)
    for parameter, value in zip(parameters, before):
        parameter.data.copy_(value)
    return largest


def allowed_differences(
        found: Dict[str, float], tolerances: Dict[str, float], task: Task,
        expected: Results) -> Tuple[Dict[str, float], List[str]]:
    """Tolerances that allow for what rounding does to the expected results.

    A rounding error suffices to bring a leaky ReLU to its other side, so that
    gradients in float32 are not always known to 1e-4.

    Args:
        found: What :func:`differences` gave.
        tolerances: Of each of them.
        task: The side whose results are expected.
        expected: Its results.

    Returns:
        The tolerances; where a difference exceeds its own, three times the
        :func:`effect_of_rounding` if that is more. And a note on each.
    """
    larger = [key for key in found if not found[key] <= tolerances[key]]
    if not larger:
        return tolerances, []
    effect = effect_of_rounding(task, expected)
    allowed, notes = dict(tolerances), []
    for key in larger:
        allowed[key] = max(allowed[key], _ROUNDING * effect[key])
        notes.append(f'{key} differs by {found[key]:.1e}, and by '
                     f'{effect[key]:.1e} on the reference side alone when its '
                     'weights are rounded otherwise')
    return allowed, notes


def worst_of(found: Dict[str, float], tolerances: Dict[str, float]) -> str:
    """The difference that is nearest to its tolerance, or beyond it."""
    # Whatever is not a number comes first.
    return max(
        found,
        key=lambda key:
        (found[key] != found[key], found[key] / tolerances[key]))


def _vector(values: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat([value.flatten() for value in values]).double()


def _difference(actual: torch.Tensor, expected: torch.Tensor,
                order: float) -> float:
    # With what is not a number the difference is not one either.
    distance = torch.linalg.vector_norm(actual - expected, order)
    norm = torch.linalg.vector_norm(expected, order)
    return float(distance / norm) if norm else float(distance)


def time_both(tasks: Dict[str, Task], options: Options,
              repeats: int) -> Dict[str, Seconds]:
    """Repeat both sides in turn.

    The side that begins changes, and memory is collected in between.
    """
    least = 0. if options.small else _LEAST_SECONDS
    numbers = {
        side: max(1, math.ceil(least / _once(task, 1, options)[0]))
        for side, task in tasks.items()
    }
    times: Dict[str, List[tuple]] = {side: [] for side in tasks}
    for repeat in range(repeats):
        for side in list(tasks)[::1 if repeat % 2 else -1]:
            times[side].append(_once(tasks[side], numbers[side], options))
    return {
        side: Seconds(*(statistics.median(column) for column in zip(*rows)),
                      [row[0] for row in rows])
        for side, rows in times.items()
    }


def _once(task: Task, number: int, options: Options) -> tuple:
    """Seconds of one run, on the clock and on processors."""
    gc.collect()
    _synchronize(options)
    start, start_cpu = time.perf_counter(), time.process_time()
    for _ in range(number):
        task.run()
    _synchronize(options)
    return ((time.perf_counter() - start) / number,
            (time.process_time() - start_cpu) / number)


def peak_memory(side: str, workload: Workload,
                options: Options) -> Optional[int]:
    """Peak memory in bytes of one side: what it holds, and what a run adds.

    On a processor it is meant for a process of its own, where no memory of
    earlier work is left to be used again.

    Returns:
        Bytes, or None where the system does not tell.
    """
    if options.device != 'cpu':
        gc.collect()
        before = torch.cuda.memory_allocated(options.device)
        torch.cuda.reset_peak_memory_stats(options.device)
        workload.make(side, options).run()
        return torch.cuda.max_memory_allocated(options.device) - before
    try:
        before = _status('VmRSS')
        task = workload.make(side, options)
        gc.collect()
        # The peak is counted from here on.
        Path('/proc/self/clear_refs').write_text('5')
        task.run()
        return _status('VmHWM') - before
    except OSError:
        return None


def _status(key: str) -> int:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    raise OSError(f'There is no {key} in /proc/self/status.')
