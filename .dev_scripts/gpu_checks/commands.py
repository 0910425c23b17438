"""``tools/train.py`` in this process, with small configs."""
import contextlib
import os
import os.path as osp
import runpy
import sys
from pathlib import Path
from typing import Dict, Iterator, Sequence
from unittest import mock

import numpy as np
import torch
from PIL import Image

from mmpe.checkpoint import read_checkpoint

from .core import Options
from .models import ROOT, config_file, photograph

__all__ = ['FAMILIES', 'runs_on', 'train', 'training_config', 'weights_of']

_MSPIE = """
_base_ = '{base}'
model = dict(
    generator=dict(
        out_size={size}, style_channels=16, width={width},
        head_pos_encoding=dict(embedding_dim={embedding})),
    discriminator=dict(in_size={size}, width={width}),
    loss_config=dict(r1_interval=2, g_reg_interval=2),
    train_settings=dict(
        num_upblocks={upblocks}, multi_input_scales=[0, 2],
        multi_scale_probability=[0.5, 0.5]))
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{images}'))
val_cfg = val_dataloader = val_evaluator = None
train_cfg = dict(max_iters=4)
default_hooks = dict(checkpoint=dict(
    _delete_=True, type='CheckpointHook', interval=2, by_epoch=False))
custom_hooks = {hooks}
"""
_SINGAN = """
_base_ = '{base}'
model = dict(num_scales=None, iters_per_scale=2)
train_dataloader = dict(
    dataset=dict(data_root='{photograph}', max_size={side}))
train_cfg = dict(max_iters=4)
default_hooks = dict(checkpoint=dict(interval=2))
custom_hooks = {hooks}
"""
FAMILIES = ('MS-PIE', 'SinGAN')


def training_config(family: str,
                    options: Options,
                    name: str,
                    hooks: Sequence[dict] = ()) -> Path:
    """Write a small config.

    Args:
        family: 'MS-PIE' or 'SinGAN'.
        options: Options of all checks.
        name: Name of the file; must be unique, as mmengine tells loggers apart
            by this name and the time in seconds.
        hooks: Custom hooks.
    """
    if family == 'MS-PIE':
        size, width = (16, 1 / 64) if options.small else (64, 1 / 8)
        text = _MSPIE.format(
            base=config_file(
                'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512'),
            size=size,
            width=width,
            embedding=int(256 * width),
            upblocks=int(np.log2(size)) - 2,
            images=_images(options, size * 3 // 2),
            hooks=list(hooks))
    else:
        side = 40 if options.small else 120
        text = _SINGAN.format(
            base=config_file('singan_spe-dim4_fish'),
            photograph=photograph(options, side),
            side=side,
            hooks=list(hooks))
    path = options.folder / f'{name}.py'
    path.write_text(text)
    return path


def _images(options: Options, size: int) -> Path:
    """Write a few images to a folder."""
    folder = options.folder / f'images_{size}'
    if not folder.is_dir():
        folder.mkdir()
        generator = np.random.default_rng(0)
        for index in range(6):
            image = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(image).save(folder / f'{index}.png')
    return folder


@contextlib.contextmanager
def runs_on(device: str) -> Iterator[None]:
    """Make mmengine's runners use a device."""
    with mock.patch('mmengine.device.utils.DEVICE', device):
        yield


def train(config: Path, *args: object) -> None:
    """Run ``tools/train.py``.

    Raises:
        RuntimeError: It exited with a code.
    """
    argv = ['tools/train.py', str(config), *map(str, args)]
    # Restore the global settings that the tool changes.
    deterministic = torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    with mock.patch.object(sys, 'argv', argv), mock.patch.dict(os.environ):
        try:
            runpy.run_path(osp.join(ROOT, argv[0]), run_name='__main__')
        except SystemExit as error:
            raise RuntimeError(error.code) from None
        finally:
            torch.use_deterministic_algorithms(deterministic)
            torch.backends.cudnn.benchmark = benchmark


def weights_of(path: Path) -> Dict[str, torch.Tensor]:
    """Tensors of a checkpoint's state dict."""
    return {
        key: value
        for key, value in read_checkpoint(path)['state_dict'].items()
        if isinstance(value, torch.Tensor)
    }
