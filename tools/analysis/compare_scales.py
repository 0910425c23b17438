r"""Compare trained StyleGAN2 and MS-PIE models at many sizes.

Measures, at each size, the sliced Wasserstein distance to real images of that
size, and the kernel distance (KID), precision and recall in EfficientNet-Lite0
features. Both distances are multiplied by 1000. For multi-scale models, it
also measures how similar the images of one latent are at two sizes (SelfSSIM).
The images of a single-size model are resized to the other sizes.

A row of the tables is a model, or several runs that differ in the seed; the
last checkpoints of each run are averaged. With --results, all measurements are
kept in a file and are not repeated, on another machine either.

Examples:
    python tools/analysis/compare_scales.py --data-root photos \
        --model configs/mspie_small/mspie_spe_32-48-64.py spe.pth \
        --model configs/mspie_small/stylegan2_64.py plain.pth \
        --sheet sheet.png

    python tools/analysis/compare_scales.py --data-root photos \
        --run spe work_dirs/spe_seed0 work_dirs/spe_seed1 \
        --run plain work_dirs/plain_seed0 work_dirs/plain_seed1 \
        --sizes 40 56 80 96 48x64 --results faces.json \
        --every 3000 --curves faces.png

    python tools/analysis/compare_scales.py --results faces.json
"""
import argparse
import time
from pathlib import Path
from typing import Iterator, List

import numpy as np

from mmpe.analysis.comparison import (Measurements, curve_sizes, draw_curves,
                                      tables)
from mmpe.analysis.runs import (Reals, Run, consistency, draw, find_runs,
                                iteration_of, label)
from mmpe.inference import load
from mmpe.utils import register_all_modules
from mmpe.utils.arguments import (DEVICE, NUM, SEED, Argument, at_least,
                                  image_size, make_parser, repeated)
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import check_folder
from mmpe.utils.images import contact_sheet, save_image
from mmpe.utils.progress import ProgressBar

ARGUMENTS = [
    repeated(
        '--model',
        nargs='+',
        metavar=('CONFIG', 'CHECKPOINT'),
        help='config and checkpoints of a model'),
    repeated(
        '--run',
        nargs='+',
        metavar=('NAME', 'WORK_DIR'),
        help='name of a row, and work dirs of its trainings, which differ '
        'in the seed'),
    Argument(
        '--data-root',
        help="folder of real images, read with the test pipeline of the "
        'first config; larger sizes than its own are made from the '
        'original images'),
    Argument(
        '--sizes',
        nargs='+',
        type=image_size,
        default=[],
        metavar='SIZE',
        help='further sizes, trained or not, e.g. 40 48x64 (height x width)'),
    NUM.but(
        '--last',
        default=3,
        help='number of last checkpoints per run to average'),
    Argument(
        '--every',
        type=at_least(1),
        metavar='ITERATIONS',
        help='also measure checkpoints at this interval, at the training '
        'sizes, for --curves'),
    NUM.but(
        help='number of generated and of real images (default: all real '
        'images)'), SEED.but(help='seed of the first latent'),
    Argument(
        '--results',
        metavar='JSON',
        help='file that keeps all measurements; those in it are not '
        'repeated, and its other rows are in the tables, too'),
    Argument(
        '--curves',
        metavar='PNG',
        help='plot the distances over the iterations'),
    Argument(
        '--sheet',
        metavar='PNG',
        help='draw the same latents at all sizes on a contact sheet'),
    NUM.but('--columns', default=8, help='number of latents on the sheet'),
    DEVICE
]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = make_parser(__doc__, *ARGUMENTS)
    args = parser.parse_args()
    for name in ('model', 'run'):
        for values in getattr(args, name):
            if len(values) < 2:
                parser.error(f'--{name} requires at least two values, but got '
                             f'{values[0]}')
    if (args.model or args.run) and not args.data_root:
        parser.error('--data-root is required to measure models')
    if not (args.model or args.run or args.results):
        parser.error('one of --model, --run and --results is required')
    return args


