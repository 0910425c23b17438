r"""Compare the speed of mmpe and MMagic 1.2.0 on this machine.

Both sides do the same work with the same weights and inputs, taking turns in
this process. The table has the median times, their ratio (MMagic / mmpe), the
share of this machine's convolution rate that each side reaches, the peak
memory of each side in its own process, and the largest difference between the
results (images, losses and gradients). If the difference exceeds the tolerance
(1e-4; 2e-2 for images in bfloat16), there is no ratio, and the exit code is 1.
tools/benchmarking/*.py describes how the work of both sides is made equal.

A rounding error can flip the sign at a leaky ReLU, so gradients in float32 are
not always accurate to 1e-4. If a result differs by more, MMagic's weights are
perturbed by a few units in the last place: up to three times the effect on
MMagic's own result is tolerated, and both are printed.

MMagic always runs in float32 and is not compiled. On GPUs, convolutions are
timed in TF32, PyTorch's default, and compared without it.

Examples:
    python tools/benchmark.py --list
    python tools/benchmark.py --threads 2 --json benchmark.json
    python tools/benchmark.py --only 'config-f-*-step' fid --repeats 9
    python tools/benchmark.py --scale-down      # quick check, no valid figures
"""
import argparse
import fnmatch
import json
import os.path as osp
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Optional, Sequence

import torch
from mmengine.logging import MMLogger

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.inference.loading import check_device
from mmpe.models.singan.graphs import WARM_UP
from mmpe.utils.arguments import DEVICE, JSON, Argument, at_least, make_parser
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write, check_folder

sys.path.insert(0, osp.dirname(osp.abspath(__file__)))
from benchmarking import (agreement, evaluation, measure,
                          mspie, singan)
from benchmarking.core import (SIDES, Derived, Options,
                               Task, Workload, WorkloadList)
from benchmarking.report import Row, derive, markdown, shares

TOLERANCES = dict(float32=1e-4, bfloat16=2e-2)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(
        __doc__, JSON,
        Argument(
            '--only',
            nargs='+',
            metavar='NAME',
            help='names or patterns of workloads to run (default: all)'),
        Argument(
            '--list', action='store_true', help='print the names and exit'),
        Argument(
            '--threads',
            type=at_least(1),
            help="number of threads (default: PyTorch's)"), DEVICE,
        Argument(
            '--dtype',
            choices=sorted(TOLERANCES),
            default='float32',
            help='precision of mmpe'),
        Argument(
            '--compile',
            action='store_true',
            help="compile mmpe's networks if possible"),
        Argument(
            '--cuda-graphs',
            action='store_true',
            help="time mmpe's SinGAN with CUDA graphs, after its results have "
            'been compared without'),
        Argument(
            '--repeats',
            type=at_least(1),
            default=5,
            help='measurements per side'),
        Argument(
            '--image',
            metavar='PATH',
            help='photograph for SinGAN (default: one of scikit-image)'),
        Argument(
            '--no-memory',
            action='store_true',
            help='skip the peak memory, which takes two more processes per '
            'workload'),
        Argument(
            '--scale-down',
            action='store_true',
            help='small widths and sizes, to check that everything runs'),
        Argument('--memory-of', choices=SIDES,
                 help=argparse.SUPPRESS)).parse_args()


def all_workloads(options: Options) -> WorkloadList:
    """All workloads, in the order of the table."""
    found = [
        workload for group in (mspie, singan, evaluation)
        for workload in group.workloads(options)
    ]
    if options.device != 'cpu':
        found += mspie.large_workloads(options)
    return found


def select(workloads: WorkloadList,
           patterns: Optional[Sequence[str]]) -> WorkloadList:
    """The selected workloads, and those that their times derive from.

    Raises:
        ValueError: A pattern matches no name.
    """
    names = set()
    for pattern in patterns or ['*']:
        found = [
            workload for workload in workloads
            if fnmatch.fnmatchcase(workload.name, pattern)
        ]
        if not found:
            raise ValueError('Argument `--only` must name workloads that '
                             f'--list prints, but got {pattern!r}.')
        for workload in found:
            names.update([workload.name], getattr(workload, 'parts', ()))
    return [workload for workload in workloads if workload.name in names]


