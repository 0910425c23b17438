"""What each command of ``sinGAN_manipulation.py`` does."""
import argparse
import math
import sys
from pathlib import Path
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.config import Config

from mmpe.engine import add_tensorboard
from mmpe.engine.photographs import (bundled_photograph, plan_training,
                                     summary_table, train_photograph,
                                     train_photographs)
from mmpe.inference import (LayoutEdit, PhotographSampler, StyleGAN2Sampler,
                            load, read_edits)
from mmpe.inference.inputs import read_displacement, read_mask, read_rgb
from mmpe.inference.showcase import (Row, draw_moved, draw_sizes, find_part,
                                     originals)
from mmpe.utils.command_line import open_config
from mmpe.utils.images import (contact_sheet, resize_image, save_gif,
                               save_image, save_mp4)
from mmpe.utils.progress import ProgressBar


def quick_start(args: argparse.Namespace) -> None:
    """Draw from the photograph's patches, then train a small model."""
    folder = Path(args.out_dir)
    image = args.image or bundled_photograph(folder)
    sampler = load(image, device=args.device, max_size=args.max_size)
    training, patches = folder / 'training', folder / 'patches'
    if not args.no_train:  # find mistakes before drawing
        plan_training(training_config(args), image, training, args.seed)
    rows = draw_sizes(sampler, args.num, args.seed, patches)
    region, shift = find_part(sampler.photograph)
    rows.append(draw_moved(sampler, region, shift, patches))
    save_sheet(
        patches, rows, 'Drawn from the patches of the photograph by diffusion '
        'with explicit positions (CSG), without training.')
    print('To move the part yourself:\n  python', sys.argv[0], 'layout', image,
          '--region', *region, '--shift', *shift,
          *(['--max-size', args.max_size] if args.max_size else []))
    if args.no_train:
        return
    train_photograph(training_config(args), image, training, args.seed)
    print(f'The trained model is in {training}. To use it, for example:\n'
          f'  python {sys.argv[0]} resize {training} --factor 1 2')
    sampler = load(training, device=args.device)
    rows = draw_sizes(sampler, args.num, args.seed, folder)
    if sampler.has_positions:
        rows.append(
            draw_moved(sampler, *find_part(sampler.photograph), folder))
    save_sheet(
        folder, rows, 'Drawn by a SinGAN with explicit positions, trained on '
        'the photograph.')


def train(args: argparse.Namespace) -> None:
    """Train on each photograph."""
    config = training_config(args)
    if args.tensorboard:
        add_tensorboard(config)
    results = train_photographs(config, args.images, args.out_dir, args.seed,
                                args.jobs, args.dask)
    print(summary_table(results))
    print(f'The trained models are in {args.out_dir}')
    failed = sum(result.status == 'failed' for result in results)
    if failed:
        sys.exit(f'{failed} of {len(results)} trainings failed.')


def sample(args: argparse.Namespace) -> None:
    """Draw random images."""
    sampler = load_sampler(args)
    size = chosen_size(sampler, args)
    options = dict(start_scale=args.start_scale, growth=args.positions)
    seeds = range(args.seed, args.seed + args.num)
    if args.tile:
        for seed in seeds:
            draw_tiled(sampler, args, size, seed, **options)
        return
    folder, row = Path(args.out_dir), []
    with ProgressBar(total=len(seeds), desc='samples') as bar:
        for part in in_parts(seeds, args.batch_size):
            images = sampler.sample(
                len(part), size, part[0], args.batch_size, **options)
            for seed, image in zip(part, images):
                save_image(folder / f'sample_{seed}.png', image)
                row.append((f'seed {seed}', image))
            bar.update(len(part))
    save_sheet(folder, [originals(sampler), *in_parts(row, 6)])


