"""What the runner says before it joins other processes.

tests/test_tools/test_distributed.py trains with several.
"""
import os

import pytest
import torch

from mmpe.engine import Runner
from mmpe.utils.locks import FolderLock


@pytest.mark.parametrize('gpus, launcher, message', [
    (0, 'slurm', "must be \"pytorch\" .* without GPUs, but got 'slurm'"),
    (1, 'pytorch', 'Each of the 2 processes .* there are 1'),
])
def test_processes_without_a_device(monkeypatch, tmp_path, gpus, launcher,
                                    message):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: gpus)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    with pytest.raises(ValueError, match=message):
        Runner(
            torch.nn.Linear(1, 1),
            work_dir=str(tmp_path),
            launcher=launcher,
            env_cfg=dict(dist_cfg=dict(backend='nccl')))


def names(folder):
    return sorted(str(x.relative_to(folder)) for x in folder.rglob('*'))


def break_model(toy, **settings):
    toy('new/work', **{'model.typo': 1}, **settings)


def break_data(toy, **settings):
    toy('new/work', **{'train_dataloader.dataset.typo': 1}, **settings).train()


def break_hook(toy, **settings):
    runner = toy('new/work', **settings)
    runner.hooks[0].before_train = lambda runner: 1 / 0
    runner.train()


@pytest.mark.parametrize('fail', [break_model, break_data, break_hook])
def test_nothing_is_left_by_what_fails_before_any_work(toy, tmp_path, fail):
    with pytest.raises((TypeError, ZeroDivisionError)):
        fail(toy)
    assert names(tmp_path) == []
    toy('new/work').train()
    assert list((tmp_path / 'new/work').glob('*.py'))  # the config
    before = names(tmp_path)
    with pytest.raises((TypeError, ZeroDivisionError)):
        fail(toy)
    assert names(tmp_path) == before


def test_a_failure_in_the_work_keeps_the_log(toy, tmp_path):
    runner = toy()
    runner.hooks[0].after_train_iter = lambda *args, **kwargs: 1 / 0
    with pytest.raises(ZeroDivisionError):
        runner.train()
    assert list((tmp_path / 'work').glob('*/*.log'))


@pytest.mark.parametrize('locks', [True, False])
def test_half_written_files_are_removed(toy, tmp_path, monkeypatch, locks):
    """But only where nobody else can be writing them."""
    names = ['.iter_2.part4194305-1.pth', 'samples/.iter_2.part4194305-1.png',
             'scales/.a.part4194305-1.png', 'mine/.a.part4194305-1.png']
    for name in names:
        path = tmp_path / 'work' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    if not locks:
        monkeypatch.setattr(FolderLock, 'held', False)
        monkeypatch.setattr(FolderLock, '_take', lambda self, folder: None)
    toy()
    left = [x for x in names if os.path.exists(tmp_path / 'work' / x)]
    assert left == (names[-1:] if locks else names)