def measured(workload: Workload, options: Options, rates: Dict[str, float],
             repeats: int, with_memory: bool) -> Row:
    """Run a workload: compare the results, then measure the time."""
    tasks = measure.make_both(workload, options)
    flops = measure.flops_of(tasks['mmpe'])
    notes = []
    if options.compile and tasks['mmpe'].model is not None:
        problem = tasks['mmpe'].model.compile_networks()
        notes += [f'not compiled: {problem}'] if problem else []
    dtype = options.dtype if workload.has_dtype else 'float32'
    with measure.without_tf32():
        results = {side: task.record() for side, task in tasks.items()}
        found = agreement.differences(results['mmpe'], results['mmagic'])
        if dtype != 'float32':
            # The tolerance is for images; gradients are noisier.
            found = {
                key: value for key, value in found.items()
                if not key.startswith('gradient')
            }
        tolerances = dict.fromkeys(found, TOLERANCES[dtype])
        if dtype == 'float32' and tasks['mmagic'].model is not None:
            tolerances, more = agreement.allowed_differences(
                found, tolerances, tasks['mmagic'], results['mmagic'])
            notes += more
    worst = agreement.worst_of(found, tolerances)
    if options.cuda_graphs and hasattr(tasks['mmpe'].model, 'cuda_graphs'):
        notes += with_graphs(tasks['mmpe'])
    seconds = measure.time_both(tasks, options, repeats)
    del tasks, results
    return Row(workload.name, seconds, flops, shares(flops, seconds, rates),
               memory_of(workload, options) if with_memory else {},
               found[worst], worst, tolerances[worst], notes)


def with_graphs(task: Task) -> List[str]:
    """Train a SinGAN with CUDA graphs; return a note if it cannot."""
    task.model.cuda_graphs = True
    for _ in range(WARM_UP + 1):
        task.run()
    return [] if task.model.cuda_graphs else ['CUDA graphs are not used']


def memory_of(workload: Workload,
              options: Options) -> Dict[str, Optional[int]]:
    """Peak memory of both sides, if it can be measured."""
    if not workload.in_process:
        return {}
    if options.device != 'cpu':
        return {
            side: measure.peak_memory(side, workload, options)
            for side in SIDES
        }
    return {side: _memory_in_process(side, workload.name) for side in SIDES}


def _memory_in_process(side: str, name: str) -> Optional[int]:
    """Peak memory of one side, in its own process with these options."""
    output = subprocess.run([
        sys.executable,
        osp.abspath(__file__), *sys.argv[1:], '--only', name, '--memory-of',
        side
    ], check=True, capture_output=True, text=True).stdout  # yapf: disable
    return json.loads(output.splitlines()[-1])


def run(workloads: WorkloadList, options: Options, args: argparse.Namespace,
        rates: Dict[str, float]) -> List[Row]:
    """Measure workloads; print the current one to stderr."""
    rows: Dict[str, Row] = {}
    for index, workload in enumerate(workloads):
        print(
            f'[{index + 1}/{len(workloads)}] {workload.name}',
            file=sys.stderr,
            flush=True)
        if isinstance(workload, Derived):
            rows[workload.name] = derive(workload, rows, rates)
        else:
            rows[workload.name] = measured(workload, options, rates,
                                           args.repeats, not args.no_memory)
    return list(rows.values())


def report(rows: List[Row], options: Options, args: argparse.Namespace,
           rates: Dict[str, float]) -> None:
    """Print the table, and write the figures.

    Raises:
        SystemExit: Some results differ.
    """
    machine = measure.machine(options)
    settings = (f'mmpe in {options.dtype}' + ', compiled' * options.compile +
                ', CUDA graphs' * options.cuda_graphs)
    print(markdown(rows, machine, rates, settings))
    if args.json:
        with atomic_write(args.json) as path:
            path.write_text(
                json.dumps(
                    dict(
                        machine=machine,
                        options=options._asdict(),
                        convolution_rates=rates,
                        rows=[as_json(row) for row in rows]),
                    indent=2))
        print(f'The figures are in {args.json}')
    differing = [row for row in rows if not row.agrees]
    if differing:
        sys.exit('\n'.join(
            f'{row.name}: {row.worst} differs by {row.difference:.1e}, more '
            f'than {row.tolerance:.0e}.' for row in differing))


def as_json(row: Row) -> dict:
    """All figures of a row."""
    seconds = {side: value._asdict() for side, value in row.seconds.items()}
    return dict(row._asdict(), seconds=seconds, ratio=row.ratio)


def main() -> None:
    """Run the command."""
    args = parse_args()
    options = Options(args.device, args.dtype, args.compile, args.scale_down,
                      args.image, args.cuda_graphs)
    # MMagic logs a lot.
    MMLogger.get_current_instance().setLevel('ERROR')
    with one_line_errors():
        check_device(args.device)
        if args.json:
            check_folder(Path(args.json).parent)
        workloads = all_workloads(options)
        if args.list:
            print('\n'.join(workload.name for workload in workloads))
            return
        workloads = select(workloads, args.only)
        if args.threads:
            torch.set_num_threads(args.threads)
        if args.memory_of:
            print(
                json.dumps(
                    measure.peak_memory(args.memory_of, workloads[0],
                                        options)))
            return
        rates = {
            side: measure.convolution_rate(
                options, torch.bfloat16
                if options.uses_bfloat16(side) else torch.float32)
            for side in SIDES
        }
        rows = run(workloads, options, args, rates)
    report(rows, options, args, rates)


if __name__ == '__main__':
    main()