def resize(args: argparse.Namespace) -> None:
    """Draw the photograph and variants of it at another size."""
    sampler = load_sampler(args)
    size = chosen_size(sampler, args)
    if args.tile:
        draw_tiled(sampler, args, size, args.seed, growth=args.positions)
        return
    seeds = variants(args)
    if not sampler.has_positions:
        seeds = [seed for seed in seeds if seed is not None] or [args.seed]
    draw_variants(sampler, args, seeds, 'resized',
                  lambda seed: sampler.resize(size, args.positions, seed))


def layout(args: argparse.Namespace) -> None:
    """Change where things are."""
    sampler = load_sampler(args)
    size = chosen_size(sampler, args)
    options = dict(
        shift=args.shift,
        scale=args.scale,
        angle=args.rotate,
        flip=args.flip,
        keep=args.keep or None,
        remove=args.remove or None,
        feather=args.feather,
        margin=args.margin,
        displacement=args.displacement
        and read_displacement(args.displacement))
    options = {name: x for name, x in options.items() if x is not None}
    if not args.edits:
        region = read_mask(args.mask) if args.mask else args.region
        edits = [LayoutEdit(region, **options)]
    elif options:
        raise ValueError('Argument `--edits` cannot be combined with options '
                         'for a single edit.')
    else:
        edits = read_edits(args.edits, size or sampler.size)
    draw_variants(
        sampler, args, variants(args), 'layout',
        lambda seed: sampler.layout(edits, size, args.positions, seed))


def edit(args: argparse.Namespace) -> None:
    """Blend a rough edit in, or harmonise a pasted object."""
    sampler = load_sampler(args)
    image, mask = read_rgb(args.image), read_mask(args.mask)
    method = getattr(sampler, args.command)
    draw_scales(
        sampler, args, image,
        lambda scale: method(image, mask, scale, args.seed, args.dilation))


def paint(args: argparse.Namespace) -> None:
    """Turn a painting into a photograph."""
    sampler = load_sampler(args)
    image = read_rgb(args.image)
    draw_scales(
        sampler, args, image,
        lambda scale: sampler.paint(image, scale, args.seed, args.colours))


def super_resolution(args: argparse.Namespace) -> None:
    """Enlarge an image."""
    folder = Path(args.out_dir)
    image = args.image and read_rgb(args.image)
    if args.model:
        sampler = load_sampler(args)
    elif image is None:
        raise ValueError('Give a MODEL, or an --image to train one on.')
    else:
        training = folder / 'training'
        config = enlarging_config(args, max(image.shape[:2]))
        train_photograph(config, args.image, training, args.seed)
        print(f'The trained model is in {training}')
        sampler = load(training, device=args.device)
    if image is None:
        image = sampler.training_image
    result = sampler.super_resolution(args.factor, image)
    save_image(folder / 'enlarged.png', result)
    before, after = ('{}x{}'.format(*x.shape) for x in (image, result))
    save_sheet(folder, [[(f'before {before}', image)],
                        [('bicubic', resize_image(image, result.shape[:2])),
                         (f'after {after}', result)]])


def animate(args: argparse.Namespace) -> None:
    """Animate the photograph."""
    sampler = load_sampler(args)
    walk = sampler.animate(args.frames, args.alpha, args.beta,
                           args.start_scale, args.seed)
    frames = list(ProgressBar(walk, total=args.frames, desc='frames'))
    folder = Path(args.out_dir)
    for path in (save_gif(folder / 'animation.gif', frames, 1 / args.fps),
                 save_mp4(folder / 'animation.mp4', frames, args.fps)):
        print(f'The animation is {path}')
    some = range(0, len(frames), math.ceil(len(frames) / 6))
    save_sheet(folder, [
        originals(sampler), [(f'frame {i}', frames[i]) for i in some]
    ])


# -------------------------------------------------------------------- helpers
def load_sampler(args: argparse.Namespace) -> PhotographSampler:
    """Load MODEL, which must be a model of one photograph."""
    sampler = load(args.model, args.checkpoint, args.device, args.max_size)
    if isinstance(sampler, StyleGAN2Sampler):
        raise ValueError(f'{args.model!r} is not a model of one photograph: '
                         'use demo/mspie_sampling.py.')
    return sampler


