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

    python tools/analysis/positions_in_features.py --claim all \
        --data-root photos --work-dir claims

where `mine.py` has a function `make` that returns a network and a function
`draw(num, generator)`, which draws its inputs for `num` images with a
`torch.Generator`. With --claim the claims of the paper's abstract are measured
on small trainings (`configs/analysis`), which are done first; `claims.md`,
`claims.json` and a figure of each are written to --work-dir. A stopped call
goes on. What the claims are: docs/analysis.md.
"""
import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import torch

from mmpe.analysis import (ARCHITECTURES, MODES, Subject, analyse,
                           from_checkpoint, from_factory, untrained)
from mmpe.analysis.claims import CLAIMS
from mmpe.analysis.report import AllResults, draw_figures, tables
from mmpe.analysis.study import study, trainings_of
from mmpe.utils import register_all_modules
from mmpe.utils.command_line import SettingsAction, one_line_errors
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
    claims = parser.add_argument_group('claims')
    claims.add_argument(
        '--claim',
        nargs='+',
        choices=['all', *CLAIMS],
        metavar='LETTER',
        help=f'claims to measure: all, or some of {", ".join(CLAIMS)}')
    claims.add_argument(
        '--data-root',
        metavar='FOLDER',
        help='images that the networks but SinGAN are trained on')
    claims.add_argument(
        '--photograph',
        metavar='FILE',
        help='what SinGANs are trained on (default: one of scikit-image)')
    claims.add_argument(
        '--work-dir',
        default='claims',
        help='folder of trainings and results (default: claims)')
    claims.add_argument(
        '--cfg-options',
        nargs='+',
        action=SettingsAction,
        help='override settings of all trainings that have them, for instance '
        'train_cfg.max_iters=5000 model.iters_per_scale=1000')
    args = parser.parse_args()
    if args.claim:
        return check_claims(parser, args)
    for name in ('data_root', 'photograph', 'cfg_options'):
        if getattr(args, name) is not None:
            parser.error(f'--{name.replace("_", "-")} needs --claim')
    if args.num < 8:
        parser.error(f'--num must be at least 8, but got {args.num}')
    if not (args.model or args.trained or args.factory):
        args.model = list(ARCHITECTURES)
    return args


def check_claims(parser: argparse.ArgumentParser,
                 args: argparse.Namespace) -> argparse.Namespace:
    """See that the options suit --claim."""
    if args.model or args.trained or args.factory:
        parser.error('--claim has networks of its own: leave out --model, '
                     '--trained and --factory')
    if 'all' in args.claim:
        args.claim = list(CLAIMS)
    if args.data_root is None and any(
            'singan' not in name for name in trainings_of(args.claim)):
        parser.error('--data-root must be a folder of images for '
                     f'--claim {" ".join(args.claim)}')
    return args


def run_claims(args: argparse.Namespace) -> None:
    """Train and measure what the claims need, and print the table."""
    # A training ends with this process, also after SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(args.work_dir)
    try:
        text = study(args.claim, args.seeds, args.data_root, args.photograph,
                     folder, args.cfg_options)
    except KeyboardInterrupt:
        sys.exit('Stopped. The same command goes on from here.')
    print(text)
    print(f'The table is in {folder / "claims.md"} and '
          f'{folder / "claims.json"}, the figures are in '
          f'{folder / "claim_*.png"}')


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
    if args.claim:
        with one_line_errors():
            run_claims(args)
        return
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
