r"""Draw new pictures of one photograph; resize, edit and move what is in it.

Without a command a sheet is drawn from the patches of a photograph (one that
comes with scikit-image, or --image) within seconds: nothing is trained. Then a
small SinGAN is trained on it, which takes a few minutes on two processor
cores, and draws a sheet of its own; --no-train stops before. `COMMAND --help`
tells what each command does.

MODEL is a photograph, whose patches are the model; a folder that `train` or
the quick start has made; a config followed by its checkpoint (or by a
photograph, see configs/patch_diffusion); or the name of a released row.

Examples:
    python demo/sinGAN_manipulation.py
    python demo/sinGAN_manipulation.py --image photo.jpg --no-train
    python demo/sinGAN_manipulation.py --image photo.jpg --max-size 200
    python demo/sinGAN_manipulation.py resize photo.jpg --factor 1 1.5
    python demo/sinGAN_manipulation.py train photo.jpg --out-dir out
    python demo/sinGAN_manipulation.py resize out/photo --size 120 400
    python demo/sinGAN_manipulation.py sample singan_spe-dim4_fish --num 6
"""
import argparse
import itertools
import math
import os.path as osp
import sys
import textwrap
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from mmengine.config import Config

from mmpe.engine import add_tensorboard
from mmpe.engine.photographs import (bundled_photograph, plan_training,
                                     summary_table, train_photograph,
                                     train_photographs)
from mmpe.functional.grids import GROWTHS
from mmpe.inference import (LayoutEdit, PatchSampler, PhotographSampler,
                            StyleGAN2Sampler, load, read_edits)
from mmpe.inference.inputs import read_displacement, read_mask, read_rgb
from mmpe.inference.layout import FLIPS
from mmpe.utils.command_line import (SettingsAction, one_line_errors,
                                     open_config)
from mmpe.utils.files import check_folder
from mmpe.utils.images import (contact_sheet, resize_image, save_gif,
                               save_image, save_mp4)
from mmpe.utils.progress import ProgressBar

QUICK_CONFIG = osp.join(
    osp.dirname(osp.dirname(osp.abspath(__file__))),
    'configs/singan_fast/singan_csg_fast.py')
Row = List[Tuple[str, np.ndarray]]
# Long sides of pictures that a model may be trained for.
_TRAINED_SIZES = 32, 1024
# By how much an image may be enlarged, lest the memory does not suffice.
_LARGEST_FACTOR = 64
# Width of a box's border, on which there should be few edges, in pixels.
_BOX_MARGIN = 4


# --------------------------------------------------------------- command line
def parse_args() -> argparse.Namespace:
    """Read the command line."""
    names = [f'    {name:<18}{text}' for name, (text, *_) in COMMANDS.items()]
    parser = argparse.ArgumentParser(
        description=__doc__ + '\nCommands:\n' + '\n'.join(names),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    if len(sys.argv) > 1 and sys.argv[1] in COMMANDS:
        name = sys.argv[1]
        text, add_arguments, _, example = COMMANDS[name]
        parser = argparse.ArgumentParser(
            prog=f'{osp.basename(sys.argv[0])} {name}',
            description=f'{text[0].upper()}{text[1:]}.\n\nExample:\n    '
            f'python demo/sinGAN_manipulation.py {name} {example}\n\n'
            + textwrap.fill(NOTES.get(name, ''), 78),
            formatter_class=argparse.RawDescriptionHelpFormatter)
        add_arguments(parser)
        _add_common(parser, f'singan_out/{name}')
        args = parser.parse_args(sys.argv[2:])
        args.command = name
    else:
        _add_quick_start(parser)
        _add_common(parser, 'singan_out')
        args, unknown = parser.parse_known_args()
        if unknown:
            parser.error(f'{unknown[0]!r} is no command; they are '
                         f'{", ".join(COMMANDS)}')
        args.command = None
    return args


def at_least(minimum: int,
             at_most: float = math.inf) -> Callable[[str], int]:
    """Type of an argument that is a whole number between two bounds."""
    bounds = f'at least {minimum}'
    if at_most < math.inf:
        bounds += f' and at most {at_most}'

    def number(text: str) -> int:
        if (not text.lstrip('-').isdecimal()
                or not minimum <= int(text) <= at_most):
            raise argparse.ArgumentTypeError(
                f'must be {bounds}, but got {text}')
        return int(text)

    return number


def _add_common(parser: argparse.ArgumentParser, out_dir: str) -> None:
    parser.add_argument(
        '--out-dir',
        default=out_dir,
        help=f'folder of the results (default: {out_dir})')
    parser.add_argument(
        '--seed',
        type=at_least(0),
        default=0,
        help='random seed (default: 0)')
    parser.add_argument(
        '--device', default='cpu', help='where to sample (default: cpu)')


def _add_quick_start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--image',
        help='photograph (default: one of scikit-image)')
    parser.add_argument(
        '--num',
        type=at_least(1),
        default=3,
        help='samples of each size (default: 3)')
    parser.add_argument(
        '--no-train',
        action='store_true',
        help='stop after the first sheet, before anything is trained')
    _add_trained_size(
        parser, '250 for the patches, the value in the config for training')
    _add_config(parser)


