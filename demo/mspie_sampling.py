r"""Draw pictures with a trained StyleGAN2 or MS-PIE model.

Random images, one image with more and more truncation, mixed styles, an
interpolation (GIF), and one latent at all sizes of the model; each as files,
and together on a contact sheet. --only draws some of these.

Examples:
    python demo/mspie_sampling.py configs/mspie_small/mspie_spe_32-48-64.py \
        work_dirs/mspie_spe_32-48-64/iter_8000.pth
    python demo/mspie_sampling.py CONFIG CHECKPOINT --size 256 512 --num 4 \
        --seed 7 --truncation 0.7 --out-dir out
    python demo/mspie_sampling.py \
        mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512 --num 4
"""
import argparse
import math
import resource
import sys
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
import torch
from PIL import Image

from mmpe.inference import StyleGAN2Sampler, load
from mmpe.inference.stylegan2 import NUM_COARSE, TRUNCATIONS
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import check_folder
from mmpe.utils.images import contact_sheet, save_gif, save_image
from mmpe.utils.progress import ProgressBar

# Longest side of a picture on the contact sheet.
SHEET_SIZE = 256
Row = List[Tuple[str, np.ndarray]]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the model, or name of a row')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='its checkpoint (default: the released one of the row)')
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('H', 'W'),
        help='size of the pictures (default: the largest one of training)')
    parser.add_argument(
        '--num', type=int, default=6, help='images in a row (default: 6)')
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='seed of the first image; the others follow (default: 0)')
    parser.add_argument(
        '--truncation',
        type=float,
        default=1.,
        help='from 0, the mean image, to 1, the full variety (default: 1)')
    parser.add_argument(
        '--steps',
        type=int,
        default=15,
        help='frames from one image to the next one (default: 15)')
    parser.add_argument(
        '--sample-model',
        choices=['ema', 'orig'],
        help='averaged or last weights (default: averaged, if there are)')
    parser.add_argument(
        '--only',
        nargs='+',
        choices=list(STEPS),
        help='draw these alone, without a sheet (default: all)')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=4,
        help='images computed at a time; fewer take less memory (default: 4)')
    parser.add_argument(
        '--out-dir',
        default='mspie_out',
        help='folder of the results (default: mspie_out)')
    parser.add_argument(
        '--device', default='cpu', help='where to compute (default: cpu)')
    args = parser.parse_args()
    for name in ('num', 'steps', 'batch_size'):
        if getattr(args, name) < 1:
            parser.error(f'--{name.replace("_", "-")} must be at least 1, '
                         f'but got {getattr(args, name)}')
    if args.size and min(args.size) < 1:
        parser.error(f'--size must be at least 1 1, but got {args.size}')
    if not 0 <= args.truncation <= 1:
        parser.error(f'--truncation must be from 0 to 1, but got '
                     f'{args.truncation}')
    return args


def load_sampler(args: argparse.Namespace) -> StyleGAN2Sampler:
    """The model; looks at the size before long work starts."""
    sampler = load(args.config, args.checkpoint, args.device)
    if not isinstance(sampler, StyleGAN2Sampler):
        raise ValueError('This demo is for StyleGAN2 and MS-PIE; for SinGAN '
                         'see demo/sinGAN_manipulation.py.')
    sampler = StyleGAN2Sampler(sampler.model, args.sample_model,
                               args.batch_size)
    args.size = tuple(args.size or sampler.size)
    sampler.options(args.size)
    return sampler


def random_images(sampler: StyleGAN2Sampler,
                  args: argparse.Namespace) -> List[Row]:
    """Images of seeds that follow each other."""
    images = sampler.sample(args.num, args.size, args.seed, args.truncation)
    return [[(f'random {args.seed + index}', image)
             for index, image in enumerate(images)]]


def truncation_sweep(sampler: StyleGAN2Sampler,
                     args: argparse.Namespace) -> List[Row]:
    """The first image, from the mean image to its full self."""
    return [[(f'truncation {truncation:g}',
              sampler.sample(1, args.size, args.seed, truncation)[0])
             for truncation in TRUNCATIONS]]


