import math
from pathlib import Path

import mmengine.runner
import pytest

from mmpe.checkpoint import read_checkpoint
from mmpe.datasets import ResumableSampler
from mmpe.engine import NotFiniteError


def spoil(**kwargs):
    return [dict(type='SpoilHook', at=6, **kwargs)]


def last_weight(runner):
    path = Path(runner.work_dir, 'iter_12.pth')
    return read_checkpoint(path)['state_dict']['weight'].item()


@pytest.mark.slow
@pytest.mark.parametrize('hook', ['before_train_iter', 'after_train_iter'])
@pytest.mark.parametrize('loop', ['ImageTrainLoop', 'SinGANTrainLoop'])
def test_goes_on_from_the_last_checkpoint(toy, capfd, hook, loop):
    loop = dict(type=loop, rollbacks=1)
    runner = toy(hooks=spoil(hook=hook), loop=loop)
    runner.train()
    error = capfd.readouterr().err
    good = Path(runner.work_dir, 'iter_4.pth')
    assert error.count('back to it (rollback 1 of 1)') == 1
    assert f'The last good checkpoint is {good}' in error
    assert runner.iter == 12
    checkpoint = read_checkpoint(Path(runner.work_dir, 'iter_12.pth'))
    history, _ = checkpoint['message_hub']['log_scalars']['train/loss'].data
    assert len(history) == 12
    # Other random numbers than without the rollback, and always the same.
    undisturbed = toy('other', loop=loop)
    undisturbed.train()
    again = toy('again', hooks=spoil(hook=hook), loop=loop)
    again.train()
    assert last_weight(runner) != last_weight(undisturbed)
    assert last_weight(runner) == last_weight(again)


@pytest.mark.parametrize('case', ['runner', 'hook'])
def test_what_is_not_ours_may_be_missing(toy, case):
    """mmengine's runner; and no hook that looks at losses."""
    if case == 'runner':
        settings = dict(runner=mmengine.runner.Runner)
    else:
        settings = {'default_hooks.runtime_info': None}
    runner = toy(hooks=spoil(), loop=dict(rollbacks=1), **settings)
    runner.train()
    assert math.isfinite(last_weight(runner))
    assert runner.message_hub.get_info('rollbacks') == 1


def test_goes_on_exactly_after_a_rollback(toy):
    """Also a training that is interrupted before or after its rollback."""
    loop = dict(rollbacks=1)
    whole = toy('whole', hooks=spoil(), loop=loop)
    whole.train()
    for start in (4, 8):
        part = toy(
            f'part{start}',
            hooks=spoil(),
            loop=loop,
            resume=True,
            load_from=str(Path(whole.work_dir, f'iter_{start}.pth')))
        part.train()
        assert last_weight(part) == last_weight(whole)


def test_other_images_come_after_a_rollback(toy, monkeypatch):
    seen = []
    iterate = ResumableSampler.__iter__

    def noted(self):
        seen.append((self.seed, self.start))
        return iterate(self)

    monkeypatch.setattr(ResumableSampler, '__iter__', noted)
    toy(hooks=spoil(), loop=dict(rollbacks=1)).train()
    assert [start for _, start in seen] == [0, 4]
    assert seen[0][0] != seen[1][0]


@pytest.mark.parametrize('at', [11, 7])
def test_at_the_end_and_with_a_checkpoint(toy, at):
    """The weights are checked although the loss was finite."""
    runner = toy(
        hooks=[dict(type='SpoilHook', at=at, hook='after_train_iter')],
        loop=dict(rollbacks=1))
    runner.train()
    assert math.isfinite(last_weight(runner))


@pytest.mark.parametrize('rollbacks, times', [(0, 1), (2, 3)])
def test_no_rollback_is_left(toy, capfd, rollbacks, times):
    runner = toy(hooks=spoil(times=times), loop=dict(rollbacks=rollbacks))
    with pytest.raises(NotFiniteError, match='`loss` is nan in iteration 7'):
        runner.train()
    assert capfd.readouterr().err.count('back to it') == rollbacks
    names = sorted(x.name for x in Path(runner.work_dir).glob('*.pth'))
    assert names == ['iter_4.pth']


def test_rollbacks_are_counted_over_resumed_trainings(toy):
    whole = toy('whole', hooks=spoil(), loop=dict(rollbacks=1))
    whole.train()
    part = toy(
        'part',
        hooks=[dict(type='SpoilHook', at=10, times=2)],
        loop=dict(rollbacks=1),
        resume=True,
        load_from=str(Path(whole.work_dir, 'iter_8.pth')))
    with pytest.raises(NotFiniteError, match='iter_8.pth'):
        part.train()


def test_without_a_checkpoint(toy):
    runner = toy(
        hooks=[dict(type='SpoilHook', at=2)], loop=dict(rollbacks=1))
    with pytest.raises(NotFiniteError, match='There is no good checkpoint'):
        runner.train()


def test_rollbacks_must_not_be_negative(toy):
    with pytest.raises(ValueError, match='`rollbacks` must be at least 0'):
        toy(loop=dict(rollbacks=-1)).train()
