import json
from pathlib import Path

import mmengine.runner
import numpy as np
import pytest
import torch

from mmpe.checkpoint import read_checkpoint
from mmpe.engine import NotFiniteError
from mmpe.engine.hooks import runtime_info_hook
from mmpe.engine.hooks.runtime_info_hook import RuntimeInfoHook

OF_TIME = ('time', 'data_time', 'eta', 'memory')


@pytest.fixture
def slow_device(monkeypatch):
    """Tensors that nobody may look at before it is time."""
    monkeypatch.setattr(runtime_info_hook, '_waits',
                        lambda x: isinstance(x, torch.Tensor))


def histories(scalars):
    return {
        name: [(x.dtype, x.tolist()) for x in history.data]
        for name, history in scalars.items() if not name.endswith('time')
    }


def logged(runner):
    path, = Path(runner.work_dir).glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [[(k, v) for k, v in line.items() if k not in OF_TIME]
            for line in lines]


@pytest.mark.slow
@pytest.mark.parametrize('settings', [
    {},
    {'default_hooks.logger.interval': 1},
    {'default_hooks.logger.interval': 10**9},
    {'default_hooks.runtime_info.interval': 3},
])
@pytest.mark.parametrize(
    'checkpoint_hook', ['CheckpointHook', 'mmengine.CheckpointHook'])
def test_histories_are_those_of_mmengine(toy, slow_device, settings,
                                         checkpoint_hook):
    settings = {
        **settings, 'default_hooks.checkpoint.type': checkpoint_hook
    }
    ours = toy('ours', **settings)
    ours.train()
    theirs = toy(
        'theirs', **{
            k: v
            for k, v in settings.items() if 'runtime_info' not in k
        }, **{
            'default_hooks.runtime_info':
            dict(type='mmengine.RuntimeInfoHook', _delete_=True)
        })
    theirs.train()
    for part in range(4, 13, 4):
        states = [
            read_checkpoint(Path(x.work_dir, f'iter_{part}.pth'))
            for x in (ours, theirs)
        ]
        found, expected = (histories(x['message_hub']['log_scalars'])
                           for x in states)
        assert found == expected and list(found) == list(expected)
        assert len(found['train/loss'][0][1]) == part
    scalars = ours.message_hub.log_scalars, theirs.message_hub.log_scalars
    assert histories(scalars[0]) == histories(scalars[1])
    assert list(scalars[0]) == list(scalars[1])
    assert scalars[0]['train/curr_stage'].data[0].dtype == np.int64
    assert logged(ours) == logged(theirs)


def test_values_are_fetched_seldom(toy, monkeypatch, slow_device):
    fetched = []
    move = RuntimeInfoHook._move

    def noted(self, runner):
        fetched.append((runner.iter + 1, len(self._kept)))
        return move(self, runner)

    monkeypatch.setattr(RuntimeInfoHook, '_move', noted)
    toy(loop=dict(max_iters=30), **{
        'default_hooks.logger.interval': 20,
        'default_hooks.checkpoint.interval': 12
    }).train()
    new, rest = fetched[0], [x for x in fetched[1:] if x[1]]
    assert new == (1, 1)
    # The logger, the checkpoints, the end of an epoch of five images, the
    # first value of a new name, and the end.
    assert [x for x, _ in rest if x > 5] == [12, 20, 24, 30]
    assert sum(x for _, x in fetched) == 30


def test_resumed_history_is_the_same(toy, slow_device):
    whole = toy('whole')
    whole.train()
    part = toy(
        'part',
        load_from=str(Path(whole.work_dir, 'iter_8.pth')),
        resume=True)
    part.train()
    one, two = (histories(x.message_hub.log_scalars) for x in (whole, part))
    assert one == two


