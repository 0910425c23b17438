"""The launching scripts, with processes on the CPU that speak gloo."""
import json
import os
import os.path as osp
import re
import signal
import subprocess
import sys

import pytest
import torch

from mmpe.checkpoint import read_checkpoint
from mmpe.utils.locks import FolderLock
from tests.test_evaluation.tiny import StandIn, save_images
from tests.waiting import wait_for
from .conftest import ROOT

# Row config-f with few channels, at 16 and 24 pixels.
MSPIE = """
_base_ = '{row}'
model = dict(
    generator=dict(
        out_size=16, style_channels=8, num_mlps=2, width=1 / 64,
        head_pos_encoding=dict(embedding_dim=4)),
    discriminator=dict(in_size=16, width=1 / 64),
    ema_config=dict(momentum=0.1),
    loss_config=dict(r1_interval=2, g_reg_interval=2),
    train_settings=dict(
        num_upblocks=2, multi_input_scales=[0, 2],
        multi_scale_probability=[0.5, 0.5]))
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{images}'))
test_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False,
    dataset=dict(data_root='{images}'))
test_evaluator = dict(metrics=[dict(
    type='FrechetInceptionDistance', fake_nums=7, real_nums=5,
    inception_style='StyleGAN', inception_path='{network}')])
train_cfg = dict(max_iters=4)
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(interval=2))
custom_hooks = [
    dict(type='CheckHook'), dict(type='SampleSheetHook'),
    dict(type='DumpHook', folder='{dumps}')]
custom_imports = dict(imports=['dump_hook'])
"""
# What each rank ends with, and ways to slow a training down and to spoil it in
# rank 1.
HOOK = """
import time
import torch
from mmengine.dist import get_rank, get_world_size
from mmengine.hooks import Hook
from mmpe.registry import HOOKS
from mmpe.utils.wrappers import unwrap

@HOOKS.register_module()
class DumpHook(Hook):
    def __init__(self, folder, pause=0, spoil=-1):
        self.folder, self.pause, self.losses = folder, pause, []
        self.spoil = spoil

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if (runner.iter == self.spoil and get_rank() == 1
                and not runner.message_hub.get_info('rollbacks', 0)):
            for value in unwrap(runner.model).generator.parameters():
                value.data.fill_(float('nan'))

    def after_train_iter(self, runner, batch_idx, data_batch=None,
                         outputs=None):
        time.sleep(self.pause)
        self.losses.append(float(outputs['loss_disc_fake']))

    def after_train(self, runner):
        torch.save(
            dict(state=unwrap(runner.model).state_dict(), losses=self.losses),
            f'{self.folder}/{get_rank()}_of_{get_world_size()}.pt')
"""
ROWS = osp.join(ROOT, 'configs/positional_encoding_in_gans')
SMALL = [
    'model.iters_per_scale=2', 'model.generator.base_channels=8',
    'model.generator.min_feat_channels=8',
    'model.discriminator.base_channels=8',
    'model.discriminator.min_feat_channels=8',
    'train_dataloader.dataset.max_size=32', 'model.num_scales=None',
    'default_hooks.checkpoint.interval=9'
]


@pytest.fixture
def environment(tmp_path):
    """Variables of a process: one thread, this machine alone."""
    (tmp_path / 'dump_hook.py').write_text(HOOK)
    return dict(
        os.environ,
        PATH=osp.dirname(sys.executable) + os.pathsep + os.environ['PATH'],
        PYTHONPATH=os.pathsep.join([ROOT, str(tmp_path)]),
        HOME=str(tmp_path),
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='',
        GLOO_SOCKET_IFNAME='lo')


@pytest.fixture
def mspie(tmp_path):
    """A config, and images to train on."""
    network = tmp_path / 'network.pt'
    torch.jit.script(StandIn()).save(str(network))
    config = tmp_path / 'mspie.py'
    config.write_text(
        MSPIE.format(
            row=osp.join(
                ROWS, 'mspie-stylegan2-config-f_c2_8xb3-1100kiters_'
                'ffhq-256-512.py'),
            images=save_images(tmp_path / 'images', 6),
            network=network,
            dumps=tmp_path))
    return config


@pytest.fixture
def launch(environment, tmp_path):
    """Run one of the scripts to its end, in bounded time."""

    def run(script, *args, fails=False, **variables):
        result = subprocess.run(
            [osp.join(ROOT, 'tools', script), *map(str, args)],
            cwd=tmp_path,
            env=dict(environment, **variables),
            timeout=600,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        assert (result.returncode != 0) == fails, result.stdout[-3000:]
        return result

    return run


def load(path):
    return torch.load(path, weights_only=True)


def assert_equal(one, two):
    assert one.keys() == two.keys()
    for name, value in one.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, two[name]), name
        elif isinstance(value, dict):
            assert_equal(value, two[name])
        elif isinstance(value, list):
            assert_equal(dict(enumerate(value)), dict(enumerate(two[name])))
        else:
            assert value == two[name], name