def _add_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--config',
        default=QUICK_CONFIG,
        help='what is trained (default: configs/singan_fast/'
        'singan_csg_fast.py)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=SettingsAction,
        help='override settings of the training, for instance '
        'model.iters_per_scale=1000 train_dataloader.dataset.min_size=20')


def _add_trained_size(parser: argparse.ArgumentParser, default: str) -> None:
    least, most = _TRAINED_SIZES
    parser.add_argument(
        '--max-size',
        type=at_least(least, most),
        metavar='PIXELS',
        help=f'long side to which larger photographs are reduced, from {least}'
        f' to {most}, for instance --max-size 200 (default: {default})')


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('images', nargs='+', help='photographs')
    _add_trained_size(parser, 'the value in the config')
    _add_config(parser)
    parser.add_argument(
        '--jobs',
        type=at_least(1),
        default=1,
        help='photographs trained at the same time (default: 1)')
    parser.add_argument(
        '--dask',
        metavar='ADDRESS',
        help='train on a Dask cluster, whose workers decide how many are '
        'trained at the same time: address of its scheduler, or the file '
        'that the scheduler has written (see docs/clusters.md)')
    parser.add_argument(
        '--tensorboard',
        action='store_true',
        help='write losses, distances and pictures of each scale for '
        '`tensorboard --logdir OUT_DIR`')


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'model',
        metavar='MODEL',
        help='photograph, folder of a training, config of a model, or name of '
        'a row')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='path or address of the checkpoint that belongs to a config')
    _add_max_size(parser)


def _add_max_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--max-size',
        type=at_least(1),
        metavar='PIXELS',
        help='long side to which a photograph is reduced where its patches '
        'are the model (default: 250)')


def _add_sizes(parser: argparse.ArgumentParser, required: bool) -> None:
    sizes = parser.add_mutually_exclusive_group(required=required)
    sizes.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('H', 'W'),
        help='size in pixels (default: that of training)')
    sizes.add_argument(
        '--factor',
        nargs=2,
        type=float,
        metavar=('FH', 'FW'),
        help='size as factors of the training height and width')
    parser.add_argument(
        '--positions',
        choices=GROWTHS,
        help='explicit positions at another size: stretched, continued beyond '
        'the training, the same about the middle, or repeated (default: '
        'stretch for CSG, extend for SPE, tile for what `train` makes)')


def _add_tiles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--tile',
        type=at_least(1),
        metavar='PIXELS',
        help='draw in tiles of this size straight to the file, so that '
        'memory does not grow with the image')
    parser.add_argument(
        '--tile-format',
        choices=['png', 'tif'],
        default='png',
        help='file format with --tile (default: png)')


