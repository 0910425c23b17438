"""tools/publish_model.py and tools/print_config.py."""
import hashlib
import os.path as osp
import re

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer

from mmpe.checkpoint import read_checkpoint
from .conftest import ROOT

TOOL = 'tools/publish_model.py'


@pytest.fixture
def checkpoint(tmp_path):
    """What a training writes."""
    weights = torch.arange(6.)
    path = tmp_path / 'iter_4.pth'
    torch.save(
        dict(
            meta=dict(
                epoch=0,
                iter=4,
                cfg='work_dir = "/secret"',
                seed=5,
                mmengine_version='0.10.7',
                hook_msgs={}),
            state_dict={
                'generator.weight': weights,
                'discriminator.weight': weights + 1,
                'generator_ema.module.weight': weights + 2,
                'generator_ema.steps': torch.tensor(4),
                '_extra_state': dict(curr_stage=1, noise_weights=[1.0])
            },
            optimizer=dict(state=[weights]),
            message_hub=dict(log_scalars=dict(loss=HistoryBuffer([1.], [1]))),
            random_states=[dict(torch=torch.get_rng_state())]), path)
    return path


def published(tmp_path):
    path, = (tmp_path / 'out').iterdir()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'model-{digest[:8]}.pth'
    return path


def test_what_training_needs_is_left_out(run_tool, checkpoint, tmp_path,
                                         capsys):
    run_tool(TOOL, checkpoint, tmp_path / 'out' / 'model.pth')
    path = published(tmp_path)
    assert str(path) in capsys.readouterr().out
    before, after = read_checkpoint(checkpoint), read_checkpoint(path)
    assert sorted(after) == ['meta', 'state_dict']
    assert sorted(after['meta']) == [
        'epoch', 'iter', 'mmengine_version', 'mmpe_version'
    ]
    assert list(after['state_dict']) == list(before['state_dict'])
    assert torch.equal(after['state_dict']['discriminator.weight'],
                       before['state_dict']['discriminator.weight'])
    assert b'secret' not in path.read_bytes()
    run_tool(TOOL, checkpoint, tmp_path / 'out' / 'model.pth')
    published(tmp_path)  # the same file, under the same name


def test_ema_only(run_tool, checkpoint, tmp_path):
    run_tool(TOOL, checkpoint, tmp_path / 'out' / 'model.pth', '--ema-only')
    assert sorted(read_checkpoint(published(tmp_path))['state_dict']) == [
        '_extra_state', 'generator_ema.module.weight', 'generator_ema.steps'
    ]


def test_names_of_distributed_training(run_tool, tmp_path):
    path = tmp_path / 'iter_4.pth'
    torch.save(
        dict(
            state_dict={
                'generator.module.weight': torch.ones(1),
                'generator_ema.weight': torch.ones(1)
            }), path)
    run_tool(TOOL, path, tmp_path / 'out' / 'model.pth')
    assert sorted(read_checkpoint(published(tmp_path))['state_dict']) == [
        'generator.weight', 'generator_ema.module.weight',
        'generator_ema.steps'
    ]


def test_bad_checkpoints(run_tool, tmp_path):
    text, other, no_average = (
        tmp_path / f'{name}.pth' for name in ('text', 'other', 'no_average'))
    text.write_text('<html>')
    torch.save(dict(meta={}), other)
    torch.save(dict(state_dict={'generator.x': torch.ones(1)}), no_average)
    for path, message, *args in ((tmp_path / 'none.pth',
                                  'none.pth.*does not exist'),
                                 (text, 'text.pth. is not a checkpoint'),
                                 (other, 'has no .state_dict'),
                                 (no_average, 'has no averaged generator',
                                  '--ema-only')):
        with pytest.raises(SystemExit, match=message):
            run_tool(TOOL, path, tmp_path / 'out' / 'model.pth', *args)
    assert not (tmp_path / 'out').exists()


def test_print_config(run_tool, tmp_path, capsys):
    config = osp.join(
        ROOT, 'configs/positional_encoding_in_gans/singan_spe-dim4_fish.py')
    run_tool('tools/print_config.py', config, '--cfg-options',
             'model.iters_per_scale=7')
    printed = tmp_path / 'printed.py'
    printed.write_text(capsys.readouterr().out)
    expected = Config.fromfile(config)
    expected.model.iters_per_scale = 7
    assert not re.search('_base_', printed.read_text())
    assert Config.fromfile(printed).to_dict() == expected.to_dict()
    with pytest.raises(SystemExit, match='no config file .*nothing.py'):
        run_tool('tools/print_config.py', 'nothing.py')
