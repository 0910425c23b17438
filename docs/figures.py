"""Draw the figures of docs/positions.md; takes some ten seconds.

Example:
    python docs/figures.py --out-dir docs/positions
"""
import argparse
import tempfile
from pathlib import Path
from typing import Callable, Dict

import matplotlib
import numpy as np
import skimage.data
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

import mmpe  # noqa: F401  (lets MMagic be imported)
from mmpe.inference import load
from mmpe.models.layers import CartesianGrid, SinusoidalPositionalEmbedding
from mmpe.utils.files import atomic_write
from mmpe.utils.images import save_image
from mmpe.zoo import root

CELLS = 24, 36
CHANNELS = 32
DEPTHS = 1, 2, 4, 8
PLACES = {'corner': (0, 0), 'edge': (12, 0), 'middle': (12, 18)}
WIDER = 2.2
RED = '#e8590c'


def grid(encoding: nn.Module) -> Tensor:
    """The map (C, H, W) of an encoding."""
    return encoding.make_grid2d(*CELLS)[0]


@torch.no_grad()
def constant_through(num_layers: int, padding: str) -> Tensor:
    """What random 3x3 convolutions make of a constant map, (C, H, W)."""
    torch.manual_seed(0)
    x = torch.ones(1, CHANNELS, *CELLS)
    for _ in range(num_layers):
        layer = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1, bias=False,
                          padding_mode=padding)
        nn.init.kaiming_normal_(layer.weight, 0.2)
        x = nn.functional.leaky_relu(layer(x), 0.2)
        x = x / x.square().mean().sqrt()
    return x[0]


def distance(codes: Tensor, place: tuple) -> Tensor:
    """Distance (H, W) of all places' codes to that of one, at most 1."""
    y, x = place
    found = (codes - codes[:, y, x, None, None]).norm(dim=0)
    return found / found.max().clamp_min(1e-6)


def show(axes: Axes, picture: np.ndarray, title: str = '', **kwargs) -> None:
    """Draw a picture or map without ticks."""
    axes.imshow(picture, interpolation='nearest', **kwargs)
    axes.set(xticks=[], yticks=[], title=title)


def encodings() -> Figure:
    """CSG's two channels, and SPE's along x."""
    figure = Figure(figsize=(9, 3.6), layout='constrained')
    left, right = figure.subfigures(1, 2, width_ratios=(1, 3.4))
    left.suptitle('CSG')
    for axes, channel, name in zip(
            left.subplots(2), grid(CartesianGrid()), 'xy'):
        show(axes, channel, name, cmap='RdBu_r', vmin=-1, vmax=1)
    right.suptitle('SPE: the 8 channels of x')
    names = [f'{wave} {angle}' for wave in ('sin', 'cos')
             for angle in ('x', 'x / 22', 'x / 464', 'x / 10000')]
    for axes, channel, name in zip(
            right.subplots(2, 4).flat,
            grid(SinusoidalPositionalEmbedding(8)), names):
        show(axes, channel, name, cmap='RdBu_r', vmin=-1, vmax=1)
    return figure


def zero_padding() -> Figure:
    """How far the border is seen in a constant map, layer by layer."""
    figure = Figure(figsize=(9, 3.2), layout='constrained')
    rows = {'zero padding': 'zeros', 'mirroring': 'reflect'}
    for line, (name, padding) in zip(figure.subplots(2, len(DEPTHS)),
                                     rows.items()):
        line[0].set_ylabel(name)
        for axes, depth in zip(line, DEPTHS):
            codes = constant_through(depth, padding)
            middle = codes[:, 12, 18, None, None]
            change = (codes - middle).norm(dim=0) / middle.norm()
            title = f'{depth} layer{"s" * (depth > 1)}'
            show(axes, change, title if padding == 'zeros' else '',
                 cmap='magma', vmin=0, vmax=1)
    return figure


def similarity() -> Figure:
    """Which places have a code like that of one of them."""
    figure = Figure(figsize=(9, 7.4), layout='constrained')
    sources = {
        'zero padding,\n8 layers': constant_through(8, 'zeros'),
        'CSG': grid(CartesianGrid()),
        'SPE, 4 channels\nper axis': grid(SinusoidalPositionalEmbedding(4)),
        'SPE, 64 channels\nper axis': grid(SinusoidalPositionalEmbedding(64))
    }
    lines = figure.subplots(len(sources), len(PLACES))
    for line, (name, codes) in zip(lines, sources.items()):
        line[0].set_ylabel(name)
        for axes, place in zip(line, PLACES.values()):
            show(axes, distance(codes, place), cmap='magma', vmin=0, vmax=1)
            axes.plot(*place[::-1], 'o', markersize=9, color=RED,
                      markeredgecolor='white', clip_on=False)
    for axes, where in zip(lines[0], PLACES):
        axes.set_title(where)
    return figure


def wider() -> Figure:
    """A photograph's patches, drawn wider with and without positions."""
    configs = root() / 'configs' / 'patch_diffusion'
    with tempfile.TemporaryDirectory() as folder:
        path = save_image(Path(folder, 'rocket.png'), skimage.data.rocket())
        samplers = {
            name: load(configs / f'patch-diffusion_{name}.py', path,
                       max_size=200) for name in ('none', 'csg', 'spe')
        }
    height, width = samplers['csg'].size
    drawn = {
        'no positions': ('none', None),
        'CSG, stretched': ('csg', 'stretch'),
        'SPE': ('spe', 'extend'),
        'CSG, continued': ('csg', 'extend')
    }
    figure = Figure(figsize=(9, 2.9), layout='constrained')
    panels = figure.subplot_mosaic(
        [['photograph', 'no positions', 'CSG, stretched'],
         ['photograph', 'SPE', 'CSG, continued']],
        width_ratios=(1, WIDER, WIDER))
    show(panels['photograph'], samplers['csg'].photograph, 'photograph')
    for name, (sampler, growth) in drawn.items():
        picture, = samplers[sampler].sample(
            1, (height, int(WIDER * width)), seed=0, growth=growth)
        show(panels[name], picture, name)
    return figure


FIGURES: Dict[str, Callable[[], Figure]] = dict(
    encodings=encodings, similarity=similarity, wider=wider,
    zero_padding=zero_padding)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--out-dir', default='docs/positions', help='(default: %(default)s)')
    args = parser.parse_args()
    matplotlib.rcParams.update(matplotlib.rcParamsDefault)
    torch.set_num_threads(1)
    for name, draw in FIGURES.items():
        with atomic_write(Path(args.out_dir, f'{name}.png')) as path:
            draw().savefig(path, dpi=100, metadata=dict(Software=None))
    print(f'{len(FIGURES)} figures are in {args.out_dir}')


if __name__ == '__main__':
    main()
