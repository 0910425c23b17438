r"""Draw new pictures of one photograph: resize it, edit it, move things in it.

Without a command, the script draws a contact sheet from the patches of a
photograph (--image, or one that ships with scikit-image) within seconds and
without training. It then trains a small SinGAN on the photograph, which takes
a few minutes on two CPU cores, and draws a sheet with it; --no-train skips
this. `COMMAND --help` describes each command.

MODEL is a photograph, whose patches are the model; a folder written by `train`
or by the quick start; a config followed by its checkpoint (or by a photograph,
see configs/patch_diffusion); or the name of a released row.

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
import os.path as osp
import sys
import textwrap
from typing import Callable, Dict, List, NamedTuple, Union

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.utils.arguments import (BATCH_SIZE, DEVICE, JOBS, MAX_SIZE, NUM,
                                  OUT_DIR, SEED, SIZE, TENSORBOARD, Argument,
                                  OneOf, at_least, make_parser)
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import check_folder

sys.path.insert(0, osp.dirname(osp.abspath(__file__)))
from manipulation import commands
from manipulation.arguments import (ANIMATION, CHECKPOINT, EDIT, FACTOR,
                                    IMAGE, LAYOUT, MODEL, MODELS, POSITIONS,
                                    START_SCALE, START_SCALES, TILES,
                                    TRAINED_SIZE, TRAINING, VARIANTS)


class Command(NamedTuple):
    """A command.

    Args:
        run: The function.
        help: What it does, in a few words.
        arguments: Its arguments, besides those of all commands.
        example: Arguments of an example.
        note: How photographs differ from trained models.
    """

    run: Callable[[argparse.Namespace], None]
    help: str
    arguments: List[Union[Argument, OneOf]]
    example: str = ''
    note: str = ''


QUICK_START = Command(commands.quick_start, '', [
    IMAGE,
    NUM.but(default=3, help='samples per size'),
    Argument(
        '--no-train',
        action='store_true',
        help='stop after the first sheet, before any training'),
    TRAINED_SIZE.but(
        help='reduce larger photographs to this long side, from 32 to 1024 '
        '(default: 250 for the patches, the value in the config for the '
        'training)'), *TRAINING
])
COMMANDS: Dict[str, Command] = {
    'train': Command(
        commands.train, 'train a model on each photograph', [
            Argument('images', nargs='+', help='photographs'), TRAINED_SIZE,
            *TRAINING,
            JOBS.but(help='photographs to train on at the same time'),
            Argument(
                '--dask',
                metavar='ADDRESS',
                help='train on a Dask cluster: address of its scheduler, or '
                'the file that the scheduler wrote (see docs/clusters.md)'),
            TENSORBOARD.but(
                help='log losses, metrics and images per scale for '
                '`tensorboard --logdir OUT_DIR`')
        ], 'photos/*.jpg --out-dir out --jobs 2 --max-size 200'),
    'sample': Command(
        commands.sample, 'draw random images of any size', [
            *MODELS,
            NUM.but(default=6),
            OneOf(SIZE, FACTOR), POSITIONS, START_SCALE, BATCH_SIZE, *TILES
        ], 'photo.jpg --num 6 --size 200 400',
        'From a photograph, each image is a new arrangement of its parts, '
        'also of parts that never meet in it. A trained SinGAN draws faster.'),
    'resize': Command(
        commands.resize, 'draw the photograph at another size', [
            *MODELS,
            OneOf(SIZE, FACTOR, required=True), POSITIONS, VARIANTS, *TILES
        ], 'photo.jpg --factor 1 1.5 --positions centre',
        'From a photograph without a seed, "centre" and "extend" keep its '
        'pixels and continue beyond them. A single large object may appear '
        'twice in much wider images.'),
    'layout': Command(
        commands.layout, 'move, scale, repeat or remove things by their '
        'positions', [
            *MODELS,
            OneOf(SIZE, FACTOR), POSITIONS, *LAYOUT, VARIANTS
        ], 'photo.jpg --region 20 40 70 60 --shift 0 -25',
        'From a photograph, a moved part keeps its pixels, and only its edges '
        'and the hole it leaves are drawn. Variants redraw everything else.'),
    'edit': Command(
        commands.edit, 'blend a rough edit into the photograph', EDIT,
        'photo.jpg --image edited.png --mask mask.png'),
    'harmonize': Command(
        commands.edit, 'give a pasted object the style of the photograph',
        EDIT, 'out/painting --image pasted.png --mask mask.png',
        'From a photograph, an object with colours or shapes that it does not '
        'contain is lost at coarse scales and redrawn from its patches.'),
    'paint': Command(
        commands.paint, 'turn a painting with flat colours into a photograph',
        [
            *MODELS,
            IMAGE.but(required=True, help='the painting'), START_SCALES,
            Argument(
                '--colours',
                type=int,
                default=32,
                help='number of colours of the photograph that the painting '
                'is mapped to; 0 keeps its own')
        ], 'out/photo --image clipart.png --start-scale 1 2'),
    'super-resolution': Command(
        commands.super_resolution, 'enlarge an image and add detail', [
            MODEL.but(
                nargs='?',
                help='photograph, folder of a training, config, or name of a '
                'row (default: train a model on --image)'), CHECKPOINT,
            MAX_SIZE,
            IMAGE.but(help='image to enlarge (default: the training image)'),
            Argument(
                '--factor',
                type=at_least(1, 64, float),
                default=4,
                help='factor of height and width, above 1 and at most 64'),
            *TRAINING
        ], 'out/photo --factor 4',
        'From a photograph, edges get sharper by examples in the image '
        'itself, without new texture. A trained SinGAN adds new texture.'),
    'animate': Command(
        commands.animate, 'animate the photograph (GIF and MP4)', [
            *MODELS, *ANIMATION,
            START_SCALE.but(default=1, help='first scale that moves')
        ], 'out/photo --frames 60 --start-scale 2',
        'A photograph moves by swaying its positions and the pixels with '
        'them; a trained SinGAN also changes what it draws.'),
}


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    script, *rest = sys.argv
    name = rest[0] if rest and not rest[0].startswith('-') else None
    command = QUICK_START if name is None else COMMANDS.get(name)
    lines = [f'    {x:<18}{COMMANDS[x].help}' for x in COMMANDS]
    text = __doc__ + '\nCommands:\n' + '\n'.join(lines)
    prog, folder = osp.basename(script), 'singan_out'
    if command is None:
        make_parser(text, prog=prog).error(
            f'invalid command {name!r} (choose from {", ".join(COMMANDS)})')
    if name is not None:
        rest, prog, folder = rest[1:], f'{prog} {name}', f'{folder}/{name}'
        text = (f'{command.help[0].upper()}{command.help[1:]}.\n\nExample:\n'
                f'    python demo/sinGAN_manipulation.py {name} '
                f'{command.example}\n\n{textwrap.fill(command.note, 78)}')
    parser = make_parser(text, *command.arguments,
                         OUT_DIR.but(default=folder), SEED, DEVICE, prog=prog)
    return parser.parse_args(
        rest, argparse.Namespace(command=name, run=command.run))


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        check_folder(args.out_dir)
        args.run(args)


if __name__ == '__main__':
    main()
