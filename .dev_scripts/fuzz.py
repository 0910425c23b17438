r"""Fuzz the readers with damaged and malicious files.

Checkpoints, pickles, photographs, masks, displacements, references of metrics,
metafiles and server responses are generated from a random seed and read in
child processes, with the readers of the package. Each input must give a result
or one clear error, within 20 seconds of CPU time and 2 GiB of memory. Nothing
in it may run, and errors must not leave files behind. The exit code is 1 for
anything else.

Responses come from local servers; for them, the limits of downloads (time,
size) are scaled down.

Examples:
    python .dev_scripts/fuzz.py --number 20000 --keep fuzz_failures
    python .dev_scripts/fuzz.py --kinds photograph mask --seed 5 --time 600
"""
import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault('OMP_NUM_THREADS', '1')  # for the children
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from mmpe.utils.arguments import (SEED, Argument, at_least, make_parser,
                                  positive)
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.progress import ProgressBar
from tests.fuzzing import KINDS, prepare, run, table


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    names = [kind.name for kind in KINDS]
    return make_parser(
        __doc__,
        Argument(
            '--number',
            type=at_least(1),
            default=2000,
            help='number of inputs'),
        SEED,
        Argument(
            '--time', type=positive, metavar='SECONDS', help='time limit'),
        Argument(
            '--kinds',
            nargs='+',
            choices=names,
            metavar='KIND',
            help=f'kinds of inputs: {", ".join(names)} (default: all)'),
        Argument(
            '--keep',
            type=Path,
            metavar='FOLDER',
            help='folder to keep failing inputs in (default: none)')
    ).parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    torch.set_num_threads(1)
    kinds = [x for x in KINDS if not args.kinds or x.name in args.kinds]
    with one_line_errors():
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
        prepare()
        with ProgressBar(total=args.number, desc='Inputs') as bar:
            summaries = run(kinds, args.number, args.seed, args.time,
                            args.keep, bar.update)
    print(table(summaries))
    num_faults = sum(summary.num_faults for summary in summaries)
    if num_faults:
        where = f'; they are in {args.keep}' if args.keep else ''
        sys.exit(f'{num_faults} inputs failed{where}.')


if __name__ == '__main__':
    main()