def sizes_to_measure(runs: List[Run], measured: Measurements,
                     args: argparse.Namespace) -> Iterator[tuple]:
    """Runs, their checkpoints, and the sizes to measure each at."""
    kept = {x for entry in measured.entries for x in entry['trained']}
    trained = {size for run in runs for size in run.sizes} | {
        tuple(map(int, x.split('x'))) for x in kept}
    for run in runs:
        last = run.checkpoints[-args.last:]
        for checkpoint in run.checkpoints:
            if checkpoint in last:
                yield run, checkpoint, sorted({*trained, *args.sizes})
            elif args.every and not (iteration_of(checkpoint)
                                     or 1) % args.every:
                yield run, checkpoint, sorted(trained)


def measure(runs: List[Run], measured: Measurements, reals: Reals,
            args: argparse.Namespace) -> None:
    """Measure what is not in the results yet."""
    work = []
    for run, checkpoint, sizes in sizes_to_measure(runs, measured, args):
        entry = measured.entry(run.row, run.name, Path(checkpoint).stem)
        sizes = [x for x in sizes if label(x) not in entry['distances']]
        if len(run.sizes) > 1 and not entry['similarity']:
            sizes.append(None)
        iteration = iteration_of(checkpoint)
        entry.update(
            iteration=iteration,
            minutes=run.minutes(iteration),
            trained=[label(size) for size in run.sizes])
        work += [(run, checkpoint, entry, size) for size in sizes]
    if args.curves:
        curve_sizes(measured)  # find mistakes before any work
    last, images = None, {}
    for run, checkpoint, entry, size in ProgressBar(work, 'Figures'):
        start = time.perf_counter()
        if checkpoint != last:
            last, images = checkpoint, {}
            sampler = run.sampler if checkpoint == run.checkpoints[-1] else \
                load(run.config, checkpoint, args.device)
        for x in run.sizes if size is None else [size]:
            if x not in images:
                images[x] = draw(sampler, x, reals.num, args.seed)
        if size is None:
            entry['similarity'] = consistency(
                {x: images[x] for x in run.sizes})
        else:
            entry['distances'][label(size)] = reals.distances(
                images[size], sampler)
        entry['seconds'] += time.perf_counter() - start
        measured.save()


def draw_sheet(runs: List[Run], args: argparse.Namespace) -> None:
    """Draw the same latents at all sizes, with the first run of each row."""
    rows = []
    for run in {run.row: run for run in reversed(runs)}.values():
        sizes = run.sizes
        if len(sizes) > 1:
            sizes = sorted({*sizes, *args.sizes})
        for size in sizes:
            images = run.sampler.sample(args.columns, size, args.seed)
            heading = f'{run.row}, {label(size)}'
            rows += [[(heading, np.full((1, 1, 3), 255, np.uint8))],
                     [('', image) for image in images]]
    path = save_image(args.sheet, contact_sheet(rows))
    print(f'The contact sheet is {path}')


def main() -> None:
    """Run the command."""
    args = parse_args()
    register_all_modules()
    with one_line_errors():
        for path in (args.sheet, args.results, args.curves):
            if path and Path(path).is_dir():
                raise IsADirectoryError(f'{path!r} is a folder.')
            if path:
                check_folder(Path(path).parent)
        runs = find_runs(args.model, args.run, args.sizes, args.device)
        if not runs:
            measured = Measurements(args.results, None)
            if not measured.entries:
                raise ValueError(f'{args.results!r} has no measurements.')
        else:
            reals = Reals(runs[0].config, args.data_root, args.num)
            measured = Measurements(
                args.results,
                dict(num=reals.num, reals=reals.num_found, seed=args.seed))
            if args.sheet:
                draw_sheet(runs, args)
            measure(runs, measured, reals, args)
        print('\n'.join(tables(measured, args.last)))
        if args.curves:
            print(f'The curves are {draw_curves(measured, args.curves)}')
        if runs and args.results:
            print(f'All figures are in {args.results}')


if __name__ == '__main__':
    main()
