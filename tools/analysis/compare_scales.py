r"""Compare trained StyleGAN2 and MS-PIE models at many sizes.

For each size: the sliced Wasserstein distance, and of EfficientNet-Lite0's
features the kernel distance (KID), both times 1000, and precision and recall,
to real images of that size. For each model of several sizes also the
similarity of one latent's images at two of them (SelfSSIM). A model of one
size is compared at the other ones by resizing its images.

A row of the tables is a model, or several runs of it that differ in the seed;
of each run the last checkpoints are averaged. With --results everything that
was measured is kept in a file and need not be measured again, also on another
machine.

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
import json
import re
import time
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
import torch
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmpe.analysis.comparison import (Measurements, curve_sizes, draw_curves,
                                      tables)
from mmpe.datasets import deliver_size
from mmpe.evaluation import EffLite0Distances, SlicedWassersteinDistance
from mmpe.functional.distances import resize_images, self_ssim
from mmpe.inference import StyleGAN2Sampler, load
from mmpe.inference.loading import find_training
from mmpe.utils import register_all_modules
from mmpe.utils.command_line import (image_size, one_line_errors,
                                     open_config)
from mmpe.utils.files import check_folder
from mmpe.utils.images import contact_sheet, save_image
from mmpe.utils.progress import ProgressBar

Size = Tuple[int, int]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--model',
        nargs='+',
        action='append',
        default=[],
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a model: its config and checkpoints; repeat for further ones')
    parser.add_argument(
        '--run',
        nargs='+',
        action='append',
        default=[],
        metavar=('NAME', 'WORK_DIR'),
        help='a row: its name, and the work dirs of trainings that differ in '
        'the seed; repeat for further ones')
    parser.add_argument(
        '--data-root',
        help='folder of the real images, which go through the pipeline of '
        "the first config's test data; larger sizes than its own are taken "
        'from the images as they are')
    parser.add_argument(
        '--sizes',
        nargs='+',
        type=image_size,
        default=[],
        metavar='SIZE',
        help='further sizes, also ones that were never trained, as in 40 '
        '48x64 (height x width)')
    parser.add_argument(
        '--last',
        type=int,
        default=3,
        help='checkpoints of a run that are averaged, the last ones '
        '(default: 3)')
    parser.add_argument(
        '--every',
        type=int,
        metavar='ITERATIONS',
        help='also measure the checkpoints of every so many iterations, at '
        'the trained sizes, for --curves')
    parser.add_argument(
        '--num',
        type=int,
        help='generated and real images (default: as many as are real)')
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the first latent')
    parser.add_argument(
        '--results',
        metavar='JSON',
        help='file of what is measured; what it holds is not measured again, '
        'and its other rows are in the tables, too')
    parser.add_argument(
        '--curves', metavar='PNG', help='draw the distances over iterations')
    parser.add_argument(
        '--sheet', help='PNG file for the same latents at all sizes')
    parser.add_argument(
        '--columns', type=int, default=8, help='latents on it (default: 8)')
    parser.add_argument(
        '--device', default='cpu', help='where to compute (default: cpu)')
    args = parser.parse_args()
    for name in ('num', 'columns', 'last', 'every'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name} must be at least 1, but got {value}')
    for name in ('model', 'run'):
        for values in getattr(args, name):
            if len(values) < 2:
                parser.error(f'--{name} needs two values or more, but got '
                             f'{values[0]}')
    if (args.model or args.run) and not args.data_root:
        parser.error('--data-root is needed to measure models')
    if not (args.model or args.run or args.results):
        parser.error('one of --model, --run and --results is needed')
    return args


def iteration_of(checkpoint: str) -> Optional[int]:
    """After how many iterations, if the file's name says so."""
    found = re.fullmatch(r'iter_(\d+)', Path(checkpoint).stem)
    return int(found[1]) if found else None


class Run(NamedTuple):
    """A training.

    Attributes:
        row: Name of its row.
        name: Its own name.
        config: Path of its config.
        checkpoints: Paths of the checkpoints, the last one last.
        sampler: The model of the last one.
        folder: Its work dir, if known.
    """

    row: str
    name: str
    config: str
    checkpoints: List[str]
    sampler: StyleGAN2Sampler
    folder: Optional[Path] = None

    @property
    def sizes(self) -> List[Size]:
        """Sizes that it was trained at."""
        return self.sampler.sizes

    def minutes(self, iteration: Optional[int]) -> Optional[float]:
        """Minutes of the training, from the log's seconds per iteration."""
        seconds = [
            values['time'] for path in sorted(
                self.folder.glob('*/vis_data/scalars.json')
                if self.folder else ())
            for values in map(json.loads, path.read_text().splitlines())
            if 'time' in values
        ]
        if not (seconds and iteration):
            return None
        return median(seconds) * iteration / 60


