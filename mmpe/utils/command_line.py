"""What the commands in ``tools/`` have in common."""
import argparse
import contextlib
import os
import os.path as osp
import sys
from typing import Iterator, Optional

from mmengine.config import Config, ConfigDict, DictAction

__all__ = [
    'make_parser', 'one_line_errors', 'open_config', 'parse', 'read_config'
]

_DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def make_parser(description: Optional[str]) -> argparse.ArgumentParser:
    """A parser with the options that all commands know.

    Args:
        description: Text of ``--help``, with an example.

    Returns:
        The parser, to add further options to.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder for all that is written (default: work_dirs/NAME)')
    parser.add_argument(
        '--data-root',
        metavar='PATH',
        help='images, in place of those that the config names')
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
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; tell launched processes their rank.

    Args:
        parser: The parser of :func:`make_parser`.

    Returns:
        The options.
    """
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def open_config(path: str, options: Optional[dict] = None) -> Config:
    """Read a config file.

    Args:
        path: Its path.
        options: Settings that override its own, as in ``{'a.b': 1}``.

    Raises:
        FileNotFoundError: There is no such file.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'There is no config file {path!r}.')
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(options or {})
    return cfg


def read_config(args: argparse.Namespace) -> Config:
    """The config with the command line's settings in it.

    Args:
        args: Options of :func:`make_parser`.

    Returns:
        The config.

    Raises:
        FileNotFoundError: There is no such config file.
    """
    cfg = open_config(args.config)
    if args.data_root:
        for name in _DATALOADERS:
            if cfg.get(name):
                cfg[name].dataset.data_root = args.data_root
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
    return cfg


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors about files, arguments and packages into one line.

    The exit code is 1, or as usual 130 after Ctrl-C.

    Raises:
        SystemExit: With the line.
    """
    try:
        yield
    except KeyboardInterrupt:
        print('Stopped', file=sys.stderr)
        sys.exit(130)
    except (ImportError, OSError, ValueError) as error:
        lines = str(error).strip().splitlines() or ['']
        # A worker's error brings its traceback; its own text comes last.
        line = lines[-1] if lines[0].startswith('Caught ') else lines[0]
        name = type(error).__name__
        sys.exit(line if line.startswith(f'{name}:') else f'{name}: {line}')
