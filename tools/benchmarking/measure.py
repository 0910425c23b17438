"""Time, memory, FLOPs, and the convolution rate of the machine."""
import contextlib
import gc
import math
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional

import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from mmpe.functional.winograd import direct_convolutions
from .core import SIDES, Options, Task, Workload

__all__ = [
    'Seconds', 'convolution_rate', 'flops_of', 'machine', 'make_both',
    'peak_memory', 'time_both', 'without_tf32'
]

# A measurement takes at least this long; short work is repeated.
_LEAST_SECONDS = 0.2
_CONVOLUTIONS = ((4, 128, 64), (2, 128, 128), (2, 256, 64), (1, 512, 32))


class Seconds(NamedTuple):
    """Time of a side.

    Args:
        wall: Median wall-clock time.
        cpu: Median CPU time of all threads.
        all: All wall-clock times.
    """

    wall: float
    cpu: float
    all: List[float]


def machine(options: Options) -> Dict[str, object]:
    """Description of the machine."""
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
    """Compute convolutions on GPUs in float32 instead of TF32."""
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
    """FLOP/s of 3x3 convolutions: the best of some favourable shapes."""
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
    """Tasks of both sides, with the same weights."""
    tasks = {side: workload.make(side, options) for side in SIDES}
    if tasks['mmpe'].model is not None:
        state = tasks['mmpe'].model.state_dict()
        state.pop('_extra_state', None)
        tasks['mmagic'].model.load_state_dict(state)
    return tasks


class _FlopCounter(TorchDispatchMode):
    """Unlike PyTorch's own counter, works with double backward."""

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
    """FLOPs of direct convolutions and of matrix products."""
    with direct_convolutions(), _FlopCounter() as counter:
        task.run()
    return counter.total


def time_both(tasks: Dict[str, Task], options: Options,
              repeats: int) -> Dict[str, Seconds]:
    """Time both sides, taking turns.

    The order alternates, and garbage is collected before each measurement.
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
    """Wall-clock and CPU seconds of one run."""
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
    """Peak memory of one side, including its model.

    On the CPU, call this in a new process, so that it cannot reuse memory of
    earlier work.

    Returns:
        Bytes, or None if the system does not report it.
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
        # Reset the peak.
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
