r"""Check mmpe on a GPU: correctness, completeness and speed.

Runs groups of checks in order of importance, each in its own process with its
own time limit, so that failures and timeouts do not affect other groups.
Writes ``results.json``, ``gpu.md`` (the page docs/gpu.md) and a log per group
to FOLDER. The exit code is 1 if a check failed.

For machines without access to a package registry, see gpu_wheels.sh.

Examples:
    python .dev_scripts/check_gpu.py --out work_dirs/check_gpu
    python .dev_scripts/check_gpu.py --out work_dirs/check_gpu --only rows
    python .dev_scripts/check_gpu.py --out /tmp/trial --device cpu --scale-down
    python .dev_scripts/check_gpu.py --render first.json again.json \
        --out docs
"""
import argparse
import json
import os.path as osp
import shutil
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = osp.dirname(osp.dirname(osp.abspath(__file__)))
sys.path[:0] = [ROOT, osp.join(ROOT, 'tools'), osp.join(ROOT, '.dev_scripts')]
import mmpe  # noqa: E402,F401  (installs the host bridge)
from gpu_checks import GROUPS, core, report  # noqa: E402
from mmpe.utils.arguments import (DEVICE, Argument,  # noqa: E402
                                  make_parser, positive)
from mmpe.utils.command_line import one_line_errors  # noqa: E402
from mmpe.utils.files import atomic_write  # noqa: E402


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(
        __doc__,
        Argument(
            '--out', required=True, metavar='FOLDER', help='output folder'),
        DEVICE.but(choices=['cuda', 'cpu'], default='cuda'),
        Argument(
            '--scale-down',
            action='store_true',
            help='small networks, images and numbers, to check that all runs'),
        Argument(
            '--only',
            nargs='+',
            metavar='GROUP',
            choices=[group.name for group in GROUPS],
            help='groups to run: %(choices)s (default: all)'),
        Argument(
            '--limit',
            type=positive,
            default=480,
            help='time limit for all groups in seconds'),
        Argument('--commit', help='commit to record (default: from git)'),
        Argument(
            '--render',
            nargs='+',
            metavar='FILE',
            help='only write the page, from these results; for groups in '
            'several files, the last one is used'))
    args = parser.parse_args()
    if args.device != 'cpu' and not args.render \
            and not torch.cuda.is_available():
        parser.error(f'--device is {args.device}, but PyTorch sees no GPU; '
                     'try `--device cpu --scale-down`')
    return args


def run_groups(args: argparse.Namespace, out: Path) -> dict:
    """Run the groups; write the results after each."""
    results = dict(
        machine=report.machine(args.device, args.commit, ROOT),
        scaled_down=args.scale_down,
        groups={})
    end = time.monotonic() + args.limit
    with tempfile.TemporaryDirectory() as folder:
        options = core.Options(args.device, args.scale_down, Path(folder))
        for group in GROUPS:
            if args.only and group.name not in args.only:
                continue
            limit = min(group.limit, max(1., end - time.monotonic()))
            print(f'{group.name}: at most {limit:.0f} s', flush=True)
            result = core.run_group(group, options, limit)
            results['groups'][group.name] = result
            shutil.copy(options.folder / f'{group.name}.log', out)
            write(results, out)
            print(report.summary(result), flush=True)
    return results


def write(results: dict, out: Path) -> None:
    """Write results and page."""
    for name, text in (('results.json', json.dumps(results, indent=1)),
                       ('gpu.md', report.page(results))):
        with atomic_write(out / name) as path:
            path.write_text(text + '\n')


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        out = Path(args.out)
        results = report.merged(args.render) if args.render else None
        out.mkdir(parents=True, exist_ok=True)
        if results:
            with atomic_write(out / 'gpu.md') as path:
                path.write_text(report.page(results) + '\n')
        else:
            results = run_groups(args, out)
    print(f'The page is {out / "gpu.md"}')
    if report.failures(results):
        sys.exit(1)


if __name__ == '__main__':
    main()
