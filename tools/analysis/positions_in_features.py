r"""Measure where the features of generators get their positions from.

For each layer, with and without zero padding: the location share (the part of
the features that their mean over latents explains), positions read by linear
probes (also by PosENet's protocol), the effect of padding (PPP,
signal-to-noise ratio), the error under shifts, and the agreement of layouts.
The networks are small ones with random weights by default, or trained ones, or
your own.

The results are `tables.md`, `results.json` and the figures `layers.png`,
`profiles.png` and `maps.png`. Earlier measurements in the same --out-dir are
reused, so a stopped analysis can be continued.

Example:
    python tools/analysis/positions_in_features.py --out-dir positions
    python tools/analysis/positions_in_features.py \
        --trained config.py checkpoint.pth --model stylegan2 \
        --padding zeros reflect circular none
    python tools/analysis/positions_in_features.py --factory mine:make

    python tools/analysis/positions_in_features.py --claim all \
        --data-root photos --work-dir claims

where the function `make` in `mine.py` returns a network and a function
`draw(num, generator)` that draws its inputs for `num` images with a
`torch.Generator`. --claim measures the claims of the paper's abstract, see
docs/analysis.md: it first runs small trainings (`configs/analysis`), then
writes `claims.md`, `claims.json` and a figure per claim to --work-dir. A
stopped call can be continued.
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
from mmpe.utils.arguments import (CFG_OPTIONS, NUM, OUT_DIR, Argument,
                                  at_least, make_parser, repeated)
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write
from mmpe.utils.progress import ProgressBar
from mmpe.version import __version__

# For each network: a function that makes it from a seed, and what else it
# depends on; None if that is unknown.
Plan = Dict[str, Tuple[Callable[[int], Subject], object]]
ARGUMENTS = [
    Argument(
        '--model',
        nargs='+',
        default=[],
        choices=list(ARCHITECTURES),
        help='networks with random weights (default: all, unless other '
        'networks are given): %(choices)s',
        metavar='NAME'),
    repeated(
        '--trained',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a trained SinGAN, StyleGAN2 or MS-PIE, or a DCGAN or PGGAN '
        'of MMagic'),
    repeated(
        '--factory',
        metavar='MODULE:FACTORY',
        help='a network of your own'),
    Argument(
        '--padding',
        nargs='+',
        default=['zeros', 'none'],
        choices=MODES,
        help='padding modes; "none" computes on a larger input and crops '
        '(default: zeros none)'),
    Argument(
        '--seeds',
        nargs='+',
        type=int,
        default=[0, 1],
        help='seeds of random weights and latents (default: 0 1)'),
    NUM.but(type=at_least(8), default=32, help='number of latents'),
    Argument(
        '--size',
        type=int,
        default=32,
        help='image size of networks with random weights'),
    OUT_DIR.but(default='positions_in_features')
]
ARGUMENTS_OF_CLAIMS = [
    Argument(
        '--claim',
        nargs='+',
        choices=['all', *CLAIMS],
        metavar='LETTER',
        help=f'claims to measure: all, or some of {", ".join(CLAIMS)}'),
    Argument(
        '--data-root',
        metavar='FOLDER',
        help='training images for all networks but SinGAN'),
    Argument(
        '--photograph',
        metavar='FILE',
        help='training photograph for SinGAN (default: one of scikit-image)'),
    Argument(
        '--work-dir',
        default='claims',
        help='folder for trainings and results'),
    CFG_OPTIONS.but(
        help='override settings in all trainings that have them, e.g. '
        'train_cfg.max_iters=5000 model.iters_per_scale=1000')
]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = make_parser(__doc__, *ARGUMENTS)
    claims = parser.add_argument_group('claims')
    for argument in ARGUMENTS_OF_CLAIMS:
        argument.add_to(claims)
    args = parser.parse_args()
    if args.claim:
        return check_claims(parser, args)
    for name in ('data_root', 'photograph', 'cfg_options'):
        if getattr(args, name) is not None:
            parser.error(f'--{name.replace("_", "-")} requires --claim')
    if not (args.model or args.trained or args.factory):
        args.model = list(ARCHITECTURES)
    return args


def check_claims(parser: argparse.ArgumentParser,
                 args: argparse.Namespace) -> argparse.Namespace:
    """Check the options against --claim."""
    if args.model or args.trained or args.factory:
        parser.error('--claim has its own networks and cannot be combined '
                     'with --model, --trained and --factory')
    if 'all' in args.claim:
        args.claim = list(CLAIMS)
    if args.data_root is None and any(
            'singan' not in name for name in trainings_of(args.claim)):
        parser.error('--data-root must be a folder of images for '
                     f'--claim {" ".join(args.claim)}')
    return args


def run_claims(args: argparse.Namespace) -> None:
    """Train and measure what the claims need; print the table."""
    # End the training with this process, also after SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(args.work_dir)
    try:
        text = study(args.claim, args.seeds, args.data_root, args.photograph,
                     folder, args.cfg_options)
    except KeyboardInterrupt:
        sys.exit('Stopped. Run the same command again to continue.')
    print(text)
    print(f'The table is in {folder / "claims.md"} and '
          f'{folder / "claims.json"}, the figures are in '
          f'{folder / "claim_*.png"}')


def plan(args: argparse.Namespace) -> Plan:
    """The networks by name."""
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
            make(args.seeds[0])  # find mistakes before any work
    return networks


def _made(path: str, seed: int) -> Subject:
    torch.manual_seed(seed)
    return from_factory(path)


def measure(networks: Plan, args: argparse.Namespace) -> AllResults:
    """Results of all networks and seeds; earlier ones are reused."""
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
    """Results of an earlier call with the same settings, or None."""
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
    sys.path.insert(0, os.getcwd())  # for --factory
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
