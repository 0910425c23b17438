"""What the page can do: as a call, as a command, and as Python to copy."""
import math
import os.path as osp
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from mmengine.config import Config

from mmpe.inference.edits import read_edits
from mmpe.inference.inputs import read_mask, read_rgb
from mmpe.inference.stylegan2 import NUM_COARSE, TRUNCATIONS
from mmpe.utils.command_line import open_config
from mmpe.utils.images import save_gif, save_image, save_mp4
from mmpe.zoo import root

__all__ = [
    'Action', 'Model', 'animate', 'edit', 'enlarge', 'faces', 'layout',
    'paint', 'resize', 'sample', 'settings_of', 'tiled', 'train_command',
    'train_config', 'train_lines'
]

Size = Tuple[int, int]
PHOTOGRAPHS, FACES = 'sinGAN_manipulation.py', 'mspie_sampling.py'
FACE_KINDS = 'random', 'truncation', 'mixing', 'sizes', 'interpolation'
_CONFIG = 'configs/singan_fast/singan_csg_fast.py'
TILE = 256


class Model(NamedTuple):
    """What :func:`mmpe.inference.load` is asked for.

    Args:
        path: Photograph, folder of a training, or config.
        checkpoint: Checkpoint that belongs to a config.
        max_size: Long side to which a photograph is reduced.
    """

    path: str
    checkpoint: Optional[str] = None
    max_size: Optional[int] = None

    @property
    def options(self) -> List[str]:
        """As the command line takes it."""
        options = [self.path]
        if self.checkpoint:
            options.append(self.checkpoint)
        if self.max_size:
            options += ['--max-size', str(self.max_size)]
        return options


class Name(NamedTuple):
    """A name, such as ``sampler.size``."""

    name: str

    def __str__(self) -> str:
        return self.name

    def value(self, names: Dict[str, object]) -> object:
        """What it stands for."""
        first, *rest = self.name.split('.')
        value = names[first]
        for part in rest:
            value = getattr(value, part)
        return value


class Call(NamedTuple):
    """A call of a function, which is computed and shown from one source."""

    name: str
    options: Dict[str, object]

    def __str__(self) -> str:
        options = ', '.join(
            f'{name}={x if isinstance(x, (Call, Name)) else repr(x)}'
            for name, x in self.options.items())
        return f'{self.name}({options})'

    def value(self, names: Dict[str, object]) -> object:
        """What it gives."""
        function = Name(self.name).value(names)
        return function(
            **{
                name: x.value(names) if isinstance(x, (Call, Name)) else x
                for name, x in self.options.items()
            })


def call(name: str, **options) -> Call:
    """A call with those options that are not None."""
    return Call(name, {k: v for k, v in options.items() if v is not None})


_READERS = dict(read_edits=read_edits, read_mask=read_mask, read_rgb=read_rgb)
_MODULES = dict(
    read_edits='mmpe.inference',
    read_mask='mmpe.inference.inputs',
    read_rgb='mmpe.inference.inputs',
    save_gif='mmpe.utils.images',
    save_mp4='mmpe.utils.images')


