r"""Web page to edit photographs, draw new ones, and train on them.

Drop a photograph, draw around a part of it and drag it, or train a SinGAN on
it in the background. The page is served to this machine only and sends nothing
anywhere. For each result it shows the command and the Python code that
produce it.

Requires `pip install 'mmpe[web]'`; see docs/web.md.

Examples:
    python demo/web.py
    python demo/web.py --port 7000 --out-dir web_out
    python demo/web.py --faces configs/mspie_small/mspie_spe_32-48-64.py \
        work_dirs/mspie_spe_32-48-64/iter_54000.pth
"""
import argparse
from pathlib import Path

from mmpe.utils.arguments import (OUT_DIR, Argument, at_least, make_parser,
                                  repeated)
from mmpe.utils.command_line import one_line_errors
from mmpe.web.server import serve


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(
        __doc__,
        Argument(
            '--port',
            type=at_least(0, 2**16 - 1),
            default=7860,
            help='port on this machine, or 0 for any free one'),
        OUT_DIR.but(default='web_out'),
        repeated(
            '--faces',
            nargs=2,
            metavar=('CONFIG', 'CHECKPOINT'),
            help='a StyleGAN2 or MS-PIE model for the tab "Faces"')
    ).parse_args()


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        serve(Path(args.out_dir), args.port, args.faces)


if __name__ == '__main__':
    main()
