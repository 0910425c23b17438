import os
import signal
from pathlib import Path

import pytest

from mmpe.checkpoint import read_checkpoint
from mmpe.engine import NotFiniteError, Terminated

SIGNAL = [dict(type='SignalHook', at=5)]


def state(folder, number):
    return read_checkpoint(Path(folder, f'iter_{number}.pth'))['state_dict']


def test_saves_ends_and_goes_on(toy, capfd):
    before = signal.getsignal(signal.SIGTERM)
    runner = toy(hooks=SIGNAL)
    with pytest.raises(Terminated) as end:
        runner.train()
    assert end.value.code == os.EX_TEMPFAIL == 75
    path = Path(runner.work_dir, 'iter_6.pth')
    lines = [x for x in capfd.readouterr().err.splitlines() if 'SIGTERM' in x]
    assert lines == [
        'SIGTERM: stopped after iteration 6. The training can be resumed '
        f'from {path}'
    ]
    assert Path(runner.work_dir,
                'last_checkpoint').read_text() == str(path)
    assert signal.getsignal(signal.SIGTERM) == before
    # The same folder goes on, and ends as if nothing had happened.
    whole, again = toy('whole'), toy(resume=True)
    whole.train()
    again.train()
    assert again.iter == 12
    assert state(again.work_dir, 12) == state(whole.work_dir, 12)
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_iteration_is_not_saved_twice(toy, monkeypatch):
    runner = toy(hooks=[dict(type='SignalHook', at=7)])
    saved = []
    save = runner.save_checkpoint
    monkeypatch.setattr(
        runner, 'save_checkpoint', lambda *args, **kwargs:
        (saved.append(args[1]), save(*args, **kwargs)))
    with pytest.raises(Terminated):
        runner.train()
    assert saved == ['iter_4.pth', 'iter_8.pth']


def test_the_signal_is_left_to_others(toy):
    """Where a training has failed, and where none could be saved."""
    before = signal.getsignal(signal.SIGTERM)
    runner = toy(hooks=[dict(type='SpoilHook', at=2)])
    with pytest.raises(NotFiniteError):
        runner.train()
    assert signal.getsignal(signal.SIGTERM) == before
    seen = []
    signal.signal(signal.SIGTERM, lambda *args: seen.append(args))
    try:
        toy('mmengine', hooks=SIGNAL, **{
            'default_hooks.checkpoint.type': 'mmengine.CheckpointHook'
        }).train()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert len(seen) == 1


def test_a_training_that_is_done_has_not_been_ended(toy):
    runner = toy(hooks=[dict(type='SignalHook', at=11)])
    runner.train()
    assert Path(runner.work_dir, 'iter_12.pth').is_file()


def test_loop_of_mmengine(toy):
    before = signal.getsignal(signal.SIGTERM)
    loop = dict(type='mmengine.IterBasedTrainLoop')
    toy(loop=loop).train()
    assert signal.getsignal(signal.SIGTERM) == before
    with pytest.raises(Terminated):
        toy(hooks=SIGNAL, loop=loop).train()
    signal.signal(signal.SIGTERM, before)
