"""Check whether memory, open files, threads or the log grow in long trainings.

Trains small networks with the public commands and all their hooks, observes
the process from outside, and fits a line to its memory after a warm-up. The
exit code is 1 if the memory grows by more than the limit. Requires Linux;
takes some minutes.

Example:
    python .dev_scripts/long_run.py --iterations 5000
"""
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mmpe.utils.arguments import (Argument, at_least,  # noqa: E402
                                  make_parser, positive)
from mmpe.utils.tables import markdown_table  # noqa: E402
from tests.test_reliability import trainings  # noqa: E402

# Iterations between lines of the log, and between checkpoints.
LOG, CHECKPOINT = 50, 500
# Iterations to skip, in which allocators, caches and buffers fill up.
WARM_UP = 1000
NAMES = ('singan', 'singan_fast', 'mspie')
HEADER = ('training', 'iterations', 'memory, MB', 'MB per 1,000',
          'files', 'threads', 'log, kB per 1,000', 'checkpoint, kB per 1,000')


class Look(NamedTuple):
    """Resources of a process at an iteration; sizes in bytes."""

    iteration: int
    memory: int
    files: int
    threads: int
    log: int


def plans(images: Dict[str, Path], folder: Path,
          iterations: int) -> Dict[str, trainings.Training]:
    """Trainings with enough iterations at the last scale.

    Later scales of a SinGAN need more memory anyway.
    """
    length = iterations + WARM_UP
    found = (
        trainings.singan(images['photograph'], folder / 'singan',
                         length - length % 3, 40, CHECKPOINT),
        trainings.fast_singan(images['photograph'], folder / 'fast', length,
                              50, CHECKPOINT),
        trainings.mspie(images['images'], folder / 'mspie', length,
                        CHECKPOINT))
    return dict(zip(NAMES, found))


def watch(training: trainings.Training) -> List[Look]:
    """Run a training; observe it whenever its log has grown."""
    command = [
        sys.executable, training.script, *training.args,
        f'default_hooks.logger.interval={LOG}'
    ]
    looks: List[Look] = []
    with open(training.folder.with_suffix('.txt'), 'w') as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=dict(
                os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS='1'))
        try:
            while process.poll() is None:
                time.sleep(0.1)
                look = _look(process.pid, training.folder)
                latest = looks[-1].iteration if looks else 0
                if look and look.iteration > latest:
                    looks.append(look)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        sys.exit(Path(output.name).read_text())
    return looks


def _look(pid: int, folder: Path) -> Optional[Look]:
    scalars = list(folder.glob('*/vis_data/scalars.json'))
    if not scalars:
        return None
    steps = re.findall(r'"step": (\d+)', scalars[0].read_text())
    process = Path('/proc', str(pid))
    try:
        # Not file pages, which the system manages.
        memory = re.search(r'RssAnon:\s+(\d+) kB',
                           (process / 'status').read_text())
        files = len(os.listdir(process / 'fd'))
        threads = len(os.listdir(process / 'task'))
    except OSError:  # the process has just ended
        return None
    log = sum(path.stat().st_size for path in folder.glob('2*/**/*')
              if path.is_file())
    if not steps or not memory:
        return None
    return Look(int(steps[-1]), 1024 * int(memory[1]), files, threads, log)


def per_thousand(looks: List[Look],
                 quantity: Callable[[Look], float]) -> float:
    """Slope of a quantity per 1,000 iterations."""
    slope, _ = np.polyfit([x.iteration for x in looks],
                          [quantity(x) for x in looks], 1)
    return 1000 * slope


def row(name: str, folder: Path, looks: List[Look]) -> list:
    """Row of the table, and slope of the memory in MB."""
    slope = per_thousand(looks, lambda x: x.memory / 1e6)
    sizes = sorted((int(path.stem[5:]), path.stat().st_size / 1e3)
                   for path in folder.glob('iter_*.pth'))
    (first, before), (last, after) = sizes[0], sizes[-1]
    return [
        name, f'{looks[0].iteration}-{looks[-1].iteration}',
        f'{looks[0].memory / 1e6:.0f} to {looks[-1].memory / 1e6:.0f}',
        f'{slope:.2f}', f'{looks[0].files} to {looks[-1].files}',
        f'{looks[0].threads} to {looks[-1].threads}',
        f'{per_thousand(looks, lambda x: x.log / 1e3):.0f}',
        f'{1000 * (after - before) / (last - first):.0f}'
    ], slope


def main() -> None:
    """Run the command."""
    args = make_parser(
        __doc__,
        Argument('--iterations', type=at_least(1), default=5000,
                 help='iterations after the warm-up'),
        Argument('--only', choices=NAMES,
                 help='only run one training: %(choices)s'),
        Argument('--limit', type=positive, default=1,
                 help='allowed growth in MB per 1,000 iterations')
    ).parse_args()
    rows, slopes = [list(HEADER)], []
    with tempfile.TemporaryDirectory() as folder:
        images = trainings.write_images(Path(folder))
        for name, training in plans(images, Path(folder),
                                    args.iterations).items():
            if args.only not in (None, name):
                continue
            looks = watch(training)
            last = looks[-1].iteration
            looks = [x for x in looks if x.iteration > last - args.iterations]
            line, slope = row(name, training.folder, looks)
            rows.append(line)
            slopes.append(slope)
            print(' '.join(line), flush=True)
    print(markdown_table(rows))
    sys.exit(int(max(slopes) > args.limit))


if __name__ == '__main__':
    main()
