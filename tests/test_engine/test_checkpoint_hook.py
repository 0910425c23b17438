import random
from pathlib import Path

import numpy as np
import pytest
import torch

from mmpe.checkpoint import read_checkpoint
from mmpe.engine import NotFiniteError
from mmpe.engine.hooks.checkpoint_hook import (CheckpointHook, random_state,
                                               set_random_state)
from mmpe.registry import HOOKS, build_from


def draw():
    return (random.random(), random.gauss(0, 1), np.random.rand(),
            np.random.randn(), torch.rand(3).tolist())


def test_random_state_survives_a_checkpoint(tmp_path):
    random.gauss(0, 1), np.random.randn()  # half of a pair is kept back
    path = tmp_path / 'state.pth'
    torch.save(dict(states=[random_state()]), path)
    expected = [draw() for _ in range(3)]
    draw()
    set_random_state(read_checkpoint(path)['states'][0])
    assert [draw() for _ in range(3)] == expected


def test_hook_replaces_mmengines():
    hook = build_from(HOOKS, dict(type='CheckpointHook', interval=5))
    assert isinstance(hook, CheckpointHook)
    assert hook.backend_args == dict(backend='atomic')
    hook = CheckpointHook(backend_args=dict(backend='local'))
    assert hook.backend_args == dict(backend='local')


def names(runner):
    return sorted(x.name for x in Path(runner.work_dir).glob('*.pth'))


def test_old_checkpoint_stays_until_the_new_one_is_there(toy, monkeypatch):
    runner = toy(**{'default_hooks.checkpoint.max_keep_ckpts': 1})
    save = runner.save_checkpoint

    def full_disk(folder, name, *args, **kwargs):
        if name == 'iter_8.pth':
            raise OSError('No space left on device')
        save(folder, name, *args, **kwargs)

    monkeypatch.setattr(runner, 'save_checkpoint', full_disk)
    with pytest.raises(OSError, match='No space'):
        runner.train()
    assert names(runner) == ['iter_4.pth']


@pytest.mark.parametrize('number, expected', [
    (1, ['iter_12.pth']),
    (2, ['iter_12.pth', 'iter_8.pth']),
    (-1, ['iter_12.pth', 'iter_4.pth', 'iter_8.pth']),
])
def test_old_checkpoints_are_removed(toy, number, expected):
    runner = toy(**{'default_hooks.checkpoint.max_keep_ckpts': number})
    runner.train()
    assert names(runner) == expected
    # A resumed training removes those of the one before.
    again = toy(
        resume=True,
        loop=dict(max_iters=16),
        **{'default_hooks.checkpoint.max_keep_ckpts': number})
    again.train()
    assert len(names(again)) == (number if number > 0 else 4)
    assert 'iter_16.pth' in names(again)


def test_weights_that_are_not_finite_are_not_saved(toy):
    runner = toy(
        hooks=[dict(type='SpoilHook', at=7, hook='after_train_iter')],
        **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    with pytest.raises(NotFiniteError) as error:
        runner.train()
    good = Path(runner.work_dir, 'iter_4.pth')
    assert str(error.value) == (
        '`weights.weight` is not finite after iteration 8. The last good '
        f'checkpoint is {good}')
    assert names(runner) == ['iter_4.pth']


def test_nor_are_they_the_best_ones(toy):
    runner = toy(**{
        'default_hooks.checkpoint.save_best': 'x',
        'default_hooks.checkpoint.rule': 'less'
    })
    runner.train()
    hook, = (x for x in runner.hooks if isinstance(x, CheckpointHook))
    hook.after_val_epoch(runner, dict(x=2.0))
    assert 'best_x_iter_12.pth' in names(runner)
    before = names(runner)
    runner.model.weight.data.fill_(float('inf'))
    with pytest.raises(NotFiniteError):
        hook.after_val_epoch(runner, dict(x=1.0))
    assert names(runner) == before


@pytest.mark.parametrize('case', ['empty', 'missing', 'moved'])
def test_resumes_whatever_names_the_last_checkpoint(toy, tmp_path, case):
    runner = toy()
    runner.train()
    note, folder = tmp_path / 'work' / 'last_checkpoint', 'work'
    if case == 'empty':  # killed while it was written
        note.write_text('')
    elif case == 'missing':
        note.unlink()
    else:
        (tmp_path / 'work').rename(tmp_path / 'moved')
        folder = 'moved'
    again = toy(folder, resume=True, loop=dict(max_iters=13))
    again.train()
    history, _ = again.message_hub.get_scalar('train/loss').data
    assert len(history) == 13
