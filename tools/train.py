r"""Train a model.

Example:
    python tools/train.py \
        configs/positional_encoding_in_gans/singan_spe-dim4_fish.py \
        --work-dir work_dirs/fish \
        --cfg-options train_dataloader.dataset.data_root=photo.jpg \
        model.num_scales=None
"""
import argparse
import os
import os.path as osp
import sys

from mmengine.config import Config, ConfigDict, DictAction
from mmengine.runner import Runner

import mmpe  # noqa: F401  (installs the host bridge)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder for checkpoints and logs (default: work_dirs/NAME)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='auto|PATH',
        help='go on from the latest checkpoint of the work dir, or from the '
        'given one')
    parser.add_argument(
        '--amp', action='store_true', help='train with bfloat16 autocast')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--deterministic',
        action='store_true',
        help='use deterministic algorithms only')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config, as in a.b=1 or a.b="[1,2]"')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """The config with the command line's settings in it."""
    if not osp.isfile(args.config):
        raise FileNotFoundError(f'There is no config file {args.config!r}.')
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir:
        cfg.work_dir = args.work_dir
    elif not cfg.get('work_dir'):
        name = osp.splitext(osp.basename(args.config))[0]
        cfg.work_dir = osp.join('work_dirs', name)
    randomness = cfg.setdefault('randomness', ConfigDict())
    if args.seed is not None:
        randomness.seed = args.seed
    if args.deterministic:
        randomness.deterministic = True
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.amp:
        use_amp(cfg)
    return cfg


def use_amp(cfg: Config) -> None:
    """Let all optimiser wrappers compute in bfloat16 where it is safe."""
    settings = cfg.optim_wrapper
    wrappers = [settings] if 'optimizer' in settings else [
        value for value in settings.values() if isinstance(value, dict)
    ]
    for wrapper in wrappers:
        wrapper.type = 'BFloat16OptimWrapper'


def main() -> None:
    """Run the command."""
    args = parse_args()
    try:
        from mmpe.engine import fit_to_photograph
        cfg = load_config(args)
        fit_to_photograph(cfg)
        runner = Runner.from_cfg(cfg)
        runner.train()
    except (OSError, ValueError) as error:
        sys.exit(f'{type(error).__name__}: {error}')
    print(f'Checkpoints, logs and pictures are in {cfg.work_dir}')


if __name__ == '__main__':
    main()
