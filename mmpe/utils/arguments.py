"""Command-line arguments, each declared once for all the scripts that take it.

A script lists what it takes: ``make_parser(__doc__, NUM.but(default=50), SEED,
DEVICE)``.
"""
import argparse
import math
import re
from typing import Callable, List, Optional, Tuple, Union

from mmengine.config import DictAction

__all__ = [
    'BATCH_SIZE', 'CFG_OPTIONS', 'CHECKPOINT', 'CONFIG', 'DEVICE', 'JOBS',
    'JSON', 'MAX_SIZE', 'NUM', 'OUT_DIR', 'SEED', 'SIZE', 'TENSORBOARD',
    'Argument', 'OneOf', 'SettingsAction', 'at_least', 'image_size',
    'make_parser', 'positive', 'repeated'
]


class Argument:
    """A command-line argument that any parser can take.

    Args:
        names: Its flags, or its name.
        options: As for ``add_argument``. A default is added to the help.
    """

    def __init__(self, *names: str, **options) -> None:
        self._names = names
        self._options = options

    def but(self, *names: str, **options) -> 'Argument':
        """A copy with other options, and with other names if any are given."""
        return Argument(*(names or self._names),
                        **{**self._options, **options})

    def add_to(self, parser: argparse._ActionsContainer) -> None:
        """Declare the argument in a parser or in a group of one."""
        options = dict(self._options)
        text = options.get('help', '')
        if (options.get('default') not in (None, [])
                and text != argparse.SUPPRESS and 'default:' not in text):
            options['help'] = f'{text} (default: %(default)s)'
        parser.add_argument(*self._names, **options)


def repeated(*names: str, **options) -> Argument:
    """An argument that can be given several times; none by default.

    Args:
        names, options: As for :class:`Argument`.

    Returns:
        The argument; its value is the list of all that was given.
    """
    text = f'{options.pop("help")}; can be repeated'
    return Argument(
        *names, action='append', default=[], help=text, **options)


class OneOf:
    """Arguments that exclude each other.

    Args:
        arguments: The arguments.
        required: Whether one of them must be given.
    """

    def __init__(self, *arguments: Argument, required: bool = False) -> None:
        self._arguments = arguments
        self._required = required

    def add_to(self, parser: argparse._ActionsContainer) -> None:
        """Declare the arguments in a parser."""
        group = parser.add_mutually_exclusive_group(required=self._required)
        for argument in self._arguments:
            argument.add_to(group)


def make_parser(description: Optional[str], *arguments: Union[Argument, OneOf],
                **options) -> argparse.ArgumentParser:
    """A parser of arguments.

    Args:
        description: Text of ``--help``, kept as it is, with an example.
        arguments: The arguments.
        options: As for ``argparse.ArgumentParser``.

    Returns:
        The parser.
    """
    parser = argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options)
    for argument in arguments:
        argument.add_to(parser)
    return parser


def at_least(least: float,
             most: float = math.inf,
             kind: Callable[[str], float] = int) -> Callable[[str], float]:
    """Type of an argument that is a number in a range.

    Args:
        least, most: Bounds, which are allowed values; infinity is not.
        kind: ``int`` or ``float``.

    Returns:
        The type.
    """
    bounds = f'at least {least}' if most == math.inf \
        else f'from {least} to {most}'

    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most or value == math.inf:
            raise argparse.ArgumentTypeError(
                f'must be {bounds}, but got {text}')
        return value

    return number


def positive(text: str) -> float:
    """A finite number above 0, as the type of an argument."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(
            f'must be above 0 and finite, but got {text}')
    return value


def image_size(text: str) -> Tuple[int, int]:
    """A size in one word, as the type of an argument.

    Args:
        text: '48x64' for 48 rows of 64 pixels, or '48' for a square.

    Returns:
        Height and width.

    Raises:
        ValueError: ``text`` is neither.
    """
    sides = [int(side) for side in text.split('x')]
    if len(sides) > 2 or min(sides) < 1:
        raise ValueError
    return sides[0], sides[-1]


class SettingsAction(DictAction):
    """Reads ``--cfg-options`` into a dict with dotted names as keys."""

    def __call__(self, parser: argparse.ArgumentParser,
                 namespace: argparse.Namespace, values: List[str],
                 option_string: Optional[str] = None) -> None:
        """Read the settings; end with an error if one has no value."""
        for value in values:
            if not re.match(r'[^=]+=', value):
                parser.error(f'{option_string} must be of the form NAME=VALUE,'
                             f' but got {value!r}')
        super().__call__(parser, namespace, values, option_string)


CONFIG = Argument('config', help='config file')
CHECKPOINT = Argument('checkpoint', help='path or URL of the checkpoint')
OUT_DIR = Argument('--out-dir', help='output folder')
SEED = Argument('--seed', type=at_least(0), default=0, help='random seed')
DEVICE = Argument('--device', default='cpu', help='device to compute on')
NUM = Argument('--num', type=at_least(1), help='number of images')
SIZE = Argument(
    '--size',
    nargs=2,
    type=int,
    metavar=('H', 'W'),
    help='image size in pixels (default: the training size)')
MAX_SIZE = Argument(
    '--max-size',
    type=at_least(1),
    metavar='PIXELS',
    help='reduce a photograph to this long side when its patches are the '
    'model (default: 250)')
BATCH_SIZE = Argument(
    '--batch-size',
    type=at_least(1),
    default=4,
    help='images per batch; a smaller batch takes less memory')
JOBS = Argument(
    '--jobs',
    type=at_least(1),
    default=1,
    help='number of trainings at the same time')
CFG_OPTIONS = Argument(
    '--cfg-options',
    nargs='+',
    action=SettingsAction,
    help='override settings of the config, e.g. a.b=1 or a.b="[1,2]"')
TENSORBOARD = Argument(
    '--tensorboard',
    action='store_true',
    help='log losses, metrics and images per scale for `tensorboard --logdir '
    'WORK_DIR`')
JSON = Argument(
    '--json', metavar='FILE', help='write the figures to this file, too')
