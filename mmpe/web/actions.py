"""What can be drawn in the page."""
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

from mmpe.inference.stylegan2 import NUM_COARSE, TRUNCATIONS
from .action import Action, Call, Calls, Model, Name, call

__all__ = [
    'FACE_KINDS', 'animate', 'edit', 'enlarge', 'faces', 'layout', 'paint',
    'resize', 'sample', 'tiled'
]

Size = Tuple[int, int]
PHOTOGRAPHS, FACES = 'sinGAN_manipulation.py', 'mspie_sampling.py'
FACE_KINDS = 'random', 'truncation', 'mixing', 'sizes', 'interpolation'
TILE = 256


# --------------------------------------------------------------- photographs
def layout(model: Model, edits: Path, num: int = 0, seed: int = 0) -> Action:
    """Draw the edits of a file, and ``num`` variants."""
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
    """Draw random pictures."""
    names = [f'sample_{x}.png' for x in range(seed, seed + num)]
    options = _sample_options(model, num, seed, size, growth, start_scale)
    drawn = call(
        'sampler.sample',
        num=num,
        size=size,
        seed=seed,
        start_scale=start_scale,
        growth=growth)
    return Action(model, PHOTOGRAPHS, options, [(names, drawn)])


def tiled(model: Model,
          folder: Path,
          seed: int,
          size: Size,
          growth: Optional[str] = None,
          start_scale: int = 0) -> Action:
    """Draw a picture that may be larger than the memory."""
    name = f'sample_{seed}.png'
    options = _sample_options(model, 1, seed, size, growth, start_scale)
    drawn = call(
        'sampler.draw_to_file',
        path=str(folder / name),
        size=size,
        seed=seed,
        tile=TILE,
        start_scale=start_scale,
        growth=growth)
    return Action(model, PHOTOGRAPHS, [*options, '--tile', TILE],
                  [([name], drawn)])


def _sample_options(model: Model, num: int, seed: int, size: Optional[Size],
                    growth: Optional[str], start_scale: int) -> List[Any]:
    return [
        'sample', *model.options, '--num', num, '--seed', seed,
        *_size_options(size, growth), '--start-scale', start_scale
    ]


def resize(model: Model,
           size: Size,
           growth: Optional[str] = None,
           num: int = 0,
           seed: int = 0) -> Action:
    """Draw the photograph at another size, and ``num`` variants."""
    options = ['resize', *model.options, *_size_options(size, growth)]
    options += ['--num', num, '--seed', seed]
    return Action(model, PHOTOGRAPHS, options, [
        ([f'resized{_suffix(x)}.png'],
         call('sampler.resize', size=size, growth=growth, seed=x))
        for x in [None, *range(seed, seed + num)]
    ])


def edit(model: Model, kind: str, image: Path, mask: Path,
         scales: Sequence[int], seed: int) -> Action:
    """Blend an edit in ('edit'), or harmonise an object ('harmonize')."""
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
    """Enlarge the photograph."""
    options = ['super-resolution', *model.options, '--factor', factor]
    return Action(
        model, PHOTOGRAPHS, options,
        [(['enlarged.png'], call('sampler.super_resolution', factor=factor))])


def animate(model: Model, frames: int, fps: float, alpha: float, beta: float,
            start_scale: int, seed: int) -> Action:
    """Animate the photograph."""
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


def _size_options(size: Optional[Size], growth: Optional[str]) -> List[Any]:
    return [
        *(['--size', *size] if size else []),
        *(['--positions', growth] if growth else [])
    ]


def _suffix(seed: Optional[int]) -> str:
    return '' if seed is None else f'_{seed}'


# ---------------------------------------------------------------------- faces
def faces(model: Model, kind: str, num: int, seed: int, size: Size,
          truncation: float, steps: int, sizes: Sequence[Size]) -> Action:
    """Draw with a StyleGAN2 or MS-PIE model.

    Args:
        model: Config and checkpoint.
        kind: One of ``FACE_KINDS``.
        num: Pictures per row.
        seed: Seed of the first picture.
        size: (H, W) in pixels.
        truncation: From 0, the mean picture, to 1, no truncation.
        steps: Frames from one picture to the next.
        sizes: Training sizes of the model.
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
            sizes: Sequence[Size]) -> Calls:
    names = [f'random_{x}.png' for x in range(seed, seed + num)]
    return [(names, _draw(num, seed, size, truncation))]


def _truncation(num: int, seed: int, size: Size, truncation: float, steps: int,
                sizes: Sequence[Size]) -> Calls:
    return [([f'truncation_{x:g}.png'], _draw(1, seed, size, x))
            for x in TRUNCATIONS]


def _mixing(num: int, seed: int, size: Size, truncation: float, steps: int,
            sizes: Sequence[Size]) -> Calls:
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
           sizes: Sequence[Size]) -> Calls:
    return [([f'size_{x[0]}x{x[1]}.png'], _draw(1, seed, x, truncation))
            for x in sorted({*sizes, size})]


def _interpolation(num: int, seed: int, size: Size, truncation: float,
                   steps: int, sizes: Sequence[Size]) -> Calls:
    return [(['interpolation.gif'],
             call(
                 'sampler.interpolate',
                 seeds=range(seed, seed + num),
                 steps=steps,
                 size=size,
                 truncation=truncation))]
