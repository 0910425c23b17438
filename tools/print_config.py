r"""Print a config in full: with its bases, and with settings in place.

Example:
    python tools/print_config.py \
        configs/positional_encoding_in_gans/singan_spe-dim4_fish.py \
        --cfg-options model.iters_per_scale=500
"""
import argparse

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.utils.command_line import (SettingsAction, one_line_errors,
                                     open_config)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=SettingsAction,
        help='override settings of the config, as in a.b=1 or a.b="[1,2]"')
    return parser.parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        print(open_config(args.config, args.cfg_options).pretty_text)


if __name__ == '__main__':
    main()