@pytest.mark.slow
def test_mspie_trains_and_goes_on_with_any_number(launch, mspie, tmp_path):

    def train(num, folder, *args, max_iters=4):
        return launch('dist_train.sh', mspie, num, '--work-dir', folder,
                      '--no-validate', '--seed', 1, *args, '--cfg-options',
                      f'train_cfg.max_iters={max_iters}').stdout

    def results():
        one, two = (load(tmp_path / f'{rank}_of_2.pt') for rank in range(2))
        assert_equal(one['state'], two['state'])
        assert one['losses'] != two['losses']  # other images and noise on each
        return one

    work, again = tmp_path / 'work', tmp_path / 'again'
    printed = train(2, work)
    whole = results()
    # One set of outputs, and each line once.
    assert printed.count('Iter(train) [4/4]') == 1
    assert printed.count('Checkpoints, logs and pictures are in') == 1
    assert len(list(work.glob('*/*.log'))) == 1
    assert [x.name for x in work.glob('samples/*')] == ['iter_4.png']
    # Whatever the number of processes, the keys are those of the model.
    saved = read_checkpoint(work / 'iter_4.pth')
    assert_equal(saved['state_dict'], whole['state'])
    assert len(saved['random_states']) == 2
    assert any(key.startswith('generator.convs.') for key in whole['state'])
    assert saved['state_dict']['generator_ema.steps'] == 4

    # Two processes go on exactly; one process and then two go on as well.
    train(2, again, '--resume', work / 'iter_2.pth')
    assert_equal(results()['state'], whole['state'])
    train(1, again, '--resume', max_iters=6)
    assert len(read_checkpoint(again / 'iter_6.pth')['random_states']) == 1
    assert 'Iter(train) [7/8]' in train(2, again, '--resume', max_iters=8)
    assert len(results()['losses']) == 2

    # Each process draws some of the images.
    printed = launch('dist_test.sh', mspie, work / 'iter_4.pth', 2,
                     '--work-dir', tmp_path / 'test', '--scales', 0, 2).stdout
    assert printed.count('The figures are in') == 1
    path, = tmp_path.glob('test/*.json')
    figures = json.loads(path.read_text())['results']
    assert len(figures) > 1 and all(x > 0 for x in figures.values())


@pytest.mark.slow
def test_singan_on_two_processes(launch, photograph, tmp_path):
    config = osp.join(ROWS, 'singan_spe-dim4_fish.py')
    work = tmp_path / 'work'
    options = [
        '--seed', 3, '--cfg-options', *SMALL,
        f'train_dataloader.dataset.data_root={photograph}'
    ]
    # Time is estimated although there are just two rounds.
    (tmp_path / 'always.py').write_text(
        'from mmpe.engine.hooks import singan_time_hooks\n'
        'singan_time_hooks._PART = 1\n')
    wrapper = tmp_path / 'singan.py'
    wrapper.write_text(
        f"_base_ = '{config}'\n"
        "custom_hooks = [dict(type='SinGANVisualizationHook'),\n"
        "    dict(type='SinGANEstimateHook'),\n"
        "    dict(type='SinGANPreviewHook'),\n"
        f"    dict(type='DumpHook', folder='{tmp_path}')]\n"
        "custom_imports = dict(imports=['dump_hook', 'always'])\n")
    printed = launch('dist_train.sh', wrapper, 2, '--work-dir', work,
                     *options).stdout
    assert printed.count('Training at 25x32 pixels, 2 scales: ') == 1
    assert printed.count(f'Watch {work / "preview.png"}') == 1
    assert (work / 'preview.png').is_file()
    one, two = (load(tmp_path / f'{rank}_of_2.pt') for rank in range(2))
    # Also the statistics of BatchNorm, the fixed noise and the noise weights.
    assert_equal(one['state'], two['state'])
    assert any('running_mean' in key for key in one['state'])
    assert one['losses'] != two['losses']
    sheets = sorted(x.name for x in (work / 'scales').iterdir())
    assert sheets == ['scale_0_25x32.png', 'scale_1_25x32.png']
    # One process goes on, in the midst of the second scale.
    launch('dist_train.sh', wrapper, 1, '--work-dir', tmp_path / 'alone',
           '--resume', work / 'iter_9.pth', *options)
    assert len(load(tmp_path / '0_of_1.pt')['losses']) == 3


