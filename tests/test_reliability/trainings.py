"""Small trainings by the public commands, in seconds each."""
import os.path as osp
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

import numpy as np
from PIL import Image

ROOT = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))
TRAIN = osp.join(ROOT, 'tools', 'train.py')
DEMO = osp.join(ROOT, 'demo', 'sinGAN_manipulation.py')
_SINGAN = osp.join(ROOT, 'configs/positional_encoding_in_gans',
                   'singan-csg_fish.py')
_FAST = osp.join(ROOT, 'configs/singan_fast/singan_csg_fast.py')
_MSPIE = osp.join(ROOT, 'configs/mspie_small/mspie_spe_32-48-64.py')
_FEW_CHANNELS = [
    f'model.{network}.{name}=8' for network in ('generator', 'discriminator')
    for name in ('base_channels', 'min_feat_channels')
]
# Iterations of SinGAN for each that a scale asks for: three updates of each
# network in a round.
_ROUND = 3


@dataclass(frozen=True)
class Training:
    """A training that a command starts, and goes on with.

    Attributes:
        script: Path of the command.
        args: What follows it the first time.
        resume: What is added when it goes on.
        folder: Where its checkpoints are.
    """

    script: str
    args: List[str]
    resume: List[str]
    folder: Path


def write_images(folder: Path) -> Dict[str, Path]:
    """A photograph, and a folder of images.

    Args:
        folder: Where they are written.

    Returns:
        Their paths, as 'photograph' and 'images'.
    """
    random = np.random.default_rng(0)
    paths = dict(photograph=folder / 'photograph.png',
                 images=folder / 'images')
    paths['images'].mkdir(parents=True)
    sizes = {paths['photograph']: (40, 52, 3)}
    sizes.update((paths['images'] / f'{i}.png', (64, 64, 3)) for i in range(7))
    for path, size in sizes.items():
        image = random.integers(0, 256, size, dtype=np.uint8)
        Image.fromarray(image).save(path)
    return paths


def singan(photograph: Path,
           folder: Path,
           iterations: int = 6,
           max_size: int = 48,
           interval: int = 7) -> Training:
    """A row of SinGAN by tools/train.py.

    Args:
        photograph: Its path.
        folder: The work dir.
        iterations: Iterations of a scale; a multiple of 3.
        max_size: Long side of the last scale; 40 makes three scales.
        interval: Iterations between checkpoints.
    """
    return _by_tool(
        _SINGAN, photograph, folder, interval, _FEW_CHANNELS, [
            f'model.iters_per_scale={iterations // _ROUND}',
            'model.num_scales=None',
            f'train_dataloader.dataset.max_size={max_size}'
        ])


def fast_singan(photograph: Path,
                folder: Path,
                iterations: int = 6,
                max_size: int = 50,
                interval: int = 4) -> Training:
    """The SinGAN that the demo trains, with all of its hooks."""
    return _by_tool(
        _FAST, photograph, folder, interval, _FEW_CHANNELS, [
            f'model.iters_per_scale={iterations}',
            f'train_dataloader.dataset.max_size={max_size}'
        ])


def mspie(images: Path,
          folder: Path,
          iterations: int = 14,
          interval: int = 4) -> Training:
    """MS-PIE at three sizes by tools/train.py, with sheets of samples."""
    options = [
        'model.generator.width=0.02', 'model.generator.style_channels=8',
        'model.generator.out_size=16', 'model.discriminator.width=0.02',
        'model.discriminator.in_size=16',
        'model.train_settings.num_upblocks=2',
        'model.generator.head_pos_encoding.embedding_dim=4',
        'model.loss_config.r1_interval=2',
        'model.loss_config.g_reg_interval=2', 'train_dataloader.batch_size=2',
        f'train_cfg.max_iters={iterations}'
    ]
    return _by_tool(_MSPIE, images, folder, interval, options)


def demo(photograph: Path, folder: Path) -> Training:
    """The demo's `train`, of one photograph; the same command goes on."""
    config = photograph.with_name('small.py')
    config.write_text(f"""_base_ = [{_FAST!r}]
model = dict(iters_per_scale=6)
train_dataloader = dict(dataset=dict(max_size=40))
default_hooks = dict(checkpoint=dict(interval=4))
""")
    args = ['train', photograph, '--config', config, '--out-dir', folder]
    return Training(DEMO, [str(x) for x in args], [],
                    folder / photograph.stem)


def _by_tool(config: str, data: Path, folder: Path, interval: int,
             *options: List[str]) -> Training:
    args = [
        config, '--work-dir', folder, '--data-root', data, '--seed', 1,
        '--no-validate', '--cfg-options', *sum(options, []),
        f'default_hooks.checkpoint.interval={interval}',
        f'default_hooks.logger.interval={interval}',
        'default_hooks.checkpoint.max_keep_ckpts=2'
    ]
    return Training(TRAIN, [str(x) for x in args], ['--resume'], folder)
