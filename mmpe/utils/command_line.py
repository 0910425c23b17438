"""What the commands in ``tools/`` have in common."""
import argparse
import contextlib
import inspect
import os
import os.path as osp
import re
import sys
from typing import Iterator, List, Optional, Tuple

from mmengine.config import Config, ConfigDict, DictAction
from mmengine.runner import Runner

__all__ = [
    'SettingsAction', 'image_size', 'make_parser', 'one_line_errors',
    'open_config', 'parse', 'read_config'
]

# What mmengine says of a wrong name in a config, where it uses the name.
_WRONG_NAME = re.compile(
    r'is not in the \S+ registry|__init__\(\) (got an unexpected|missing)')
_DATALOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class SettingsAction(DictAction):
    """Reads ``--cfg-options``: a dict of settings by dotted names."""

    def __call__(self, parser: argparse.ArgumentParser,
                 namespace: argparse.Namespace, values: List[str],
                 option_string: Optional[str] = None) -> None:
        """Read the settings, or say which one has no value."""
        for value in values:
            if not re.match(r'[^=]+=', value):
                parser.error(f'{option_string} must be of the form NAME=VALUE,'
                             f' but got {value!r}')
        super().__call__(parser, namespace, values, option_string)


def image_size(text: str) -> Tuple[int, int]:
    """A size on the command line, as the type of an argument.

    Args:
        text: '48x64' for 48 rows of 64 pixels, or '48' for a square.

    Returns:
        Height and width.

    Raises:
        ValueError: It is neither.
    """
    sides = [int(side) for side in text.split('x')]
    if len(sides) > 2 or min(sides) < 1:
        raise ValueError
    return sides[0], sides[-1]


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
        action=SettingsAction,
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
        ValueError: It cannot be read, or a setting is for a part that no
            config has or does not fit in its place.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'There is no config file {path!r}.')
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is code, and fails in any way
        raise ValueError(f'The config {str(path)!r} cannot be read: '
                         f'{_in_one_line(error)}') from error
    _merge(cfg, options or {})
    return cfg


def _merge(cfg: Config, options: dict) -> None:
    for name in options:
        if name.split('.')[0] not in {*cfg, *_RUNNER_SETTINGS}:
            raise ValueError(f'There is no {name.split(".")[0]!r} in the '
                             f'config, for which {name!r} is set.')
    try:
        cfg.merge_from_dict(options)
    except Exception as error:  # mmengine's merging fails in many ways
        raise ValueError('The settings do not fit in the config: '
                         f'{_in_one_line(error)}') from error


def _in_one_line(error: Exception) -> str:
    return f'{type(error).__name__}: {" ".join(str(error).split())}'


_RUNNER_SETTINGS = inspect.signature(Runner.__init__).parameters


def read_config(args: argparse.Namespace) -> Config:
    """The config with the command line's settings in it.

    Args:
        args: Options of :func:`make_parser`.

    Returns:
        The config.

    Raises:
        FileNotFoundError: There is no such config file.
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
    """Turn errors about files, arguments and packages into one line.

    So are those about wrong names in configs.

    The exit code is 1, or as usual 130 after Ctrl-C.

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
        # A worker's error brings its traceback; its own text comes last.
        line = lines[-1] if lines[0].startswith('Caught ') else lines[0]
        name = type(error).__name__
        sys.exit(line if line.startswith(f'{name}:') else f'{name}: {line}')
