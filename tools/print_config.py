r"""Print the full config: with its bases, and with --cfg-options applied.

Example:
    python tools/print_config.py \
        configs/positional_encoding_in_gans/singan_spe-dim4_fish.py \
        --cfg-options model.iters_per_scale=500
"""
import argparse

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.utils.arguments import CFG_OPTIONS, CONFIG, make_parser
from mmpe.utils.command_line import one_line_errors, open_config


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(__doc__, CONFIG, CFG_OPTIONS).parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        print(open_config(args.config, args.cfg_options).pretty_text)


if __name__ == '__main__':
    main()
