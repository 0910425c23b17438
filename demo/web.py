r"""A page in the browser: draw, move, edit and learn from photographs.

Drop a photograph, draw around a part of it and drag it; or let a SinGAN learn
it beside. The page is for this machine alone, sends nothing anywhere, and
shows for all that it does the command line and the Python that do the same.

Needs `pip install 'mmpe[web]'`; see docs/web.md.

Examples:
    python demo/web.py
    python demo/web.py --port 7000 --out-dir web_out
    python demo/web.py --faces configs/mspie_small/mspie_spe_32-48-64.py \
        work_dirs/mspie_spe_32-48-64/iter_16000.pth
"""
import argparse
from pathlib import Path

from mmpe.utils.command_line import one_line_errors
from mmpe.web.server import serve


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--port',
        type=int,
        default=7860,
        help='port on this machine; 0 for any (default: 7860)')
    parser.add_argument(
        '--out-dir',
        default='web_out',
        help='folder of all that is made (default: web_out)')
    parser.add_argument(
        '--faces',
        nargs=2,
        action='append',
        default=[],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a StyleGAN2 or MS-PIE model for the part "Faces"; may be given '
        'several times')
    args = parser.parse_args()
    if not 0 <= args.port < 2**16:
        parser.error(f'--port must be from 0 to 65535, but got {args.port}')
    return args


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        serve(Path(args.out_dir), args.port, args.faces)


if __name__ == '__main__':
    main()