@pytest.mark.slow
def test_learned_noise_on_two_processes(launch, photograph, tmp_path):
    wrapper = tmp_path / 'fast.py'
    wrapper.write_text(
        f"_base_ = '{ROOT}/configs/singan_fast/singan_csg_fast.py'\n"
        f"custom_hooks = [dict(type='DumpHook', folder='{tmp_path}')]\n"
        "custom_imports = dict(imports=['dump_hook'])\n")
    launch('dist_train.sh', wrapper, 2, '--work-dir', tmp_path / 'work',
           '--cfg-options', *SMALL,
           f'train_dataloader.dataset.data_root={photograph}')
    one, two = (load(tmp_path / f'{rank}_of_2.pt') for rank in range(2))
    assert_equal(one['state'], two['state'])
    assert one['losses'] != two['losses']
    first, second = one['state']['_extra_state']['fixed_noises']
    assert first[:, 0].any() and not first[:, 1:].any()
    assert second.square().mean() == pytest.approx(1, abs=1e-5)


@pytest.fixture
def launch_and_end(environment, tmp_path):
    """Send a signal to a rank, once a file is there; what the job prints."""

    def run(*args, rank, number, once):
        log = tmp_path / 'log'
        with open(log, 'w') as file:
            job = subprocess.Popen(
                [osp.join(ROOT, 'tools/dist_train.sh'), *args],
                env=environment,
                stdout=file,
                stderr=file)
        try:
            wait_for(once.exists, job)
            os.kill(worker(job.pid, rank), number)
            assert job.wait(timeout=600) != 0
        finally:
            job.kill()
        return log.read_text()

    return run


@pytest.mark.slow
def test_a_killed_process_ends_the_job(launch_and_end, mspie, tmp_path):
    work = tmp_path / 'work'
    printed = launch_and_end(
        mspie, '2', '--work-dir', work, '--no-validate', '--cfg-options',
        'train_cfg.max_iters=100000', 'custom_hooks.2.pause=0.05',
        rank=0, number=signal.SIGKILL, once=work / 'iter_4.pth')
    last = (work / 'last_checkpoint').read_text()
    assert 'state_dict' in read_checkpoint(last)
    assert 'Signal 9' in printed


@pytest.mark.slow
def test_sigterm_to_one_of_two(launch, launch_and_end, mspie, tmp_path):
    work = tmp_path / 'work'

    def arguments(folder, *args, max_iters=100000):
        return [
            mspie, '2', '--work-dir', folder, '--no-validate', '--seed', '1',
            *args, '--cfg-options', f'train_cfg.max_iters={max_iters}'
        ]

    printed = launch_and_end(
        *arguments(work), 'custom_hooks.2.pause=0.1',
        rank=1, number=signal.SIGTERM, once=work / 'iter_2.pth')
    assert printed.count('SIGTERM: stopped after iteration') == 1
    assert 'exitcode  : 75' in printed
    last = (work / 'last_checkpoint').read_text()
    assert f'can be resumed from {last}' in printed
    assert len(read_checkpoint(last)['random_states']) == 2
    # It goes on as if nothing had happened.
    end = int(re.search(r'iter_(\d+).pth', last)[1]) + 2
    launch('dist_train.sh', *arguments(work, '--resume', max_iters=end))
    resumed = load(tmp_path / '1_of_2.pt')
    launch('dist_train.sh', *arguments(tmp_path / 'whole', max_iters=end))
    assert_equal(resumed['state'], load(tmp_path / '1_of_2.pt')['state'])


@pytest.mark.slow
def test_one_of_two_is_not_finite(launch, mspie, tmp_path):
    work = tmp_path / 'work'

    def train(*args, rollbacks=0, **kwargs):
        return launch('dist_train.sh', mspie, 2, '--work-dir', work,
                      '--no-validate', *args, '--cfg-options',
                      'custom_hooks.2.spoil=3', 'train_cfg.max_iters=6',
                      f'train_cfg.rollbacks={rollbacks}', **kwargs).stdout

    # A lock of this process, which the other ones have to respect.
    work.mkdir()
    lock = FolderLock(work)
    printed = train(fails=True)
    assert printed.count('FolderInUseError: ') == 1
    assert f'is in use by process {os.getpid()} on ' in printed
    lock.release()

    printed = train(fails=True)
    assert printed.count('NotFiniteError: ') == 1
    assert f'The last good checkpoint is {work / "iter_2.pth"}' in printed
    assert (work / 'last_checkpoint').read_text() == str(work / 'iter_2.pth')

    printed = train('--resume', rollbacks=1)
    assert printed.count('back to it (rollback 1 of 1)') == 1
    one, two = (load(tmp_path / f'{rank}_of_2.pt') for rank in range(2))
    assert_equal(one['state'], two['state'])
    assert (work / 'last_checkpoint').read_text() == str(work / 'iter_6.pth')


