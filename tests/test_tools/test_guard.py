"""Trainings of both families that break, are ended, or meet in a folder."""
import os
import os.path as osp
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmpe.checkpoint import read_checkpoint
from mmpe.engine import NotFiniteError, Terminated
from mmpe.engine.photographs import train_photograph
from mmpe.utils.locks import FolderInUseError
from tests.test_evaluation.tiny import save_images
from tests.test_utils.test_locks import holder  # noqa: F401
from tests.waiting import wait_for

from .conftest import ROOT, same

CONFIGS = osp.join(ROOT, 'configs/positional_encoding_in_gans')
# Config and options of a small training of each family.
SINGAN = osp.join(CONFIGS, 'singan-csg_fish.py'), [
    'model.iters_per_scale=4', 'model.generator.base_channels=8',
    'model.generator.min_feat_channels=8',
    'model.discriminator.base_channels=8',
    'model.discriminator.min_feat_channels=8',
    'train_dataloader.dataset.max_size=48', 'model.num_scales=None'
]
MSPIE = osp.join(
    CONFIGS,
    'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py'), [
        'model.generator.width=0.02', 'model.generator.style_channels=8',
        'model.generator.out_size=16', 'model.discriminator.width=0.02',
        'model.discriminator.in_size=16', 'train_dataloader.batch_size=2',
        'model.generator.head_pos_encoding.embedding_dim=4',
        'model.loss_config.r1_interval=2',
        'model.loss_config.g_reg_interval=2',
        'model.train_settings.num_upblocks=2',
        'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False', 'train_cfg.max_iters=36'
    ]


@pytest.fixture(params=['SinGAN', 'MS-PIE'])
def train(request, run_tool, photograph, tmp_path):
    """Train with checkpoints after 4 iterations, and so on."""
    config, options = dict(SinGAN=SINGAN, **{'MS-PIE': MSPIE})[request.param]
    data = photograph if request.param == 'SinGAN' else save_images(
        tmp_path / 'images', 6)

    def arguments(*extra,
                  hook='BreakHook',
                  folder='work',
                  before=(),
                  **hook_args):
        wrapper = tmp_path / f'{hook}.py'
        wrapper.write_text(
            f'_base_ = {config!r}\n'
            f'custom_hooks = [{dict(type=hook, **hook_args)}]\n'
            "custom_imports = dict(imports=['tests.hooks'])\n")
        return [
            wrapper, '--work-dir', tmp_path / folder, '--data-root', data,
            *(['--no-validate'] if request.param == 'MS-PIE' else []),
            '--seed', '1', *before, '--cfg-options', *options,
            'default_hooks.checkpoint.interval=4',
            'default_hooks.logger.interval=3',
            f'experiment_name={np.random.default_rng().integers(2**60)}',
            *extra
        ]

    def run(*extra, **kwargs):
        run_tool('tools/train.py', *arguments(*extra, **kwargs))
        return tmp_path / kwargs.get('folder', 'work')

    run.arguments = arguments
    return run


def assert_same(one, two):
    one, two = read_checkpoint(one), read_checkpoint(two)
    for part in ('state_dict', 'optimizer', 'random_states'):
        assert same(one[part], two[part]), part


def test_exploding_weights(train, tmp_path, capfd):
    """The good checkpoint stays; a rollback mends it; too few do not."""
    good = train('train_cfg.max_iters=4', folder='good', at=99, times=0)
    capfd.readouterr()
    work = tmp_path / 'work'
    with pytest.raises(SystemExit) as error:
        train('train_cfg.rollbacks=1', at=5, times=2)
    assert '\n' not in str(error.value)
    assert str(error.value).startswith('NotFiniteError: `')
    assert str(error.value).endswith(
        f'The last good checkpoint is {work / "iter_4.pth"}')
    assert capfd.readouterr().err.count('(rollback 1 of 1)') == 1
    assert [x.name for x in work.glob('*.pth')] == ['iter_4.pth']
    assert_same(work / 'iter_4.pth', good / 'iter_4.pth')
    assert (work / 'last_checkpoint').read_text() == str(work / 'iter_4.pth')

    work = train('train_cfg.rollbacks=2', folder='mended', at=5, times=2)
    assert capfd.readouterr().err.count(' of 2)') == 2
    last = read_checkpoint(work / 'iter_36.pth')
    assert all(
        torch.isfinite(value).all() for value in last['state_dict'].values()
        if isinstance(value, torch.Tensor))
    assert last['message_hub']['runtime_info']['rollbacks'] == 2