@dataclass(frozen=True)
class Action:
    """Something that is drawn.

    Attributes:
        model: Who draws.
        script: Script of the demo.
        options: Its options, but for the folder of the results.
        calls: What is computed, with the names of the pictures that it gives.
        fps: Frames a second, where the pictures are an animation.
        film: Whether there is an MP4, too.
    """

    model: Model
    script: str
    options: List[str]
    calls: List[Tuple[List[str], Call]] = field(default_factory=list)
    fps: Optional[float] = None
    film: bool = False

    def command(self, folder: Path) -> str:
        """The command line that does the same.

        Args:
            folder: Folder of the results.
        """
        return command_line(self.script, self.options, folder)

    def lines(self, folder: Path) -> str:
        """The lines of Python that do the same.

        Args:
            folder: Folder of the results, for those that are files.
        """
        calls = [x for _, x in self.calls]
        text = '\n'.join(map(str, calls))
        lines = ['from mmpe.inference import load']
        used = {
            x: module
            for x, module in _MODULES.items()
            if f'{x}(' in text or self.fps and x == 'save_gif' or self.film
            and x == 'save_mp4'
        }
        for module in dict.fromkeys(used.values()):
            names = ', '.join(x for x in used if used[x] == module)
            lines.append(f'from {module} import {names}')
        lines += ['', f'sampler = {self.load}']
        if len(calls) == 1:
            name, one = ('frames' if self.fps else 'image'), str(calls[0])
            if self.fps:
                one = f'list({one})'
            elif len(self.calls[0][0]) > 1 or 'sample(' in one:
                name = 'images'
            lines.append(f'{name} = {one}')
        else:
            lines += ['images = [', *[f'    {x},' for x in calls], ']']
        if self.fps:
            lines += self._savers(folder)
        return '\n'.join(lines)

    @property
    def load(self) -> Call:
        """How the model is loaded."""
        return call(
            'load',
            row_or_config=self.model.path,
            checkpoint=self.model.checkpoint,
            max_size=self.model.max_size)

    def _savers(self, folder: Path) -> List[str]:
        (name, *_), _ = self.calls[0]
        gif = str(folder / name)
        lines = [f'save_gif({gif!r}, frames, seconds=1 / {self.fps!r})']
        if self.film:
            film = str(folder / name.replace('.gif', '.mp4'))
            lines.append(f'save_mp4({film!r}, frames, fps={self.fps!r})')
        return lines

    def run(self, sampler: object, folder: Path) -> Iterator[Path]:
        """Draw.

        Args:
            sampler: The model.
            folder: Folder of the results.

        Yields:
            The files, as soon as they are written.

        Raises:
            OSError: A file cannot be written.
            ValueError: See the methods of the sampler.
        """
        for names, step in self.calls:
            value = step.value(dict(_READERS, sampler=sampler))
            if self.fps:
                yield from self._save_frames(list(value), folder / names[0])
            elif isinstance(value, Path):  # written in tiles
                yield value
            else:
                images = [value] if isinstance(value, np.ndarray) else value
                if isinstance(images[0], list):  # a table
                    images = sum(images, [])
                for name, image in zip(names, images):
                    yield save_image(folder / name, image)

    def _save_frames(self, frames: List[np.ndarray],
                     path: Path) -> Iterator[Path]:
        yield save_gif(path, frames, 1 / self.fps)
        if self.film:
            yield save_mp4(path.with_suffix('.mp4'), frames, self.fps)


def command_line(script: str, options: Sequence[object],
                 folder: Path) -> str:
    """A command of the demo, to be copied.

    Args:
        script: Name of the script.
        options: Its options.
        folder: Folder of the results.
    """
    path = osp.relpath(root() / 'demo' / script)
    words = [path, *map(str, options), '--out-dir', str(folder)]
    return shlex.join(['python', *words])


# --------------------------------------------------------------- photographs
def layout(model: Model, edits: Path, num: int = 0, seed: int = 0) -> Action:
    """Edits of a file; ``num`` variants beside the photograph itself."""
    read = Call('read_edits', dict(path=str(edits), size=Name('sampler.size')))
    options = ['layout', *model.options, '--edits', str(edits), '--num', num]
    seeds = [None, *range(seed, seed + num)]
    if num:
        options += ['--seed', seed]
    return Action(model, PHOTOGRAPHS, options, [
        ([f'layout{_suffix(x)}.png'], call(
            'sampler.layout', edits=read, seed=x)) for x in seeds
    ])


def sample(model: Model,
           num: int,
           seed: int,
           size: Optional[Size] = None,
           growth: Optional[str] = None,
           start_scale: int = 0) -> Action:
    """Random pictures."""
    options = ['sample', *model.options, '--num', num, '--seed', seed]
    options += _size_options(size, growth)
    options += ['--start-scale', start_scale]
    names = [f'sample_{x}.png' for x in range(seed, seed + num)]
    return Action(model, PHOTOGRAPHS, options, [
        (names,
         call(
             'sampler.sample',
             num=num,
             size=size,
             seed=seed,
             start_scale=start_scale,
             growth=growth))
    ])