def training_config(args: argparse.Namespace) -> Config:
    """Read the config of the training, with the settings of the arguments."""
    options = dict(args.cfg_options or {})
    if args.max_size:
        options['train_dataloader.dataset.max_size'] = args.max_size
    config = open_config(args.config, options)
    if not config.get('model') or not config.get('train_dataloader'):
        raise ValueError(f'The config {args.config!r} does not train a model: '
                         'it has no `model` or no `train_dataloader`.')
    return config


def enlarging_config(args: argparse.Namespace, max_size: int) -> Config:
    """Config whose scales differ by a factor with --factor as a power."""
    config = training_config(args)
    if args.factor <= 1:
        raise ValueError('Argument `--factor` must be above 1, but got '
                         f'{args.factor}.')
    steps = max(1, round(math.log(args.factor, 1 / 0.75)))
    dataset = config.train_dataloader.dataset
    dataset.scale_factor_init = args.factor**(-1 / steps)
    dataset.max_size = max_size
    return config


def chosen_size(sampler: PhotographSampler,
                args: argparse.Namespace) -> Optional[Tuple[int, int]]:
    """Size in pixels, if --size or --factor is given and can be drawn."""
    size = args.size and tuple(args.size)
    if args.factor:
        size = tuple(
            round(factor * length)
            for factor, length in zip(args.factor, sampler.size))
    sampler.check_size(size)
    return size


def variants(args: argparse.Namespace) -> List[Optional[int]]:
    """Seeds of the results: None for the photograph, then the variants'."""
    return [None, *range(args.seed, args.seed + args.num)]


def in_parts(items: Sequence, length: int) -> List[Sequence]:
    """Split a sequence into parts of at most a length."""
    return [items[i:i + length] for i in range(0, len(items), length)]


def save_sheet(folder: Path, rows: List[Row], caption: str = '') -> None:
    """Save a contact sheet."""
    path = save_image(folder / 'sheet.png', contact_sheet(rows, caption))
    print(f'The contact sheet is {path}')


def draw_variants(sampler: PhotographSampler, args: argparse.Namespace,
                  seeds: Sequence[Optional[int]], name: str,
                  draw: Callable[[Optional[int]], np.ndarray]) -> None:
    """Draw with each seed; save the results, and all of them on a sheet."""
    folder, row = Path(args.out_dir), []
    for seed in ProgressBar(seeds, desc=name):
        image = draw(seed)
        suffix = '' if seed is None else f'_{seed}'
        save_image(folder / f'{name}{suffix}.png', image)
        row.append((name if seed is None else f'seed {seed}', image))
    save_sheet(folder, [originals(sampler), *in_parts(row, 3)])


def draw_scales(sampler: PhotographSampler, args: argparse.Namespace,
                image: np.ndarray, draw: Callable[[int], np.ndarray]) -> None:
    """Draw from each start scale; save the results, and a sheet."""
    scales = args.start_scale or range(1, sampler.last_scale + 1)
    for scale in scales:
        sampler.check_scale(scale, 1)
    folder, row = Path(args.out_dir), []
    for scale in ProgressBar(scales, desc=args.command):
        result = draw(scale)
        save_image(folder / f'{args.command}_scale{scale}.png', result)
        row.append((f'from scale {scale}', result))
    before = resize_image(image, row[0][1].shape[:2])
    save_sheet(folder, [[('training', sampler.training_image),
                         ('before', before)], *in_parts(row, 4)])


def draw_tiled(sampler: PhotographSampler, args: argparse.Namespace,
               size: Optional[Tuple[int, int]], seed: int, **options) -> None:
    """Draw one image tile by tile."""
    path = Path(args.out_dir, f'{args.command}_{seed}.{args.tile_format}')
    sampler.draw_to_file(path, size, seed, tile=args.tile, **options)
    print(f'The image is {path}')
