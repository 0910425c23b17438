"""Arguments of the commands of ``sinGAN_manipulation.py``."""
from pathlib import Path

from mmpe.engine.photographs import QUICK_CONFIG
from mmpe.functional.grids import GROWTHS
from mmpe.inference.layout import FLIPS
from mmpe.utils import arguments
from mmpe.utils.arguments import (CFG_OPTIONS, MAX_SIZE, NUM, SIZE, Argument,
                                  OneOf, at_least, positive)

MODEL = Argument(
    'model',
    metavar='MODEL',
    help='photograph, folder of a training, config, or name of a row')
CHECKPOINT = arguments.CHECKPOINT.but(
    nargs='?', help='path or URL of the checkpoint of a config')
MODELS = [MODEL, CHECKPOINT, MAX_SIZE]
IMAGE = Argument('--image', help='photograph (default: one of scikit-image)')
# Long sides of photographs that a model can be trained on.
TRAINED_SIZE = MAX_SIZE.but(
    type=at_least(32, 1024),
    help='reduce larger photographs to this long side, from 32 to 1024 '
    '(default: the value in the config)')
TRAINING = [
    Argument(
        '--config',
        default=str(Path(__file__).resolve().parents[2] / QUICK_CONFIG),
        help=f'config of the training (default: {QUICK_CONFIG})'),
    CFG_OPTIONS.but(
        help='override settings of the training, e.g. '
        'model.iters_per_scale=1000 train_dataloader.dataset.min_size=20')
]
FACTOR = SIZE.but(
    '--factor',
    type=positive,
    metavar=('FH', 'FW'),
    help='image size as factors of the training height and width')
POSITIONS = Argument(
    '--positions',
    choices=GROWTHS,
    help='explicit positions at another size: stretched, extended beyond the '
    'training size, extended on all sides, or tiled (default: stretch for '
    'CSG, extend for SPE, tile for models that `train` makes)')
TILES = [
    Argument(
        '--tile',
        type=at_least(1),
        metavar='PIXELS',
        help='draw tiles of this size straight to the file, so that memory '
        'does not grow with the image'),
    Argument(
        '--tile-format',
        choices=['png', 'tif'],
        default='png',
        help='file format with --tile')
]
VARIANTS = NUM.but(
    type=at_least(0),
    default=2,
    help='random variants besides the photograph itself')
START_SCALE = Argument(
    '--start-scale',
    type=int,
    default=0,
    help='first scale with random noise; coarser scales reconstruct the '
    'photograph')
START_SCALES = START_SCALE.but(
    default=None,
    nargs='+',
    metavar='SCALE',
    help='scales to insert the image at, from 1; coarse scales change more '
    '(default: each scale in turn)')
MASK = Argument(
    '--mask',
    required=True,
    help='image of the same size, white where it was changed')
EDIT = [
    *MODELS,
    IMAGE.but(required=True, help='the rough composite'), MASK, START_SCALES,
    Argument(
        '--dilation',
        type=at_least(0),
        help='pixels to grow the mask by, at the training size')
]
_ALPHA = Argument(
    '--alpha',
    type=at_least(0, 1, float),
    default=0.1,
    help='pull of the walk towards the photograph')
ANIMATION = [
    NUM.but('--frames', default=60, help='number of frames'),
    Argument('--fps', type=positive, default=12, help='frames per second'),
    _ALPHA,
    _ALPHA.but('--beta', default=0.9, help='smoothness of the walk')
]
LAYOUT = [
    OneOf(
        Argument(
            '--region',
            nargs=4,
            type=int,
            metavar=('TOP', 'LEFT', 'BOTTOM', 'RIGHT'),
            help='box in pixels of the output (default: everything)'),
        Argument(
            '--mask', help='image of the output size, white in the region'),
        Argument(
            '--edits',
            metavar='FILE',
            help='JSON file with several edits, as saved by demo/web.py, '
            'instead of the options from here to --displacement')),
    Argument(
        '--shift',
        nargs=2,
        type=float,
        metavar=('DOWN', 'RIGHT'),
        help='shift in pixels'),
    FACTOR.but(
        '--scale', type=float, help='scale factors of height and width'),
    Argument(
        '--rotate',
        type=float,
        metavar='DEGREES',
        help='counter-clockwise rotation'),
    Argument('--flip', choices=list(FLIPS), help='mirror the region'),
    Argument(
        '--keep',
        action='store_true',
        help='also keep the region in its place, so that it appears twice'),
    Argument(
        '--remove',
        action='store_true',
        help='remove the region and continue its surroundings'),
    Argument(
        '--feather',
        type=float,
        help='width of the soft edge in pixels (default: a cell of the '
        'coarsest scale, a quarter of one for models that `train` makes; 1 '
        'for a photograph)'),
    Argument(
        '--margin',
        type=float,
        help='pixels to grow the region by (default: four cells of the '
        'coarsest scale, one for models that `train` makes; 4 for a '
        'photograph)'),
    Argument(
        '--displacement',
        metavar='FILE',
        help='.npy (H, W, 2) or flow PNG (16 bits, as in KITTI) with the '
        'offset (right, down) of the position at each output pixel')
]
