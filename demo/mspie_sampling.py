r"""Draw images with a trained StyleGAN2 or MS-PIE model.

Draws random images, a truncation sweep, style mixing, an interpolation (GIF),
and one latent at all training sizes; writes each image to a file, and all of
them to a contact sheet. --only draws some of these.

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
from mmpe.utils.arguments import (BATCH_SIZE, CHECKPOINT, CONFIG, DEVICE, NUM,
                                  OUT_DIR, SEED, SIZE, Argument, at_least,
                                  make_parser)
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import check_folder
from mmpe.utils.images import contact_sheet, save_gif, save_image
from mmpe.utils.progress import ProgressBar

# Longest side of an image on the contact sheet.
SHEET_SIZE = 256
Row = List[Tuple[str, np.ndarray]]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(
        __doc__, CONFIG.but(help='config, or name of a row'),
        CHECKPOINT.but(
            nargs='?',
            help='path or URL of the checkpoint (default: the released one of '
            'the row)'),
        SIZE.but(
            type=at_least(1),
            help='image size in pixels (default: the largest training size)'),
        NUM.but(default=6, help='images per row'),
        SEED.but(help='seed of the first image, counting up from there'),
        Argument(
            '--truncation',
            type=at_least(0, 1, float),
            default=1.,
            help='from 0, the mean image, to 1, no truncation'),
        NUM.but(
            '--steps', default=15, help='frames from one image to the next'),
        Argument(
            '--sample-model',
            choices=['ema', 'orig'],
            help='averaged or latest weights (default: averaged, if the model '
            'has them)'),
        Argument(
            '--only',
            nargs='+',
            choices=list(STEPS),
            help='draw only these, without a sheet (default: all)'),
        BATCH_SIZE, OUT_DIR.but(default='mspie_out'), DEVICE).parse_args()


def load_sampler(args: argparse.Namespace) -> StyleGAN2Sampler:
    """Load the model; check that it can draw the size."""
    sampler = load(args.config, args.checkpoint, args.device)
    if not isinstance(sampler, StyleGAN2Sampler):
        raise ValueError('This demo is for StyleGAN2 and MS-PIE. For SinGAN, '
                         'use demo/sinGAN_manipulation.py.')
    sampler = StyleGAN2Sampler(sampler.model, args.sample_model,
                               args.batch_size)
    args.size = tuple(args.size or sampler.size)
    sampler.options(args.size)
    return sampler


def random_images(sampler: StyleGAN2Sampler,
                  args: argparse.Namespace) -> List[Row]:
    """Images of consecutive seeds."""
    images = sampler.sample(args.num, args.size, args.seed, args.truncation)
    return [[(f'random {args.seed + index}', image)
             for index, image in enumerate(images)]]


def truncation_sweep(sampler: StyleGAN2Sampler,
                     args: argparse.Namespace) -> List[Row]:
    """The first image at several truncations, from the mean image."""
    return [[(f'truncation {truncation:g}',
              sampler.sample(1, args.size, args.seed, truncation)[0])
             for truncation in TRUNCATIONS]]


def style_mixing(sampler: StyleGAN2Sampler,
                 args: argparse.Namespace) -> List[Row]:
    """Coarse styles of three images, fine styles of the random images."""
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
    """Frames of a walk through the random images and back to the first."""
    seeds = range(args.seed, args.seed + args.num)
    return sampler.interpolate(seeds, args.steps, args.size, args.truncation)


def all_sizes(sampler: StyleGAN2Sampler,
              args: argparse.Namespace) -> List[Row]:
    """The first latent at each training size, and at the given size."""
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
    """Write all images and the animation."""
    for row in sum(rows.values(), []):
        for label, image in row:
            save_image(folder / f'{label.replace(" ", "_")}.png', image)
    if frames:
        save_gif(folder / 'interpolation.gif', frames)


def write_sheet(rows: Dict[str, List[Row]], frames: List[np.ndarray],
                folder: Path) -> Path:
    """Write the contact sheet."""
    # As many frames as random images.
    num = len(rows['random'][0])
    shown = [(f'frame {index}', frames[index])
             for index in range(0, len(frames), -(-len(frames) // num))]
    rows = [row for name in rows for row in rows[name]] + [shown]
    return save_image(folder / 'sheet.png', contact_sheet(reduced(rows)))


def reduced(rows: List[Row]) -> List[Row]:
    """The images, all reduced by one factor if some are large."""
    largest = max(max(image.shape) for row in rows for _, image in row)
    factor = math.ceil(largest / SHEET_SIZE)
    return [[(label, np.asarray(Image.fromarray(image).reduce(factor)))
             for label, image in row] for row in rows]


def peak_memory(device: str) -> str:
    """Peak memory, in words."""
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
    print(f'The images are in {folder}' +
          (f', the contact sheet is {sheet}' if sheet else ''))


if __name__ == '__main__':
    main()
