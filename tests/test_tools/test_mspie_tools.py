"""tools/train.py and tools/test.py with all rows of StyleGAN2 and MS-PIE."""
import json
import os
import os.path as osp
import subprocess
import sys
from glob import glob

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmpe.checkpoint import read_checkpoint
from mmpe.registry import MODELS, build_from
from tests.test_evaluation.tiny import StandIn, save_images

from .conftest import ROOT

CONFIGS = osp.join(ROOT, 'configs/positional_encoding_in_gans')
ROWS = sorted(glob(osp.join(CONFIGS, '*stylegan2*')))
ROW_F = osp.join(
    CONFIGS, 'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py')
ROW_I = ROW_F.replace('config-f', 'config-i')
ROW_A = osp.join(CONFIGS, 'stylegan2_c2_8xb3-1100kiters_ffhq-256x256.py')
FIGURES = {
    'FID-50k/fid', 'FID-50k/mean', 'FID-50k/cov', 'PR-10k/precision',
    'PR-10k/recall'
}


def small(config):
    """Options for a network with few channels and images of 16 pixels."""
    options = [
        'model.generator.width=0.02', 'model.generator.style_channels=8',
        'model.generator.out_size=16', 'model.discriminator.width=0.02',
        'model.discriminator.in_size=16', 'train_dataloader.batch_size=2',
        'train_cfg.max_iters=6', 'default_hooks.checkpoint.interval=3',
        'default_hooks.logger.interval=2', 'model.loss_config.r1_interval=2',
        'model.loss_config.g_reg_interval=2'
    ]
    options += [
        f'{phase}_dataloader.{name}' for phase in ('train', 'val', 'test')
        for name in ('num_workers=0', 'persistent_workers=False')
    ]
    if 'mspie' in config:
        options.append('model.train_settings.num_upblocks=2')
    head = Config.fromfile(config).model.generator.get('head_pos_encoding')
    if head and head.type == 'SPE':
        options.append('model.generator.head_pos_encoding.embedding_dim=4')
    return options


def feature_options(network, num=6):
    """Options for few images, and a stand-in for both feature networks."""
    options = []
    for name in ('val_evaluator', 'test_evaluator'):
        for index in (0, 1):
            key = f'{name}.metrics.{index}'
            options += [f'{key}.fake_nums={num}', f'{key}.real_nums={num}']
        options += [
            f'{name}.metrics.0.inception_style=StyleGAN',
            f'{name}.metrics.0.inception_path={network}',
            f'{name}.metrics.1.vgg16_script={network}'
        ]
    return options


@pytest.fixture
def images(tmp_path):
    return save_images(tmp_path / 'images', 7, size=(64, 64))


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A TorchScript network; features are not kept in the home folder."""
    monkeypatch.setenv('HOME', str(tmp_path))
    path = tmp_path / 'network.pt'
    torch.jit.script(StandIn()).save(str(path))
    return path


@pytest.fixture
def train(run_tool, images, tmp_path):

    def run(config, *args, folder='work', data=images, options=()):
        run_tool('tools/train.py', config, '--work-dir', tmp_path / folder,
                 '--data-root', data, *args, '--cfg-options', *small(config),
                 f'experiment_name={np.random.default_rng().integers(2**60)}',
                 *options)
        return tmp_path / folder

    return run


@pytest.fixture
def test_tool(run_tool, images, network, tmp_path):

    def run(config, checkpoint, *args, options=()):
        run_tool('tools/test.py', config, checkpoint, '--work-dir',
                 tmp_path / 'test', '--data-root', images, *args,
                 '--cfg-options', *small(config), *feature_options(network),
                 f'experiment_name={np.random.default_rng().integers(2**60)}',
                 *options)
        return tmp_path / 'test'

    return run


def same(a, b):
    """Whether two (nested) states are equal to the last bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def sizes_of(config):
    """Sizes of a shrunk row: the real ones divided by 16."""
    if 'mspie' not in config:
        return [16]
    if '896' in config:
        return [16, 32, 56]
    return [16, 32, 64] if '1024' in config else [16, 24, 32]


@pytest.mark.parametrize('config', ROWS, ids=osp.basename)
def test_row(config, train, test_tool, tmp_path, capsys):
    """Train, resume exactly, sample at all scales, evaluate."""
    sizes = sizes_of(config)
    images = save_images(tmp_path / 'reals', 7, size=(sizes[-1], sizes[-1]))
    work = train(config, '--no-validate', data=images)
    assert str(work) in capsys.readouterr().out.splitlines()[-1]
    whole = read_checkpoint(work / 'iter_6.pth')
    train(
        config,
        '--no-validate',
        '--resume',
        work / 'iter_3.pth',
        data=images,
        folder='resumed')
    resumed = read_checkpoint(tmp_path / 'resumed' / 'iter_6.pth')
    for part in ('state_dict', 'optimizer', 'random_states'):
        assert same(whole[part], resumed[part]), part

    with Image.open(work / 'samples' / 'iter_6.png') as sheet:
        assert sheet.height > sum(sizes) and sheet.width > 4 * sizes[-1]
    model = build_from(MODELS, Config.fromfile(next(work.glob('*.py'))).model)
    model.load_state_dict(whole['state_dict'])
    kwargs = [
        dict(chosen_scale=x) for x in getattr(model, 'multi_input_scales', [])
    ] or [{}]
    for size, scale in zip(sizes, kwargs):
        sample, = model.eval()(dict(num_batches=1, sample_kwargs=scale))
        assert sample.fake_img.shape == (3, size, size)

    folder = test_tool(config, work / 'iter_6.pth')
    results = json.loads((folder / 'results_iter_6.json').read_text())
    assert results['checkpoint'] == str(work / 'iter_6.pth')
    figures = results['results']
    assert set(figures) == FIGURES
    assert 0 < figures['FID-50k/fid'] < 1e6
    printed = capsys.readouterr().out
    assert f'FID-50k/fid: {figures["FID-50k/fid"]:.6g}' in printed
    assert str(folder / 'results_iter_6.json') in printed.splitlines()[-1]
