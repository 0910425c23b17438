r"""Compare SinGANs with implicit, no and explicit positions on a photograph.

Trains the fast config on the same photograph with zero padding (implicit
positions), without padding or any other position cue, with a Cartesian grid
(CSG) and with a sinusoidal encoding (SPE). A sheet shows the reconstruction,
random samples, and wider random samples of each. How well the photograph's
layout is preserved is measured on 16 samples of each kind, as the correlation
with the (stretched) photograph at low resolution: 1 is the same layout, 0 an
unrelated one.

Finished trainings in the same --out-dir are reused, and interrupted ones are
resumed.

Example:
    python tools/analysis/compare_positions.py photo.jpg --out-dir positions
"""
import argparse
import json
import sys
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
from mmpe.engine.photographs import (TrainingResult, bundled_photograph,
                                     plan_training, run_trainings,
                                     summary_table)
from mmpe.evaluation.single_image import layout_correlation
from mmpe.inference import SinGANSampler, load
from mmpe.utils.arguments import (CFG_OPTIONS, JOBS, NUM, OUT_DIR, SEED,
                                  Argument, at_least, make_parser)
from mmpe.utils.command_line import one_line_errors, open_config
from mmpe.utils.files import atomic_write, check_folder
from mmpe.utils.images import contact_sheet, save_image
from mmpe.utils.progress import ProgressBar
from mmpe.utils.tables import markdown_table
from mmpe.zoo import root

HEADS = {
    'zero-pad': 'implicit positions (zero padding)',
    'interp-pad': 'no positions (no padding)',
    'csg': 'CSG',
    'spe-dim8': 'SPE'
}
NUM_MEASURED = 16

Row = List[Tuple[str, np.ndarray]]


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(
        __doc__,
        Argument(
            'image', nargs='?',
            help='photograph (default: one of scikit-image)'),
        OUT_DIR.but(
            default='positions_out',
            help='folder for trainings and results'),
        NUM.but(default=3, help='samples of each kind on the sheet'),
        Argument(
            '--widen',
            type=at_least(0.1, kind=float),
            default=1.5,
            help='width of the wider samples, as a multiple'),
        SEED.but(help='random seed of trainings and samples'),
        JOBS,
        CFG_OPTIONS.but(
            help='override settings of all trainings, e.g. '
            'model.iters_per_scale=1000 '
            'train_dataloader.dataset.max_size=160')).parse_args()


def train(image: str, args: argparse.Namespace) -> List[TrainingResult]:
    """Train one model for each kind of positions."""
    configs = root() / 'configs/singan_fast'
    trainings = [
        plan_training(
            open_config(
                str(configs / f'singan_{head}_fast.py'), args.cfg_options),
            image, Path(args.out_dir, head), args.seed) for head in HEADS
    ]
    results = run_trainings(trainings, args.jobs)
    if any(result.status == 'failed' for result in results):
        sys.exit(summary_table(results))
    return results


def measure(sampler: SinGANSampler,
            args: argparse.Namespace) -> Tuple[Dict[str, dict], Row]:
    """Measure how well the layout is preserved; draw a row of the sheet."""
    height, width = sampler.size
    layout, row = {}, [('reconstruction', sampler.reconstruct())]
    for kind, size in (('sample', (height, width)),
                       ('wider', (height, round(args.widen * width)))):
        images = sampler.sample(max(NUM_MEASURED, args.num), size, args.seed)
        scores = [layout_correlation(x, sampler.photograph) for x in images]
        layout[f'{size[0]}x{size[1]}'] = dict(
            mean=round(float(np.mean(scores)), 3),
            deviation=round(float(np.std(scores)), 3))
        row += [(f'{kind}, layout {score:.2f}', image)
                for score, image in zip(scores[:args.num], images)]
    return layout, row


def compare(results: Sequence[TrainingResult],
            args: argparse.Namespace) -> Tuple[Dict[str, dict], np.ndarray]:
    """Measure each kind of positions; return the figures and the sheet."""
    figures, rows = {}, []
    for (head, title), result in ProgressBar(
            list(zip(HEADS.items(), results)), 'Models'):
        sampler = load(result.config, result.checkpoint)
        if not rows:
            rows.append([('photograph', sampler.photograph)])
        layout, row = measure(sampler, args)
        kept = ', '.join(f'{x["mean"]:.2f} at {size}'
                         for size, x in layout.items())
        # The heading gets its own row, as labels widen their column.
        blank = np.full((1, 1, 3), 255, np.uint8)
        rows += [[(f'{title}: layout {kept}', blank)], row]
        figures[head] = dict(
            psnr=result.psnr,
            layout=layout,
            config=result.config,
            checkpoint=result.checkpoint)
    return figures, contact_sheet(rows)


def table(figures: Dict[str, dict]) -> str:
    """The figures as a table."""
    sizes = figures['csg']['layout']
    rows = [['positions', 'PSNR', *(f'layout, {size}' for size in sizes)]]
    for head, x in figures.items():
        rows.append([head, f'{x["psnr"]:.1f}'] + [
            f'{x["layout"][size]["mean"]:.2f} ± '
            f'{x["layout"][size]["deviation"]:.2f}' for size in sizes
        ])
    return markdown_table(rows)


def main() -> None:
    """Run the command."""
    args = parse_args()
    folder = Path(args.out_dir)
    with one_line_errors():
        check_folder(folder)
        image = args.image or bundled_photograph(folder)
        try:
            figures, sheet = compare(train(image, args), args)
        except KeyboardInterrupt:
            sys.exit('Stopped. Run the same command again to continue.')
        with atomic_write(folder / 'figures.json') as temporary:
            temporary.write_text(json.dumps(figures, indent=2) + '\n')
        save_image(folder / 'sheet.png', sheet)
    print(table(figures))
    print(f'The contact sheet is {folder / "sheet.png"}, the figures are in '
          f'{folder / "figures.json"}')


if __name__ == '__main__':
    main()
