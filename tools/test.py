r"""Evaluate a trained model, by default at its largest scale.

The metrics read their feature networks from files; if one is missing, the
error says where to download it.

Example:
    python tools/test.py configs/positional_encoding_in_gans/\
mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py \
        work_dirs/config-f/iter_1100000.pth --scales all
"""
import argparse
import os.path as osp
from typing import List, Tuple, Union

from mmengine.config import Config

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.utils.arguments import CHECKPOINT, Argument, image_size
from mmpe.utils.command_line import (one_line_errors, parse_for_runner,
                                     read_config)
from mmpe.utils.files import check_folder

_OF_TRAINING = ('train_cfg', 'train_dataloader', 'optim_wrapper',
                'param_scheduler')


def scale(text: str) -> Union[int, str]:
    """One value of ``--scales``."""
    return text if text in ('all', 'largest') else int(text)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return parse_for_runner(
        __doc__,
        CHECKPOINT.but(
            help='path or URL of the checkpoint, or name of a released row'),
        Argument(
            '--scales',
            nargs='+',
            type=scale,
            metavar='SCALE',
            help="'largest', 'all', or numbers of extra cells, e.g. 0 2 4; "
            'several scales give a table'),
        Argument(
            '--sizes',
            nargs='+',
            type=image_size,
            metavar='SIZE',
            help='further sizes in pixels, trained or not, e.g. 40 48x64 '
            '(height x width); the images of a single-size model are resized, '
            'and real images are loaded at the largest size or above'),
        Argument(
            '--out',
            metavar='FILE',
            help='JSON file for the figures (default: '
            'results_CHECKPOINT.json in the work dir)'))


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line."""
    cfg = read_config(args)
    if not cfg.get('test_evaluator'):
        raise ValueError(f'The config {args.config!r} has no '
                         '`test_evaluator` to evaluate with.')
    if args.scales:
        cfg.test_evaluator.scales = chosen_scales(args.scales)
    if args.sizes:
        add_sizes(cfg, args.sizes)
    # A runner that cannot train does not lock the work dir.
    for name in _OF_TRAINING:
        cfg[name] = None
    stem = osp.splitext(osp.basename(args.checkpoint))[0]
    out = args.out or osp.join(cfg.work_dir, f'results_{stem}.json')
    check_folder(osp.dirname(out) or '.')
    cfg.custom_hooks = [
        *cfg.get('custom_hooks', []),
        dict(type='ResultsHook', path=out, checkpoint=args.checkpoint)
    ]
    return cfg


def add_sizes(cfg: Config, sizes: List[Tuple[int, int]]) -> None:
    """Evaluate at further sizes, too."""
    from mmpe.datasets import deliver_size
    cfg.test_evaluator.sizes = sizes
    cfg.test_evaluator.setdefault('scales', 'all')
    deliver_size(
        cfg.test_dataloader.dataset.get('pipeline') or [],
        tuple(map(max, zip(*sizes))))


def chosen_scales(values: List[Union[int, str]]) -> Union[str, List[int]]:
    """Scales as an evaluator takes them: a word or numbers."""
    words = [value for value in values if isinstance(value, str)]
    if not words:
        return values
    if len(values) > 1:
        raise ValueError("Argument `--scales` must be 'largest', 'all' or "
                         f'numbers, but got {values}.')
    return words[0]


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        from mmpe.engine import Runner, leave_processes
        from mmpe.weights import Weights
        cfg = load_config(args)
        check_folder(cfg.work_dir)
        weights = Weights(args.checkpoint)
        weights.check_row(cfg.model)
        runner = Runner.from_cfg(cfg)
        with runner.no_traces():
            weights.load_into(runner.model)
            runner.test()
        leave_processes()


if __name__ == '__main__':
    main()
