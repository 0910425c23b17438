r"""Compose the README's picture: a moved part, and one latent at five sizes.

The photograph is scikit-image's `rocket` (NASA, public domain). The model is
`configs/mspie_small/mspie_consistent_32-48-64.py`, trained as the README
there says.

Example:
    python docs/readme_picture.py consistent/iter_54000.pth
"""
import argparse
from pathlib import Path

import skimage

from mmpe.inference import LayoutEdit, load
from mmpe.utils.images import contact_sheet, save_image

ROOT = Path(__file__).resolve().parent.parent
ROCKET = Path(skimage.__file__).parent / 'data' / 'rocket.jpg'
CONFIG = ROOT / 'configs/mspie_small/mspie_consistent_32-48-64.py'
BOX, SHIFT = (56, 149, 214, 176), (0, 29)
SIZES, SEED = (32, 48, 64, 80, 96), 8


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='trained weights of the faces')
    parser.add_argument(
        '--out',
        default=ROOT / 'docs/moved_and_sizes.png',
        help='the picture (default: docs/moved_and_sizes.png)')
    args = parser.parse_args()
    photograph = load(ROCKET, max_size=320)
    moved, repeated = (
        photograph.layout([LayoutEdit(BOX, SHIFT, keep=keep)])
        for keep in (False, True))
    mspie = load(CONFIG, args.checkpoint)
    faces = [(f'{size} x {size}', mspie.sample(1, (size, size), SEED)[0])
             for size in SIZES]
    sheet = contact_sheet([
        [('photograph', photograph.training_image), ('rocket moved', moved),
         ('rocket repeated', repeated)],
        [(label, face.repeat(3, axis=0).repeat(3, axis=1))
         for label, face in faces],
    ])
    print(f'The picture is {save_image(args.out, sheet)}')


if __name__ == '__main__':
    main()
