r"""Measure where the features of generators get their positions from.

For each layer, with zero padding and without it: the location share (what the
mean over latents explains of the features), positions read by linear probes
(also after PosENet's protocol), what padding adds (PPP, signal-to-noise
ratio), the error under shifts, and the agreement of layouts. Small networks
with random weights by default; trained ones and networks of your own on
request.

The results are `tables.md`, `results.json` and the figures `layers.png`,
`profiles.png` and `maps.png`. What an earlier call has measured in the same
--out-dir is used again, so that a stopped analysis goes on.

Example:
    python tools/analysis/positions_in_features.py --out-dir positions
    python tools/analysis/positions_in_features.py \
        --trained config.py checkpoint.pth --model stylegan2 \
        --padding zeros reflect circular none
    python tools/analysis/positions_in_features.py --factory mine:make

where `mine.py` has a function `make` that returns a network and a function
`draw(num, generator)`, which draws its inputs for `num` images with a
`torch.Generator`.
"""
import argparse
import json
import os
import sys
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import torch

from mmpe.analysis import (ARCHITECTURES, MODES, Subject, analyse,
                           from_checkpoint, from_factory, untrained)
from mmpe.analysis.report import AllResults, draw_figures, tables
from mmpe.utils import register_all_modules
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write
from mmpe.utils.progress import ProgressBar
from mmpe.version import __version__

# Of each network: how it is made for a seed, and what else it depends on;
# None where that cannot be known.
Plan = Dict[str, Tuple[Callable[[int], Subject], object]]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--model',
        nargs='+',
        default=[],
        choices=list(ARCHITECTURES),
        help='networks with random weights (default: all of them, unless '
        'others are given): %(choices)s',
        metavar='NAME')
    parser.add_argument(
        '--trained',
        nargs=2,
        action='append',
        default=[],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a trained SinGAN, StyleGAN2, MS-PIE, or DCGAN or PGGAN of '
        'MMagic; repeat for further ones')
    parser.add_argument(
        '--factory',
        action='append',
        default=[],
        metavar='MODULE:FACTORY',
        help='a network of your own; repeat for further ones')
    parser.add_argument(
        '--padding',
        nargs='+',
        default=['zeros', 'none'],
        choices=MODES,
        help='what to pad with; "none" computes on a larger input and crops '
        '(default: zeros none)')
    parser.add_argument(
        '--seeds',
        nargs='+',
        type=int,
        default=[0, 1],
        help='seeds of random weights and of latents (default: 0 1)')
    parser.add_argument(
        '--num', type=int, default=32, help='latents (default: 32)')
    parser.add_argument(
        '--size',
        type=int,
        default=32,
        help='image size of networks with random weights (default: 32)')
    parser.add_argument(
        '--out-dir',
        default='positions_in_features',
        help='folder of results (default: positions_in_features)')
    args = parser.parse_args()
    if args.num < 8:
        parser.error(f'--num must be at least 8, but got {args.num}')
    if not (args.model or args.trained or args.factory):
        args.model = list(ARCHITECTURES)
    return args


def plan(args: argparse.Namespace) -> Plan:
    """The networks by their names."""
    networks: Plan = {}
    for name in args.model:
        networks[name] = (
            lambda seed, name=name: untrained(name, args.size, seed),
            args.size)
    for config, checkpoint in args.trained:
        for path in (config, checkpoint):
            if not os.path.isfile(path):
                raise FileNotFoundError(f'There is no file {path!r}.')
        state = os.stat(checkpoint)
        networks[f'{Path(config).stem} ({Path(checkpoint).stem})'] = (
            lambda seed, files=(config, checkpoint): from_checkpoint(*files),
            [os.path.abspath(checkpoint), state.st_size, state.st_mtime_ns])
    for path in args.factory:
        networks[path.replace(':', '.')] = (
            lambda seed, path=path: _made(path, seed), None)
    for name, (make, _) in networks.items():
        if name not in args.model:
            make(args.seeds[0])  # what is wrong shows before any work
    return networks


def _made(path: str, seed: int) -> Subject:
    torch.manual_seed(seed)
    return from_factory(path)


def measure(networks: Plan, args: argparse.Namespace) -> AllResults:
    """Results of all networks and seeds; those of earlier calls are read."""
    results: Dict[str, List[dict]] = {name: [] for name in networks}
    total = len(networks) * len(args.seeds) * len(args.padding)
    with ProgressBar(total=total, desc='Paddings') as bar:
        for name, (make, depends_on) in networks.items():
            for seed in args.seeds:
                path = Path(args.out_dir, 'runs', f'{name}-{seed}.json')
                settings = [__version__, depends_on, args.padding, args.num]
                run = _earlier(path, settings) if depends_on else None
                if run is None:
                    run = analyse(
                        make(seed), args.padding, args.num, seed,
                        done=bar.update)
                    _write(path, dict(settings=settings, results=run))
                else:
                    bar.update(len(args.padding))
                results[name].append(run)
    return results


def _earlier(path: Path, settings: list) -> Dict[str, dict]:
    """What an earlier call has measured with the same settings, or None."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text())
    return found['results'] if found['settings'] == settings else None


def _write(path: Path, value: object) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value) + '\n')


def main() -> None:
    """Run the command."""
    args = parse_args()
    register_all_modules()
    sys.path.insert(0, os.getcwd())  # for networks of one's own
    folder = Path(args.out_dir)
    with one_line_errors():
        results = measure(plan(args), args)
        _write(folder / 'results.json', {
            name: dict(zip(map(str, args.seeds), runs))
            for name, runs in results.items()
        })
        text = tables(results)
        with atomic_write(folder / 'tables.md') as temporary:
            temporary.write_text(text)
        figures = draw_figures(results, folder)
    print(text)
    print(f'The tables are in {folder / "tables.md"} and '
          f'{folder / "results.json"}, the figures are '
          f'{", ".join(figures)}')


if __name__ == '__main__':
    main()