@pytest.mark.slow
@pytest.mark.parametrize('processor, length', [
    ({}, 3),
    (dict(window_size=7), 7),
    (dict(custom_cfg=[
        dict(data_src='loss', method_name='mean', window_size=5)]), 5),
    (dict(custom_cfg=[
        dict(data_src='loss', method_name='mean', window_size='global')]), 12),
])
def test_no_more_is_kept_than_the_log_needs(toy, monkeypatch, slow_device,
                                            processor, length):
    whole = toy('whole')
    whole.train()
    expected = histories(whole.message_hub.log_scalars)
    monkeypatch.setattr(runtime_info_hook, '_LENGTH', 3)
    settings = {
        'default_hooks.logger.interval': 1,
        'log_processor': dict(
            type='LogProcessor', by_epoch=False,
            **{'window_size': 2, **processor})
    }
    short = toy('short', **settings)
    short.train()
    # From a checkpoint that has it all, too.
    resumed = toy('resumed', resume=True, **settings,
                  load_from=str(Path(whole.work_dir, 'iter_8.pth')))
    resumed.train()
    for runner in (short, resumed):
        scalars = runner.message_hub.log_scalars
        found = histories(scalars)
        assert found == {
            name: [(dtype, values[-length:]) for dtype, values in history]
            for name, history in expected.items()
        }
        assert len(found['train/loss'][0][1]) == length
        assert len(scalars['train/time'].data[0]) <= length + 1


@pytest.mark.parametrize('kind', ['mmengine', 'mmpe'])
def test_a_loss_that_is_not_finite_ends_the_training(toy, kind, slow_device,
                                                     tmp_path):
    runner = toy(
        hooks=[dict(type='SpoilHook', at=6)],
        **(dict(runner=mmengine.runner.Runner) if kind == 'mmengine' else {}))
    with pytest.raises(NotFiniteError) as error:
        runner.train()
    good = tmp_path / 'work' / 'iter_4.pth'
    assert str(error.value) == (
        '`loss` is nan in iteration 7 (scale 3). The last good checkpoint is '
        f'{good}')
    # Known when the checkpoint was due, which is before the log was.
    assert runner.iter == 7
    assert (tmp_path / 'work' / 'last_checkpoint').read_text() == str(good)
    assert sorted(x.name for x in (tmp_path / 'work').glob('*.pth')) == [
        'iter_4.pth'
    ]


def test_within_one_interval_of_the_log(toy, slow_device):
    runner = toy(
        hooks=[dict(type='SpoilHook', at=1)],
        **{
            'default_hooks.logger.interval': 3,
            'default_hooks.checkpoint.interval': 100
        })
    with pytest.raises(NotFiniteError, match='iteration 2 .*no good'):
        runner.train()
    assert runner.iter == 2


@pytest.mark.parametrize('bad', ['nan', 'inf'])
@pytest.mark.parametrize('setting', [
    'default_hooks.logger.interval', 'default_hooks.runtime_info.interval'])
def test_a_gradient_that_is_not_finite_ends_the_training(
        toy, slow_device, bad, setting):
    """Also in the iteration of the log, whose loss was finite."""
    runner = toy(**{'default_hooks.checkpoint.interval': 100,
                    'default_hooks.logger.interval': 100, setting: 6})
    runner.model.weight.register_hook(
        lambda grad: grad * float(bad) if runner.iter == 5 else grad)
    with pytest.raises(NotFiniteError, match=(
            '^`weights.weight` is not finite after iteration 6. There is no')):
        runner.train()
    losses, _ = runner.message_hub.get_scalar('train/loss').data
    assert len(losses) == 6 and np.isfinite(losses).all()


def test_the_state_is_looked_at_when_the_log_is_written(toy, monkeypatch):
    looked = []
    monkeypatch.setattr(runtime_info_hook, 'problem_of_state',
                        lambda runner, step: looked.append(step))
    toy(**{'default_hooks.logger.interval': 5,
           'default_hooks.checkpoint.interval': 3}).train()
    assert looked == [5, 10]


def test_other_values_need_not_be_finite(toy, monkeypatch):
    runner = toy()
    step = runner.model.train_step
    monkeypatch.setattr(
        runner.model, 'train_step', lambda *args, **kwargs: dict(
            step(*args, **kwargs), grad_norm=float('inf')))
    runner.train()
    assert runner.message_hub.get_scalar('train/grad_norm').current() == \
        float('inf')


def test_the_host_is_not_far_ahead(monkeypatch):
    waited = []

    class Event:

        def __init__(self, blocking):
            assert blocking

        def record(self):
            self.number = len(hook._events)

        def synchronize(self):
            waited.append(self)

    monkeypatch.setattr(torch.cuda, 'Event', Event)
    hook = RuntimeInfoHook()
    events = []
    for _ in range(7):
        hook._limit_lead()
        events.append(hook._events[-1])
    assert waited == events[:3]


def test_interval_must_be_positive():
    with pytest.raises(ValueError, match='`interval` must be at least 1'):
        RuntimeInfoHook(interval=0)