def style_mixing(sampler: StyleGAN2Sampler,
                 args: argparse.Namespace) -> List[Row]:
    """Coarse styles of three images, with the others of the random ones."""
    fine = range(args.seed, args.seed + args.num)
    coarse = range(fine.stop, fine.stop + NUM_COARSE)
    originals = sampler.sample(NUM_COARSE, args.size, coarse.start,
                               args.truncation)
    table = sampler.mix(
        coarse, fine, size=args.size, truncation=args.truncation)
    return [[(f'coarse {first}', original)] +
            [(f'mix {first}+{second}', image)
             for second, image in zip(fine, images)]
            for first, original, images in zip(coarse, originals, table)]


def interpolation(sampler: StyleGAN2Sampler,
                  args: argparse.Namespace) -> List[np.ndarray]:
    """Frames of a walk from each random image to the next one, and back."""
    seeds = range(args.seed, args.seed + args.num)
    return sampler.interpolate(seeds, args.steps, args.size, args.truncation)


def all_sizes(sampler: StyleGAN2Sampler,
              args: argparse.Namespace) -> List[Row]:
    """The first latent at each size of training, and at the given one."""
    sizes = sorted({*sampler.sizes, args.size})
    return [[(f'size {height}x{width}',
              sampler.sample(1, (height, width), args.seed,
                             args.truncation)[0]) for height, width in sizes]]


STEPS = dict(
    random=random_images,
    truncation=truncation_sweep,
    mixing=style_mixing,
    sizes=all_sizes,
    interpolation=interpolation)


def write(rows: Dict[str, List[Row]], frames: List[np.ndarray],
          folder: Path) -> None:
    """Write all pictures and the animation."""
    for row in sum(rows.values(), []):
        for label, image in row:
            save_image(folder / f'{label.replace(" ", "_")}.png', image)
    if frames:
        save_gif(folder / 'interpolation.gif', frames)


def write_sheet(rows: Dict[str, List[Row]], frames: List[np.ndarray],
                folder: Path) -> Path:
    """Write all pictures on one."""
    # as many frames as there are random images
    num = len(rows['random'][0])
    shown = [(f'frame {index}', frames[index])
             for index in range(0, len(frames), -(-len(frames) // num))]
    rows = [row for name in rows for row in rows[name]] + [shown]
    return save_image(folder / 'sheet.png', contact_sheet(reduced(rows)))


def reduced(rows: List[Row]) -> List[Row]:
    """The pictures, all made smaller by one factor if they are large."""
    largest = max(max(image.shape) for row in rows for _, image in row)
    factor = math.ceil(largest / SHEET_SIZE)
    return [[(label, np.asarray(Image.fromarray(image).reduce(factor)))
             for label, image in row] for row in rows]


def peak_memory(device: str) -> str:
    """Most memory that was in use, in words."""
    if torch.device(device).type == 'cuda':
        num_bytes = torch.cuda.max_memory_allocated(device)
        return f'{num_bytes / 2**20:.0f} MiB on {device}'
    # in KiB on Linux, in bytes on macOS
    unit = 1 if sys.platform == 'darwin' else 2**10
    num_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f'{num_bytes / 2**20:.0f} MiB of the process'


def main() -> None:
    """Run the command."""
    args = parse_args()
    folder = Path(args.out_dir)
    with one_line_errors():
        check_folder(folder)
        sampler = load_sampler(args)
        folder.mkdir(parents=True, exist_ok=True)
        drawn = {
            name: STEPS[name](sampler, args)
            for name in ProgressBar(args.only or STEPS, 'Drawing')
        }
        frames = drawn.pop('interpolation', [])
        write(drawn, frames, folder)
        sheet = not args.only and write_sheet(drawn, frames, folder)
    print(f'Peak memory: {peak_memory(args.device)}')
    print(f'The pictures are in {folder}' +
          (f', all of them on {sheet}' if sheet else ''))


if __name__ == '__main__':
    main()