def _add_sample(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument(
        '--num',
        type=at_least(1),
        default=6,
        help='number of images (default: 6)')
    _add_sizes(parser, required=False)
    parser.add_argument(
        '--start-scale',
        type=int,
        default=0,
        help='first scale with random noise; the coarser ones reconstruct '
        'the photograph (default: 0)')
    parser.add_argument(
        '--batch-size',
        type=at_least(1),
        default=4,
        help='images computed at a time (default: 4)')
    _add_tiles(parser)


def _add_resize(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    _add_sizes(parser, required=True)
    parser.add_argument(
        '--num',
        type=at_least(0),
        default=2,
        help='random variants besides the photograph itself (default: 2)')
    _add_tiles(parser)


def _add_layout(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    _add_sizes(parser, required=False)
    region = parser.add_mutually_exclusive_group()
    region.add_argument(
        '--region',
        nargs=4,
        type=int,
        metavar=('TOP', 'LEFT', 'BOTTOM', 'RIGHT'),
        help='box in pixels of the output (default: everything)')
    region.add_argument(
        '--mask', help='image of the size of the output, white in the region')
    region.add_argument(
        '--edits',
        metavar='FILE',
        help='JSON file of several changes, as the page of demo/web.py keeps '
        'them, in place of the options from here to --displacement')
    parser.add_argument(
        '--shift',
        nargs=2,
        type=float,
        default=(0, 0),
        metavar=('DOWN', 'RIGHT'),
        help='shift in pixels')
    parser.add_argument(
        '--scale',
        nargs=2,
        type=float,
        default=(1, 1),
        metavar=('FH', 'FW'),
        help='factors of enlargement')
    parser.add_argument(
        '--rotate',
        type=float,
        default=0,
        metavar='DEGREES',
        help='turn, counter-clockwise')
    parser.add_argument('--flip', choices=list(FLIPS), help='mirror')
    parser.add_argument(
        '--keep',
        action='store_true',
        help='leave the region as it is, so that its content is repeated')
    parser.add_argument(
        '--remove',
        action='store_true',
        help='remove what is in the region; its surroundings continue')
    parser.add_argument(
        '--feather',
        type=float,
        help='width of the soft edge in pixels (default: a cell of the '
        'coarsest scale, a quarter of one for what `train` makes; from a '
        'photograph 1)')
    parser.add_argument(
        '--margin',
        type=float,
        help='pixels by which the region is enlarged (default: four cells of '
        'the coarsest scale, one for what `train` makes; from a photograph '
        '4)')
    parser.add_argument(
        '--displacement',
        metavar='FILE',
        help='.npy (H, W, 2) or flow PNG (16 bits, as in KITTI): for each '
        'pixel of the output how far (right, down) the position is that it '
        'is told')
    parser.add_argument(
        '--num',
        type=at_least(0),
        default=2,
        help='random variants besides the photograph itself (default: 2)')


def _add_edit(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument('--image', required=True, help='the rough composite')
    parser.add_argument(
        '--mask',
        required=True,
        help='image of its size, white where it was changed')
    _add_start_scales(parser)
    parser.add_argument(
        '--dilation',
        type=at_least(0),
        help='pixels by which the mask is enlarged, at the training size')


def _add_start_scales(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--start-scale',
        type=int,
        nargs='+',
        metavar='SCALE',
        help='scales at which the image is put in, from 1: coarse ones '
        'change more (default: each of them)')


def _add_paint(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument('--image', required=True, help='the painting')
    _add_start_scales(parser)
    parser.add_argument(
        '--colours',
        type=int,
        default=32,
        help='colours of the photograph that those of the painting become; '
        '0 keeps them (default: 32)')


def _add_super_resolution(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'model',
        nargs='?',
        metavar='MODEL',
        help='photograph, folder of a training, config of a model, or name of '
        'a row (default: a model is trained on --image)')
    parser.add_argument(
        'checkpoint', nargs='?', help='checkpoint that belongs to a config')
    _add_max_size(parser)
    parser.add_argument(
        '--image', help='what is enlarged (default: the training image)')
    parser.add_argument(
        '--factor',
        type=float,
        default=4,
        help='enlargement of height and width (default: 4)')
    _add_config(parser)


def _add_animate(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument(
        '--frames',
        type=at_least(1),
        default=60,
        help='frames (default: 60)')
    parser.add_argument(
        '--fps', type=float, default=12, help='frames a second (default: 12)')
    parser.add_argument(
        '--alpha',
        type=float,
        default=0.1,
        help='how near the walk stays to the photograph (default: 0.1)')
    parser.add_argument(
        '--beta',
        type=float,
        default=0.9,
        help='how smooth the walk is (default: 0.9)')
    parser.add_argument(
        '--start-scale',
        type=int,
        default=1,
        help='first scale that moves (default: 1)')


# ------------------------------------------------------------------- commands
def quick_start(args: argparse.Namespace) -> None:
    """Draw from the photograph's patches, then train a small model."""
    folder = Path(args.out_dir)
    image = args.image or bundled_photograph(folder)
    sampler = load(image, device=args.device, max_size=args.max_size)
    if not args.no_train:  # before any work
        plan_training(
            _trained_config(args), image, folder / 'training', args.seed)
    patches = folder / 'patches'
    rows = _draw_sizes(sampler, args, patches)
    region, shift = _eye_catcher(sampler.photograph)
    rows.append(_draw_moved(sampler, region, shift, patches))
    _save_sheet(
        patches, rows, 'Drawn from the patches of the photograph by diffusion '
        'with explicit positions (CSG). Nothing was trained.')
    print('The part was moved by\n  python', sys.argv[0], 'layout', image,
          '--region', *region, '--shift', *shift,
          *(['--max-size', args.max_size] if args.max_size else []))
    if not args.no_train:
        _train_and_draw(args, image, folder)


def _train_and_draw(args: argparse.Namespace, image: str,
                    folder: Path) -> None:
    training = folder / 'training'
    train_photograph(_trained_config(args), image, training, args.seed)
    print(f'The trained model is {training}; use it with commands such as\n'
          f'  python {sys.argv[0]} resize {training} --factor 1 2')
    sampler = load(training, device=args.device)
    rows = _draw_sizes(sampler, args, folder)
    if sampler.has_positions:
        rows.append(
            _draw_moved(sampler, *_eye_catcher(sampler.photograph), folder))
    _save_sheet(
        folder, rows, 'Drawn by a SinGAN with explicit positions, trained on '
        'the photograph.')


def _draw_sizes(sampler: PhotographSampler, args: argparse.Namespace,
                folder: Path) -> List[Row]:
    """Samples of the photograph's size, wider and taller."""
    height, width = sampler.size
    rows = [_originals(sampler)]
    for kind, size in (('sample', (height, width)),
                       ('wider', (height, round(1.5 * width))),
                       ('taller', (round(1.5 * height), width))):
        images = sampler.sample(args.num, size, args.seed)
        row = []
        for index, image in enumerate(images):
            save_image(folder / f'{kind}_{args.seed + index}.png', image)
            row.append((f'{kind} {size[0]}x{size[1]}', image))
        rows.append(row)
    return [rows[0] + rows[1], *rows[2:]]


def _draw_moved(sampler: PhotographSampler, region: Tuple[int, ...],
                shift: Tuple[int, int], folder: Path) -> Row:
    """A part of the photograph moved and repeated, and a mirrored layout."""
    outline = sampler.photograph.copy()
    top, left, bottom, right = region
    cv2.rectangle(outline, (left, top), (right - 1, bottom - 1),
                  (255, 255, 255))
    row = [('a part', outline)]
    for name, edit, seed in (
        ('moved', LayoutEdit(region, shift), None),
        ('repeated', LayoutEdit(region, shift, keep=True), None),
        ('mirrored layout', LayoutEdit(flip='horizontal'), 0)):
        image = sampler.layout([edit], seed=seed)
        save_image(folder / f'{name.split()[0]}.png', image)
        row.append((name, image))
    return row


def _eye_catcher(
        image: np.ndarray) -> Tuple[Tuple[int, ...], Tuple[int, int]]:
    """A box whose border cuts nothing, and how far to move it.

    Edges are inside, and as few as can be on the border, where it is and
    where it goes to.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.hypot(*(cv2.Sobel(grey, cv2.CV_32F, *x) for x in ((1, 0),
                                                                 (0, 1))))
    side = min(image.shape[:2])
    candidates = []
    for part, ratio in itertools.product((0.18, 0.25, 0.33), (0.7, 1, 1.4)):
        box = round(part * side), round(part * ratio * side)
        inner, border = _edges_of_boxes(edges, box)
        score = inner / (border + edges.mean() / 2)
        place = np.unravel_index(score.argmax(), score.shape)
        candidates.append((score[place], place, box, border))
    _, (top, left), box, border = max(candidates, key=lambda x: x[0])
    y, x = np.indices(border.shape)
    apart = np.maximum(np.abs(y - top) / box[0], np.abs(x - left) / box[1])
    # Not where it was, and not too far away.
    border = border + np.where(apart < 1.1, np.inf, edges.mean() * apart / 8)
    new = np.unravel_index(border.argmin(), border.shape)
    first = _BOX_MARGIN + int(top), _BOX_MARGIN + int(left)
    return (*first, first[0] + box[0], first[1] + box[1]), (int(new[0] - top),
                                                            int(new[1] - left))


def _edges_of_boxes(
        edges: np.ndarray,
        box: Tuple[int, int]) -> Tuple[np.ndarray, np.ndarray]:
    """Mean of edges in each box and on its border.

    The boxes' corners are counted from _BOX_MARGIN pixels inside the image.
    """

    def sums(grow: int) -> np.ndarray:
        size = box[1] + 2 * grow, box[0] + 2 * grow
        total = cv2.boxFilter(
            edges, -1, size, anchor=(0, 0), normalize=False)
        first = _BOX_MARGIN - grow
        rows, cols = (length - part - 2 * _BOX_MARGIN + 1
                      for length, part in zip(edges.shape, box))
        return total[first:first + rows, first:first + cols]

    area = box[0] * box[1]
    ring = (box[0] + 2 * _BOX_MARGIN) * (box[1] + 2 * _BOX_MARGIN) - area
    inner = sums(0)
    return inner / area, (sums(_BOX_MARGIN) - inner) / ring


def train(args: argparse.Namespace) -> None:
    """Train on each photograph."""
    config = _trained_config(args)
    if args.tensorboard:
        add_tensorboard(config)
    results = train_photographs(config, args.images, args.out_dir, args.seed,
                                args.jobs, args.dask)
    print(summary_table(results))
    print(f'The trained models are in {args.out_dir}')
    failed = sum(result.status == 'failed' for result in results)
    if failed:
        sys.exit(f'{failed} of {len(results)} trainings have failed.')


def sample(args: argparse.Namespace) -> None:
    """Draw random images."""
    sampler = _load(args)
    size = _size(sampler, args)
    options = dict(start_scale=args.start_scale, growth=args.positions)
    seeds = range(args.seed, args.seed + args.num)
    folder = Path(args.out_dir)
    if args.tile:
        for seed in seeds:
            _draw_tiled(sampler, args, size, seed, **options)
        return
    row = []
    with ProgressBar(total=len(seeds), desc='samples') as bar:
        for part in _parts(seeds, args.batch_size):
            images = sampler.sample(
                len(part), size, part[0], args.batch_size, **options)
            for seed, image in zip(part, images):
                save_image(folder / f'sample_{seed}.png', image)
                row.append((f'seed {seed}', image))
            bar.update(len(part))
    _save_sheet(folder, [_originals(sampler), *_parts(row, 6)])


def resize(args: argparse.Namespace) -> None:
    """Draw the photograph, and variants, at another size."""
    sampler = _load(args)
    size = _size(sampler, args)
    if args.tile:
        _draw_tiled(sampler, args, size, args.seed, growth=args.positions)
        return

    def draw(seed: Optional[int]) -> np.ndarray:
        return sampler.resize(size, args.positions, seed)

    seeds = _variants(args)
    if not sampler.has_positions:
        seeds = [seed for seed in seeds if seed is not None] or [args.seed]
    _draw_variants(sampler, args, draw, seeds, 'resized')


def layout(args: argparse.Namespace) -> None:
    """Change where things are."""
    sampler = _load(args)
    size = _size(sampler, args)
    options = dict(
        shift=args.shift,
        scale=args.scale,
        angle=args.rotate,
        flip=args.flip,
        keep=args.keep,
        remove=args.remove,
        feather=args.feather,
        margin=args.margin,
        displacement=args.displacement
        and read_displacement(args.displacement))
    if args.edits:
        if (args.shift, args.scale) != ((0, 0), (1, 1)) or any(
                x is not None and x is not False for x in (
                    args.rotate or None, args.flip, args.keep, args.remove,
                    args.feather, args.margin, args.displacement)):
            raise ValueError('Argument `--edits` goes without the options of '
                             'a single change.')
        edits = read_edits(args.edits, size or sampler.size)
    else:
        region = read_mask(args.mask) if args.mask else args.region
        edits = [LayoutEdit(region, **options)]

    def draw(seed: Optional[int]) -> np.ndarray:
        return sampler.layout(edits, size, args.positions, seed)

    _draw_variants(sampler, args, draw, _variants(args), 'layout')


def edit(args: argparse.Namespace) -> None:
    """Make a composite seamless, or harmonise it."""
    sampler = _load(args)
    image, mask = read_rgb(args.image), read_mask(args.mask)
    method = getattr(sampler, args.command)

    def draw(scale: int) -> np.ndarray:
        return method(image, mask, scale, args.seed, args.dilation)

    _draw_scales(sampler, args, draw, image)


def paint(args: argparse.Namespace) -> None:
    """Turn a painting into a photograph."""
    sampler = _load(args)
    image = read_rgb(args.image)

    def draw(scale: int) -> np.ndarray:
        return sampler.paint(image, scale, args.seed, args.colours)

    _draw_scales(sampler, args, draw, image)


def super_resolution(args: argparse.Namespace) -> None:
    """Enlarge an image."""
    folder = Path(args.out_dir)
    if not 0 < args.factor <= _LARGEST_FACTOR:
        raise ValueError('Argument `--factor` must be above 0 and at most '
                         f'{_LARGEST_FACTOR}, but got {args.factor}.')
    image = args.image and read_rgb(args.image)
    if args.model:
        sampler = _load(args)
    elif not args.image:
        raise ValueError('Give a MODEL, or an --image to train one on.')
    else:
        sampler = _train_for_factor(args, folder / 'training')
    if image is None:
        image = sampler.training_image
    result = sampler.super_resolution(args.factor, image)
    save_image(folder / 'enlarged.png', result)
    bicubic = resize_image(image, result.shape[:2])
    _save_sheet(folder, [[(f'before {_name(image)}', image)],
                         [('bicubic', bicubic),
                          (f'after {_name(result)}', result)]])


def animate(args: argparse.Namespace) -> None:
    """Let the photograph move."""
    sampler = _load(args)
    if not 0 < args.fps < math.inf:
        raise ValueError('Argument `--fps` must be above 0 and finite, but '
                         f'got {args.fps}.')
    walk = sampler.animate(args.frames, args.alpha, args.beta,
                           args.start_scale, args.seed)
    frames = list(ProgressBar(walk, total=args.frames, desc='frames'))
    folder = Path(args.out_dir)
    for path in (save_gif(folder / 'animation.gif', frames, 1 / args.fps),
                 save_mp4(folder / 'animation.mp4', frames, args.fps)):
        print(f'The animation is {path}')
    some = range(0, len(frames), math.ceil(len(frames) / 6))
    _save_sheet(folder, [
        _originals(sampler), [(f'frame {i}', frames[i]) for i in some]
    ])


# -------------------------------------------------------------------- helpers
def _load(args: argparse.Namespace) -> PhotographSampler:
    sampler = load(args.model, args.checkpoint, args.device, args.max_size)
    if isinstance(sampler, StyleGAN2Sampler):
        raise ValueError(f'{args.model!r} is not a model of one photograph: '
                         'use demo/mspie_sampling.py.')
    return sampler


def _trained_config(args: argparse.Namespace) -> Config:
    options = dict(args.cfg_options or {})
    if args.max_size:
        options['train_dataloader.dataset.max_size'] = args.max_size
    config = open_config(args.config, options)
    if not config.get('model') or not config.get('train_dataloader'):
        raise ValueError(f'The config {args.config!r} trains no model: it '
                         'lacks `model` or `train_dataloader`.')
    return config


def _size(sampler: PhotographSampler,
          args: argparse.Namespace) -> Optional[Tuple[int, int]]:
    size = args.size and tuple(args.size)
    if args.factor:
        if not all(0 < factor < math.inf for factor in args.factor):
            raise ValueError('Argument `--factor` must be above 0 and finite, '
                             f'but got {args.factor}.')
        size = tuple(
            round(factor * length)
            for factor, length in zip(args.factor, sampler.size))
    sampler.check_size(size)
    return size


def _variants(args: argparse.Namespace) -> List[Optional[int]]:
    """Seeds: none for the photograph itself, then those of the variants."""
    return [None, *range(args.seed, args.seed + args.num)]


def _parts(items: Sequence, length: int) -> List[Sequence]:
    return [items[i:i + length] for i in range(0, len(items), length)]


def _name(image: np.ndarray) -> str:
    return f'{image.shape[0]}x{image.shape[1]}'


def _originals(sampler: PhotographSampler) -> Row:
    row = []
    if sampler.photograph is not None:
        row.append(('photograph', sampler.photograph))
    if not isinstance(sampler, PatchSampler):  # which holds the photograph
        row.append(('reconstruction', sampler.reconstruct()))
    return row


def _save_sheet(folder: Path, rows: List[Row], caption: str = '') -> None:
    path = save_image(folder / 'sheet.png', contact_sheet(rows, caption))
    print(f'The contact sheet is {path}')


def _draw_variants(sampler: PhotographSampler, args: argparse.Namespace,
                   draw: Callable[[Optional[int]], np.ndarray],
                   seeds: Sequence[Optional[int]], name: str) -> None:
    """Draw with each seed; before on the sheet what there was."""
    folder, row = Path(args.out_dir), []
    for seed in ProgressBar(seeds, desc=name):
        image = draw(seed)
        suffix = '' if seed is None else f'_{seed}'
        save_image(folder / f'{name}{suffix}.png', image)
        row.append((name if seed is None else f'seed {seed}', image))
    _save_sheet(folder, [_originals(sampler), *_parts(row, 3)])


def _draw_scales(sampler: PhotographSampler, args: argparse.Namespace,
                 draw: Callable[[int], np.ndarray], image: np.ndarray) -> None:
    """Draw from each scale; before on the sheet the image put in."""
    scales = args.start_scale or range(1, sampler.last_scale + 1)
    for scale in scales:
        sampler.check_scale(scale, 1)
    folder, row = Path(args.out_dir), []
    for scale in ProgressBar(scales, desc=args.command):
        result = draw(scale)
        save_image(folder / f'{args.command}_scale{scale}.png', result)
        row.append((f'from scale {scale}', result))
    before = resize_image(image, row[0][1].shape[:2])
    _save_sheet(folder, [[('training', sampler.training_image),
                          ('before', before)], *_parts(row, 4)])


def _train_for_factor(args: argparse.Namespace,
                      folder: Path) -> PhotographSampler:
    """Train with a pyramid whose steps make up the enlargement."""
    config = _trained_config(args)
    if args.factor <= 1:
        raise ValueError(f'--factor must be above 1, but got {args.factor}.')
    dataset = config.train_dataloader.dataset
    steps = max(1, round(math.log(args.factor, 1 / 0.75)))
    dataset.scale_factor_init = args.factor**(-1 / steps)
    dataset.max_size = max(read_rgb(args.image).shape[:2])
    train_photograph(config, args.image, folder, args.seed)
    print(f'The trained model is {folder}')
    return load(folder, device=args.device)


def _draw_tiled(sampler: PhotographSampler, args: argparse.Namespace,
                size: Optional[Tuple[int, int]], seed: int,
                **options) -> None:
    path = Path(args.out_dir, f'{args.command}_{seed}.{args.tile_format}')
    sampler.draw_to_file(path, size, seed, tile=args.tile, **options)
    print(f'The image is {path}')


# What a photograph's own patches do less well than a trained model.
NOTES = {
    'sample':
    'From a photograph, each image is a new arrangement of its parts: what '
    'it has never seen together may meet. A trained SinGAN draws faster.',
    'resize':
    'From a photograph without a seed, "centre" and "extend" keep its pixels '
    'and continue beyond them. A single large object may appear twice in '
    'much wider pictures.',
    'layout':
    'From a photograph, what is moved keeps its pixels, and only cuts and '
    'what is left behind are drawn. Variants draw everything else anew.',
    'harmonize':
    'From a photograph, an object of colours or shapes that the photograph '
    'does not have is lost at coarse scales, and redrawn from its patches.',
    'super-resolution':
    'From a photograph, edges become sharper by examples in the image '
    'itself; no texture is invented. A trained SinGAN draws new texture.',
    'animate':
    'From a photograph, its positions sway and its pixels go with them; a '
    'trained SinGAN also changes what is drawn.'
}

# text, arguments, function, example
COMMANDS: Dict[str, tuple] = {
    'train': ('train a model on each of some photographs', _add_train, train,
              'photos/*.jpg --out-dir out --jobs 2 --max-size 200'),
    'sample': ('draw random images, of any size', _add_sample, sample,
               'photo.jpg --num 6 --size 200 400'),
    'resize': ('draw the photograph at another size', _add_resize, resize,
               'photo.jpg --factor 1 1.5 --positions centre'),
    'layout': ('move, enlarge, repeat or remove things by their positions',
               _add_layout, layout,
               'photo.jpg --region 20 40 70 60 --shift 0 -25'),
    'edit': ('make a rough edit of the photograph seamless', _add_edit, edit,
             'photo.jpg --image edited.png --mask mask.png'),
    'harmonize': ('give a pasted object the style of the photograph',
                  _add_edit, edit,
                  'out/painting --image pasted.png --mask mask.png'),
    'paint': ('turn a painting of flat colours into a photograph', _add_paint,
              paint, 'out/photo --image clipart.png --start-scale 1 2'),
    'super-resolution': ('enlarge an image and draw details',
                         _add_super_resolution, super_resolution,
                         'out/photo --factor 4'),
    'animate': ('let the photograph move (GIF and MP4)', _add_animate,
                animate, 'out/photo --frames 60 --start-scale 2'),
}


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        check_folder(args.out_dir)
        if args.command is None:
            quick_start(args)
        else:
            COMMANDS[args.command][2](args)


if __name__ == '__main__':
    main()