def tiled(model: Model,
          folder: Path,
          seed: int,
          size: Size,
          growth: Optional[str] = None,
          start_scale: int = 0) -> Action:
    """One picture that need not fit into memory."""
    options = ['sample', *model.options, '--num', 1, '--seed', seed]
    options += _size_options(size, growth)
    options += ['--start-scale', start_scale, '--tile', TILE]
    return Action(model, PHOTOGRAPHS, options, [
        ([f'sample_{seed}.png'],
         call(
             'sampler.draw_to_file',
             path=str(folder / f'sample_{seed}.png'),
             size=size,
             seed=seed,
             tile=TILE,
             start_scale=start_scale,
             growth=growth))
    ])


def resize(model: Model,
           size: Size,
           growth: Optional[str] = None,
           num: int = 0,
           seed: int = 0) -> Action:
    """The photograph at another size, and variants."""
    options = ['resize', *model.options, *_size_options(size, growth)]
    options += ['--num', num, '--seed', seed]
    return Action(model, PHOTOGRAPHS, options, [
        ([f'resized{_suffix(x)}.png'],
         call('sampler.resize', size=size, growth=growth, seed=x))
        for x in [None, *range(seed, seed + num)]
    ])


def edit(model: Model, kind: str, image: Path, mask: Path,
         scales: Sequence[int], seed: int) -> Action:
    """Make an edit seamless ('edit'), or harmonise it ('harmonize')."""
    options = [kind, *model.options, '--image', image, '--mask', mask]
    options += ['--start-scale', *scales, '--seed', seed]
    return Action(model, PHOTOGRAPHS, options, [
        ([f'{kind}_scale{scale}.png'],
         call(
             f'sampler.{kind}',
             image=call('read_rgb', path=str(image)),
             mask=call('read_mask', path=str(mask)),
             start_scale=scale,
             seed=seed)) for scale in scales
    ])


def paint(model: Model, image: Path, scales: Sequence[int], seed: int,
          colours: int) -> Action:
    """Turn a painting into a photograph."""
    options = ['paint', *model.options, '--image', image]
    options += ['--start-scale', *scales, '--seed', seed]
    options += ['--colours', colours]
    return Action(model, PHOTOGRAPHS, options, [
        ([f'paint_scale{scale}.png'],
         call(
             'sampler.paint',
             image=call('read_rgb', path=str(image)),
             start_scale=scale,
             seed=seed,
             colours=colours)) for scale in scales
    ])


def enlarge(model: Model, factor: float) -> Action:
    """Super-resolution."""
    options = ['super-resolution', *model.options, '--factor', factor]
    return Action(
        model, PHOTOGRAPHS, options,
        [(['enlarged.png'], call('sampler.super_resolution', factor=factor))])


def animate(model: Model, frames: int, fps: float, alpha: float, beta: float,
            start_scale: int, seed: int) -> Action:
    """Let the photograph move."""
    options = ['animate', *model.options, '--frames', frames, '--fps', fps]
    options += ['--alpha', alpha, '--beta', beta]
    options += ['--start-scale', start_scale, '--seed', seed]
    walk = call(
        'sampler.animate',
        num_frames=frames,
        alpha=alpha,
        beta=beta,
        start_scale=start_scale,
        seed=seed)
    return Action(
        model,
        PHOTOGRAPHS,
        options, [(['animation.gif'], walk)],
        fps=fps,
        film=True)


def _size_options(size: Optional[Size], growth: Optional[str]) -> list:
    return [
        *(['--size', *size] if size else []),
        *(['--positions', growth] if growth else [])
    ]


def _suffix(seed: Optional[int]) -> str:
    return '' if seed is None else f'_{seed}'


# ------------------------------------------------------------------ trainings
def settings_of(rounds: int,
                max_size: Optional[int] = None) -> Dict[str, object]:
    """Settings of a training with so many rounds at each scale.

    Args:
        rounds: The number.
        max_size: Long side of the photograph, where it is a setting, too.
    """
    settings = {
        'model.iters_per_scale': rounds,
        'model.lr_scheduler_args.milestones': [math.ceil(0.8 * rounds)],
        'default_hooks.checkpoint.interval': rounds
    }
    if max_size is not None:
        settings['train_dataloader.dataset.max_size'] = max_size
    return settings


def train_config(max_size: int, rounds: int) -> Config:
    """Config of a training.

    Args:
        max_size: Long side of the photograph.
        rounds: Rounds at each scale.
    """
    return open_config(
        str(root() / _CONFIG), settings_of(rounds, max_size))


