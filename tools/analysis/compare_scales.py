r"""Compare trained StyleGAN2 and MS-PIE models at all of their sizes.

For each size: the sliced Wasserstein distance and the kernel distance (KID)
of EfficientNet-Lite0's features, both times 1000, to real images of that
size. For each model of several sizes also the similarity of one latent's
images at two of them (SelfSSIM). A model of one size is compared at the other
ones by resizing its images.

Example:
    python tools/analysis/compare_scales.py --data-root photos \
        --model configs/mspie_small/mspie_spe_32-48-64.py spe.pth \
        --model configs/mspie_small/stylegan2_64.py plain.pth \
        --sheet sheet.png
"""
import argparse
from itertools import combinations
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
import torch
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmpe.evaluation import (EffLite0Distances, SlicedWassersteinDistance,
                             results_table)
from mmpe.functional.distances import resize_images, self_ssim
from mmpe.inference import StyleGAN2Sampler, load
from mmpe.utils import register_all_modules
from mmpe.utils.command_line import one_line_errors, open_config
from mmpe.utils.files import check_folder
from mmpe.utils.images import contact_sheet, save_image
from mmpe.utils.progress import ProgressBar

Size = Tuple[int, int]
Samplers = Dict[str, StyleGAN2Sampler]


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--model',
        nargs=2,
        action='append',
        required=True,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='a model; repeat for further ones')
    parser.add_argument(
        '--data-root',
        required=True,
        help='folder of the real images, which go through the pipeline of '
        "the first config's test data")
    parser.add_argument(
        '--num',
        type=int,
        help='generated and real images (default: as many as are real)')
    parser.add_argument(
        '--seed', type=int, default=0, help='seed of the first latent')
    parser.add_argument(
        '--sheet', help='PNG file for the same latents at all sizes')
    parser.add_argument(
        '--columns', type=int, default=8, help='latents on it (default: 8)')
    parser.add_argument(
        '--device', default='cpu', help='where to compute (default: cpu)')
    args = parser.parse_args()
    for name in ('num', 'columns'):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f'--{name} must be at least 1, but got {value}')
    return args


def real_images(config: str, data_root: str) -> DataLoader:
    """Loader of the real images."""
    dataloader = open_config(config).get('test_dataloader')
    if not dataloader:
        raise ValueError(f'The config {config!r} says nothing about real '
                         'images to test with (`test_dataloader`).')
    dataloader.dataset.data_root = data_root
    return Runner.build_dataloader(dataloader)


def load_models(args: argparse.Namespace) -> Samplers:
    """The models by the names of their configs."""
    samplers = {}
    for config, checkpoint in args.model:
        sampler = load(config, checkpoint, args.device)
        if not isinstance(sampler, StyleGAN2Sampler):
            raise ValueError(f'{config!r} is not a config of StyleGAN2 or '
                             'MS-PIE.')
        samplers[Path(config).stem] = sampler
    return samplers


def draw(sampler: StyleGAN2Sampler, size: Size, num: int,
         seed: int) -> Tensor:
    """Images (N, 3, H, W) in BGR order, resized if they must be."""
    drawn = size if size in sampler.sizes else sampler.size
    images = np.stack(sampler.sample(num, drawn, seed))[..., ::-1].copy()
    images = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    return resize_images(images, size)


def distances(fakes: Tensor, sampler: StyleGAN2Sampler,
              reals: DataLoader) -> Dict[str, float]:
    """Distances to the real images of the fakes' size."""
    options = dict(fake_nums=len(fakes), real_size=fakes.shape[-2:])
    figures = {}
    for name, metric in (
        ('SWD', SlicedWassersteinDistance(**options)),
        ('EffLite0', EffLite0Distances(
            real_nums=len(fakes), figures=['KID'], **options))):
        metric.prepare(sampler.model, reals)
        rows = [metric.rows_of(batch.to(metric.device))
                for batch in fakes.split(reals.batch_size)]
        figures[name] = metric.figures(torch.cat(rows))
    return {
        'SWD': figures['SWD']['avg'],
        'EffLite0-KID x 1000': 1000 * figures['EffLite0']['EffLite0-KID']
    }


def consistency(images: Dict[Size, Tensor]) -> Dict[str, float]:
    """SelfSSIM of each pair of sizes."""
    return {
        f'{x[0]}x{x[1]}-{y[0]}x{y[1]}':
        float(self_ssim(images[x], images[y]).mean())
        for x, y in combinations(images, 2)
    }


def compare(samplers: Samplers, reals: DataLoader,
            args: argparse.Namespace) -> List[str]:
    """Tables of all figures."""
    sizes = sorted({size for x in samplers.values() for size in x.sizes})
    num = args.num or len(reals.dataset)
    rows: Dict[str, Dict[str, float]] = {}
    similar: Dict[str, Dict[str, float]] = {}
    for name, sampler in ProgressBar(samplers.items(), 'Models'):
        images = {size: draw(sampler, size, num, args.seed) for size in sizes}
        for size, fakes in images.items():
            label = 'x'.join(map(str, size))
            resized = '' if size in sampler.sizes else ', resized'
            rows[f'{label} {name}{resized}'] = distances(
                fakes, sampler, reals)
        if len(sampler.sizes) > 1:
            similar[name] = consistency(
                {size: images[size] for size in sampler.sizes})
    order = sorted(rows, key=lambda label: int(label.split('x')[0]))
    tables = [f'Distances of {num} images to {num} real ones:',
              results_table({label: rows[label] for label in order})]
    if similar:
        tables += ['\nSimilarity of one latent at two sizes (SelfSSIM):',
                   results_table(similar)]
    return tables


def draw_sheet(samplers: Samplers, args: argparse.Namespace) -> None:
    """Write the same latents at all sizes of each model."""
    rows = []
    for name, sampler in samplers.items():
        for size in sampler.sizes:
            images = sampler.sample(args.columns, size, args.seed)
            heading = f'{name}, {size[0]}x{size[1]}'
            rows += [[(heading, np.full((1, 1, 3), 255, np.uint8))],
                     [('', image) for image in images]]
    print(f'The sheet is {save_image(args.sheet, contact_sheet(rows))}')


def main() -> None:
    """Run the command."""
    args = parse_args()
    register_all_modules()
    with one_line_errors():
        if args.sheet:
            check_folder(Path(args.sheet).parent)
        samplers = load_models(args)
        if args.sheet:
            draw_sheet(samplers, args)
        print('\n'.join(
            compare(samplers, real_images(args.model[0][0], args.data_root),
                    args)))


if __name__ == '__main__':
    main()