def worker(parent, rank):
    """The process of a rank, from the variables it was started with."""
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{name}/stat') as file:
                is_child = file.read().rsplit(')')[-1].split()[1] == str(
                    parent)
            with open(f'/proc/{name}/environ') as file:
                variables = file.read().split('\0')
        except OSError:
            continue
        if is_child and f'RANK={rank}' in variables:
            return int(name)
    raise AssertionError(f'there is no rank {rank}')


def test_errors_and_exit_codes(launch, tmp_path):
    result = launch('dist_train.sh', 'nothing.py', 1, fails=True)
    assert "There is no config file 'nothing.py'" in result.stdout
    for script in ('dist_train.sh', 'dist_test.sh', 'slurm_train.sh',
                   'slurm_test.sh'):
        result = launch(script, 'config.py', fails=True)
        assert result.returncode == 2
        assert f'tools/{script}' in result.stdout
        result = launch(script, '--help')
        assert 'For example' in result.stdout


FAKE = """#!/usr/bin/env python3
import json, os, sys
names = ('PORT', 'NNODES', 'NODE_RANK', 'MASTER_ADDR')
json.dump(dict(args=sys.argv[1:], env={n: os.environ.get(n) for n in names}),
          open('call.json', 'w'))
sys.exit(7)
"""
# Runs the command as Slurm would on the second machine of two.
SRUN = """#!/usr/bin/env bash
printf '%s\\n' "$@" > srun.txt
while [[ $1 == --* ]]; do shift; done
SLURM_NNODES=2 SLURM_NODEID=1 SLURM_JOB_NODELIST='node[1-2]' "$@"
"""
SCONTROL = """#!/usr/bin/env bash
[ "$*" = 'show hostnames node[1-2]' ] && printf 'node1\\nnode2\\n'
"""


@pytest.fixture
def fakes(environment, tmp_path):
    """In place of torchrun and Slurm's programs: they note their call."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name, text in dict(
            torchrun=FAKE, srun=SRUN, scontrol=SCONTROL).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return dict(PATH=f'{folder}{os.pathsep}{environment["PATH"]}')


def test_several_machines(launch, fakes, tmp_path):
    result = launch(
        'dist_test.sh',
        'config.py',
        'a.pth',
        4,
        '--out',
        'a b',
        fails=True,
        NNODES='2',
        NODE_RANK='1',
        MASTER_ADDR='10.0.0.1',
        PORT='1234',
        **fakes)
    assert result.returncode == 7
    args = json.loads((tmp_path / 'call.json').read_text())['args']
    assert args == [
        '--nnodes=2', '--node-rank=1', '--master-addr=10.0.0.1',
        '--master-port=1234', '--nproc-per-node=4',
        osp.join(ROOT, 'tools/test.py'), 'config.py', 'a.pth', '--out', 'a b',
        '--launcher', 'pytorch'
    ]


def test_slurm(launch, fakes, tmp_path):
    result = launch(
        'slurm_train.sh',
        'gpu',
        'name',
        'config.py',
        'dir',
        '--seed',
        1,
        fails=True,
        GPUS='16',
        SRUN_ARGS='--time=1 --mem=2',
        **fakes)
    assert result.returncode == 7
    call = json.loads((tmp_path / 'call.json').read_text())
    assert call['env'] == dict(
        NNODES='2',
        NODE_RANK='1',
        MASTER_ADDR='node1',
        PORT=call['env']['PORT'])
    assert call['args'][-7:] == [
        'config.py', '--work-dir', 'dir', '--seed', '1', '--launcher',
        'pytorch'
    ]
    assert '--nproc-per-node=8' in call['args']
    srun = (tmp_path / 'srun.txt').read_text().splitlines()
    assert srun[:11] == [
        '--partition=gpu', '--job-name=name', '--nodes=2', '--ntasks=2',
        '--ntasks-per-node=1', '--kill-on-bad-exit=1', '--gres=gpu:8',
        '--cpus-per-task=40', '--time=1', '--mem=2', 'bash'
    ]

    launch(
        'slurm_test.sh',
        'gpu',
        'name',
        'config.py',
        'a.pth',
        fails=True,
        GPUS='2',
        PORT='99',
        **fakes)
    call = json.loads((tmp_path / 'call.json').read_text())
    assert call['args'][4:] == [
        '--nproc-per-node=2',
        osp.join(ROOT, 'tools/test.py'), 'config.py', 'a.pth', '--launcher',
        'pytorch'
    ]
    assert call['env']['PORT'] == '99'
