r"""Learn from one photograph, then draw new ones, of any size.

Without arguments a small model is trained on a photograph that comes with
scikit-image; this takes a few minutes on two processor cores. With a config
and a checkpoint, or the name of a released row, a trained model is sampled at
once.

Examples:
    python demo/sinGAN_manipulation.py
    python demo/sinGAN_manipulation.py --image photo.jpg --out-dir out
    python demo/sinGAN_manipulation.py \
        configs/positional_encoding_in_gans/singan_spe-dim4_fish.py \
        work_dirs/fish/iter_66000.pth --size 200 450 --num 6
    python demo/sinGAN_manipulation.py singan_spe-dim4_fish --num 6
"""
import argparse
import os.path as osp
import sys
from pathlib import Path
from typing import List, Optional, Tuple

import numpy as np
from mmengine.config import DictAction

from mmpe.datasets import read_photograph
from mmpe.engine import Runner, fit_to_photograph
from mmpe.inference import SinGANSampler, load
from mmpe.utils.command_line import one_line_errors, open_config
from mmpe.utils.images import contact_sheet, save_image
from mmpe.zoo import rows

QUICK_CONFIG = osp.join(
    osp.dirname(osp.dirname(osp.abspath(__file__))),
    'configs/singan_quick/singan_spe-dim4_quick.py')
BUNDLED = 'rocket'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config',
        nargs='?',
        help='config of a trained model, or name of a released row')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='path or address of its checkpoint (default: that of the row)')
    parser.add_argument(
        '--image',
        help='photograph to train on (default: one of scikit-image)')
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('H', 'W'),
        help='size of the samples (default: that of training, and 1.5 x '
        'wider and taller)')
    parser.add_argument(
        '--num', type=int, default=3, help='samples of each size (default: 3)')
    parser.add_argument('--seed', type=int, default=0, help='random seed')
    parser.add_argument(
        '--out-dir',
        default='singan_out',
        help='folder of the results (default: singan_out)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the training, for instance '
        'model.iters_per_scale=1000 train_dataloader.dataset.max_size=160')
    parser.add_argument(
        '--device', default='cpu', help='where to sample (default: cpu)')
    args = parser.parse_args()
    if args.config and not args.checkpoint and args.config not in rows():
        parser.error('a config needs a checkpoint after it')
    if args.config and args.image:
        parser.error('--image is for training, without CONFIG CHECKPOINT')
    if args.num < 1:
        parser.error(f'--num must be at least 1, but got {args.num}')
    return args


def bundled_photograph(folder: Path) -> str:
    """Write the photograph that scikit-image ships to a file."""
    try:
        import skimage.data
    except ImportError:
        raise ValueError(
            'Without --image the demo uses a photograph of scikit-image, '
            'which is not installed: `pip install scikit-image`.') from None
    return str(
        save_image(folder / 'photograph.png', getattr(skimage.data,
                                                      BUNDLED)()))


def train(image: str, folder: Path,
          args: argparse.Namespace) -> SinGANSampler:
    """Train the small model on a photograph and load it."""
    cfg = open_config(QUICK_CONFIG, args.cfg_options)
    cfg.train_dataloader.dataset.data_root = image
    cfg.work_dir = str(folder)
    cfg.randomness = dict(seed=args.seed)
    fit_to_photograph(cfg)
    runner = Runner.from_cfg(cfg)
    runner.train()
    checkpoint = folder / f'iter_{runner.max_iters}.pth'
    print(f'The trained model is {checkpoint}; sample it again with\n'
          f'  python {sys.argv[0]} {QUICK_CONFIG} {checkpoint}')
    return load(cfg, str(checkpoint))


def sizes_to_show(sampler: SinGANSampler, size: Optional[List[int]]
                  ) -> List[Tuple[str, Tuple[int, int]]]:
    """Names and (H, W) of the samples."""
    if size:
        return [('sample', tuple(size))]
    height, width = sampler.size
    return [('sample', (height, width)),
            ('wider', (height, round(1.5 * width))),
            ('taller', (round(1.5 * height), width))]


def draw(sampler: SinGANSampler, args: argparse.Namespace,
         folder: Path) -> Path:
    """Write the samples one by one, and all of them as a sheet."""
    rows: List[List[Tuple[str, np.ndarray]]] = []
    for name, size in sizes_to_show(sampler, args.size):
        images = sampler.sample(args.num, size, args.seed)
        for index, image in enumerate(images):
            save_image(folder / f'{name}_{args.seed + index}.png', image)
        label = f'{name} {size[0]}x{size[1]}'
        rows.append([(label, image) for image in images])
    originals = [('reconstruction', sampler.reconstruct())]
    if sampler.photograph is not None:
        originals.insert(0, ('photograph', sampler.photograph))
    rows[0] = originals + rows[0]
    return save_image(folder / 'sheet.png', contact_sheet(rows))


def main() -> None:
    """Run the command."""
    args = parse_args()
    folder = Path(args.out_dir)
    with one_line_errors():
        if args.config:
            sampler = load(args.config, args.checkpoint, args.device)
        else:
            image = args.image or bundled_photograph(folder)
            read_photograph(image)
            sampler = train(image, folder / 'training', args)
            sampler.model.to(args.device)
        sheet = draw(sampler, args, folder)
    print(f'The contact sheet is {sheet}')


if __name__ == '__main__':
    main()