def test_folder_of_another_training(
        train, holder, tmp_path):  # noqa: F811
    """It is refused before anything is written."""
    with pytest.raises(SystemExit) as error:
        train(folder='locked', at=99, times=0)
    assert str(error.value).startswith(
        f"FolderInUseError: '{tmp_path / 'locked'}' is in use by process "
        f'{holder.pid} on ')
    assert [x.name for x in (tmp_path / 'locked').iterdir()] == ['.lock']


@pytest.mark.slow
def test_sigterm(train, tmp_path):
    """All processes of the group get it, as torchrun sends it."""
    work, log = tmp_path / 'work', tmp_path / 'log'
    command = [
        sys.executable,
        osp.join(ROOT, 'tools/train.py'),
        *train.arguments('train_dataloader.num_workers=1', hook='WaitHook',
                         file=str(tmp_path / 'go'))
    ]
    environment = dict(os.environ, PYTHONPATH=ROOT, OMP_NUM_THREADS='1')
    with open(log, 'w') as file:
        job = subprocess.Popen(
            list(map(str, command)),
            env=environment,
            start_new_session=True,
            stdout=file,
            stderr=file)
    try:
        wait_for((work / 'iter_4.pth').exists, job)
        os.killpg(job.pid, signal.SIGTERM)
        (tmp_path / 'go').touch()
        assert job.wait(timeout=600) == 75, log.read_text()[-2000:]
    finally:
        job.kill()
    last = (work / 'last_checkpoint').read_text()
    assert log.read_text().count('SIGTERM: stopped after') == 1
    assert f'can be resumed from {last}' in log.read_text()
    assert last != str(work / 'iter_36.pth')
    train(before=['--resume'], at=99, times=0)
    whole = train(folder='whole', at=99, times=0)
    assert_same(work / 'iter_36.pth', whole / 'iter_36.pth')


@pytest.fixture
def learn(photograph, tmp_path):
    """Train what the demo trains, with a hook beside its own."""

    def run(folder, rollbacks=0, **hook):
        config = Config.fromfile(
            osp.join(ROOT, 'configs/singan_fast/singan_csg_fast.py'))
        config.merge_from_dict({
            'model.iters_per_scale': 6,
            **{
                f'model.{network}.{name}_channels': 8
                for network in ('generator', 'discriminator')
                for name in ('base', 'min_feat')
            },
            'train_dataloader.dataset.max_size': 40,
            'default_hooks.checkpoint.interval': 4,
            'train_cfg.rollbacks': rollbacks,
            'custom_imports': dict(imports=['tests.hooks'])
        })
        config.custom_hooks = [*config.custom_hooks, *([hook] if hook else [])]
        return train_photograph(config, photograph, tmp_path / folder)

    return run


def test_demo_is_ended_and_goes_on(learn, tmp_path, capfd):
    with pytest.raises(Terminated):
        learn('out', type='SignalHook', at=5)
    assert 'SIGTERM: stopped after iteration 6. ' in capfd.readouterr().err
    assert not (tmp_path / 'out' / 'result.json').exists()
    assert_same(learn('out'), learn('whole'))


def test_demo_is_not_finite_and_tries_again(learn, tmp_path, capfd):
    broken = dict(type='BreakHook', at=5, times=1)
    with pytest.raises(NotFiniteError, match='iter_4.pth'):
        learn('out', **broken)
    # The same folder, with rollbacks.
    last = learn('out', rollbacks=1, **broken)
    assert '(rollback 1 of 1)' in capfd.readouterr().err
    assert last.name == 'iter_12.pth'


def test_demo_in_a_folder_that_is_in_use(learn, holder):  # noqa: F811
    with pytest.raises(FolderInUseError):
        learn('locked')
