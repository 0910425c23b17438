"""What the scripts share: parsing, configs, and errors in one line."""
import argparse
import contextlib
import inspect
import os
import os.path as osp
import re
import sys
from typing import Iterator, Optional, Union

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from .arguments import CFG_OPTIONS, CONFIG, SEED, Argument, OneOf, make_parser

__all__ = ['one_line_errors', 'open_config', 'parse_for_runner', 'read_config']

# How mmengine reports a wrong name in a config, at the place that uses it.
_WRONG_NAME = re.compile(
    r'is not in the \S+ registry|__init__\(\) (got an unexpected|missing)')
_DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_OF_RUNNER = [
    CONFIG,
    Argument(
        '--work-dir',
        help='folder for checkpoints, logs and results (default: '
        'work_dirs/NAME)'),
    Argument(
        '--data-root',
        metavar='PATH',
        help='images to use instead of those in the config'),
    SEED.but(default=None),
    Argument(
        '--deterministic',
        action='store_true',
        help='use deterministic algorithms only'),
    CFG_OPTIONS,
    Argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='job launcher'),
    Argument(
        '--local_rank',
        '--local-rank',
        type=int,
        default=0,
        help=argparse.SUPPRESS),
]


def parse_for_runner(description: Optional[str],
                     *arguments: Union[Argument, OneOf]) -> argparse.Namespace:
    """Parse the command line of a script that runs a ``Runner``.

    Also sets the environment variable ``LOCAL_RANK``.

    Args:
        description: Text of ``--help``, with an example.
        arguments: What the script takes besides the arguments that
            :func:`read_config` needs.

    Returns:
        The arguments.
    """
    args = make_parser(description, *_OF_RUNNER, *arguments).parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def open_config(path: str, options: Optional[dict] = None) -> Config:
    """Read a config file.

    Args:
        path: Path of the file.
        options: Settings that override those in the file, as in
            ``{'a.b': 1}``.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file cannot be read, or a setting does not fit into
            the config.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'There is no config file {path!r}.')
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is code and can fail in any way
        raise ValueError(f'The config {str(path)!r} cannot be read: '
                         f'{_in_one_line(error)}') from error
    _merge(cfg, options or {})
    return cfg


def _merge(cfg: Config, options: dict) -> None:
    for name in options:
        if name.split('.')[0] not in {*cfg, *_RUNNER_SETTINGS}:
            raise ValueError(f'The config has no {name.split(".")[0]!r}, so '
                             f'{name!r} cannot be set.')
    try:
        cfg.merge_from_dict(options)
    except Exception as error:  # mmengine's merging fails in many ways
        raise ValueError('The settings do not fit into the config: '
                         f'{_in_one_line(error)}') from error


def _in_one_line(error: Exception) -> str:
    return f'{type(error).__name__}: {" ".join(str(error).split())}'


_RUNNER_SETTINGS = inspect.signature(Runner.__init__).parameters


def read_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the settings of the command line.

    Args:
        args: Result of :func:`parse_for_runner`.

    Raises:
        FileNotFoundError: The config file does not exist.
        ValueError: See :func:`open_config`.
    """
    cfg = open_config(args.config)
    if args.data_root:
        for name in _DATALOADERS:
            if cfg.get(name):
                cfg[name].dataset.data_root = args.data_root
    if args.cfg_options:
        _merge(cfg, args.cfg_options)
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
    """Report errors about files, arguments and packages in one line.

    Errors about wrong names in configs are included. The exit code is 1, or
    130 after Ctrl-C, as usual.

    Raises:
        SystemExit: With the line.
    """
    try:
        yield
    except KeyboardInterrupt:
        print('Stopped', file=sys.stderr)
        sys.exit(130)
    except (ImportError, KeyError, OSError, TypeError, ValueError) as error:
        if isinstance(error, (KeyError, TypeError)) \
                and not _WRONG_NAME.search(str(error)):
            raise
        lines = str(error).strip().splitlines() or ['']
        # A worker's error starts with its traceback and ends with its text.
        line = lines[-1] if lines[0].startswith('Caught ') else lines[0]
        name = type(error).__name__
        sys.exit(line if line.startswith(f'{name}:') else f'{name}: {line}')