def find_runs(args: argparse.Namespace) -> List[Run]:
    """All runs; each one's last checkpoint is loaded."""
    runs = []
    for config, *paths in args.model:
        folder = Path(paths[-1]).absolute().parent.name
        runs.append(
            Run(
                Path(config).stem, folder, config, paths,
                load_model(config, paths[-1], args)))
    for row, *folders in args.run:
        for folder in map(Path, folders):
            config, latest = find_training(folder)
            checkpoints = sorted(
                filter(iteration_of, map(str, folder.glob('iter_*.pth'))),
                key=iteration_of)
            runs.append(
                Run(row, folder.absolute().name, str(config), checkpoints,
                    load_model(str(config), str(latest), args), folder))
    names = [(run.row, run.name) for run in runs]
    for row, name in names:
        if names.count((row, name)) > 1:
            raise ValueError(f'There are two runs {name!r} of {row!r}: name '
                             'their folders or rows otherwise.')
    return runs


def load_model(config: str, checkpoint: str,
               args: argparse.Namespace) -> StyleGAN2Sampler:
    """A model that can draw all sizes that are asked for."""
    sampler = load(config, checkpoint, args.device)
    if not isinstance(sampler, StyleGAN2Sampler):
        raise ValueError(f'{config!r} is not a config of StyleGAN2 or '
                         'MS-PIE.')
    if len(sampler.sizes) > 1:
        for wanted in args.sizes:
            sampler.options(wanted)
    return sampler


class Reals:
    """Real images, and distances to them.

    Args:
        config: Config with the test data's pipeline.
        data_root: Folder of the images.
        num: How many of them, and generated ones; None for all.
    """

    def __init__(self, config: str, data_root: str,
                 num: Optional[int]) -> None:
        self.config = config
        self.data_root = data_root
        self.num_found = len(self.loader().dataset)
        self.num = num or self.num_found
        self._metrics: Dict[Size, tuple] = {}

    def loader(self, size: Size = (1, 1)) -> DataLoader:
        """Loader of the images, of a size or larger."""
        dataloader = open_config(self.config).get('test_dataloader')
        if not dataloader:
            raise ValueError(f'The config {self.config!r} says nothing about '
                             'real images to test with (`test_dataloader`).')
        dataloader.dataset.data_root = self.data_root
        deliver_size(dataloader.dataset.get('pipeline') or [], size)
        return Runner.build_dataloader(dataloader)

    def distances(self, fakes: Tensor,
                  sampler: StyleGAN2Sampler) -> Dict[str, float]:
        """Distances to the real images of the fakes' size."""
        size = tuple(fakes.shape[-2:])
        if size not in self._metrics:
            self._metrics[size] = self._prepared(size, sampler)
        swd, network, places = self._metrics[size]
        # Of each checkpoint patches are taken at the same places.
        swd.network.generator.set_state(places)
        swd, network = (
            metric.figures(
                torch.cat([
                    metric.rows_of(batch.to(metric.device))
                    for batch in fakes.split(8)
                ])) for metric in (swd, network))
        return {
            'SWD': swd['avg'],
            'EffLite0-KID x 1000': 1000 * network['EffLite0-KID'],
            **{name: network[name] for name in ('EffLite0-precision',
                                                'EffLite0-recall')}
        }

    def _prepared(self, size: Size, sampler: StyleGAN2Sampler) -> tuple:
        options = dict(fake_nums=self.num, real_size=size)
        swd = SlicedWassersteinDistance(**options)
        network = EffLite0Distances(
            real_nums=self.num, figures=['KID', 'PR'], **options)
        loader = self.loader(size)
        for metric in (swd, network):
            metric.prepare(sampler.model, loader)
        return swd, network, swd.network.generator.get_state()


def draw(sampler: StyleGAN2Sampler, size: Size, num: int,
         seed: int) -> Tensor:
    """Images (N, 3, H, W) in BGR order, resized if they must be."""
    is_drawn = size in sampler.sizes or len(sampler.sizes) > 1
    images = np.stack(
        sampler.sample(num, size if is_drawn else sampler.size, seed))
    images = torch.from_numpy(images[..., ::-1].copy())
    return resize_images(images.permute(0, 3, 1, 2).float(), size)


def label(size: Size) -> str:
    """For example '48x64', height first."""
    return 'x'.join(map(str, size))


def sizes_to_measure(runs: List[Run], measured: Measurements,
                     args: argparse.Namespace) -> Iterator[tuple]:
    """Runs, their checkpoints, and at which sizes each is measured."""
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
    """Measure what is not in the file yet."""
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
        curve_sizes(measured)  # before any work
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


def consistency(images: Dict[Size, Tensor]) -> Dict[str, float]:
    """SelfSSIM of each pair of sizes, and their mean."""
    values = {
        f'{label(x)}-{label(y)}': float(
            self_ssim(images[x], images[y]).mean())
        for x, y in combinations(images, 2)
    }
    return dict(values, mean=float(np.mean(list(values.values()))))


def draw_sheet(runs: List[Run], args: argparse.Namespace) -> None:
    """Write the same latents at all sizes of each row's first run."""
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
    print(f'The sheet is {save_image(args.sheet, contact_sheet(rows))}')


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
        runs = find_runs(args)
        if not runs:
            measured = Measurements(args.results, None)
            if not measured.entries:
                raise ValueError(f'There are no measurements in '
                                 f'{args.results!r}.')
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