def train_command(photograph: Path, max_size: int, rounds: int, seed: int,
                  folder: Path) -> str:
    """The command line of a training.

    Args:
        photograph: The photograph.
        max_size: Its long side in the training.
        rounds: Rounds at each scale.
        seed: Random seed.
        folder: Folder in which the training has one of its own.
    """
    settings = [
        f'{name}={value}' for name, value in settings_of(rounds).items()
    ]
    return command_line(PHOTOGRAPHS, [
        'train', photograph, '--max-size', max_size, '--seed', seed,
        '--cfg-options', *settings
    ], folder)


def train_lines(photograph: str, max_size: int, rounds: int, seed: int,
                folder: Path) -> str:
    """Python that trains in a folder.

    Args:
        photograph: The photograph.
        max_size, rounds, seed: As for :func:`train_command`.
        folder: Folder of this training alone.
    """
    return '\n'.join([
        'from mmpe.engine.photographs import train_photograph',
        'from mmpe.utils.command_line import open_config', '',
        f'config = open_config({_CONFIG!r}, '
        f'{settings_of(rounds, max_size)!r})',
        f'train_photograph(config, {photograph!r}, {str(folder)!r}, '
        f'seed={seed})'
    ])


# ---------------------------------------------------------------------- faces
def faces(model: Model, kind: str, num: int, seed: int, size: Size,
          truncation: float, steps: int, sizes: Sequence[Size]) -> Action:
    """Pictures of a StyleGAN2 or MS-PIE model.

    Args:
        model: Config and checkpoint.
        kind: One of ``FACE_KINDS``.
        num: Pictures in a row.
        seed: Seed of the first one.
        size: (H, W) in pixels.
        truncation: From 0, the mean picture, to 1.
        steps: Frames from a picture to the next one.
        sizes: Sizes that the model was trained at.
    """
    options = [
        *model.options, '--only', kind, '--num', num, '--seed', seed, '--size',
        *size, '--truncation', truncation, '--steps', steps
    ]
    calls = dict(
        random=_random, truncation=_truncation, mixing=_mixing, sizes=_sizes,
        interpolation=_interpolation)[kind](num, seed, size, truncation, steps,
                                            sizes)
    fps = 15. if kind == 'interpolation' else None
    return Action(model, FACES, options, calls, fps)


def _draw(num: int, seed: int, size: Size, truncation: float) -> Call:
    return call(
        'sampler.sample', num=num, size=size, seed=seed, truncation=truncation)


def _random(num: int, seed: int, size: Size, truncation: float, steps: int,
            sizes: Sequence[Size]):
    names = [f'random_{x}.png' for x in range(seed, seed + num)]
    return [(names, _draw(num, seed, size, truncation))]


def _truncation(num: int, seed: int, size: Size, truncation: float, steps: int,
                sizes: Sequence[Size]):
    return [([f'truncation_{x:g}.png'], _draw(1, seed, size, x))
            for x in TRUNCATIONS]


def _mixing(num: int, seed: int, size: Size, truncation: float, steps: int,
            sizes: Sequence[Size]):
    fine = range(seed, seed + num)
    coarse = range(fine.stop, fine.stop + NUM_COARSE)
    mixed = call(
        'sampler.mix',
        coarse=coarse,
        fine=fine,
        size=size,
        truncation=truncation)
    return [([f'coarse_{x}.png' for x in coarse],
             _draw(NUM_COARSE, coarse.start, size, truncation)),
            ([f'mix_{x}+{y}.png' for x in coarse for y in fine], mixed)]


def _sizes(num: int, seed: int, size: Size, truncation: float, steps: int,
           sizes: Sequence[Size]):
    return [([f'size_{x[0]}x{x[1]}.png'], _draw(1, seed, x, truncation))
            for x in sorted({*sizes, size})]


def _interpolation(num: int, seed: int, size: Size, truncation: float,
                   steps: int, sizes: Sequence[Size]):
    return [(['interpolation.gif'],
             call(
                 'sampler.interpolate',
                 seeds=range(seed, seed + num),
                 steps=steps,
                 size=size,
                 truncation=truncation))]
