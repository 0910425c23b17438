from types import SimpleNamespace

import pytest
import torch

from mmpe.engine.runner import ImageTrainLoop
from mmpe.engine.runner.image_loop import _Resumed


@pytest.mark.parametrize('config, has_gpu, is_pinned', [
    ({}, False, False),
    ({}, True, True),
    (dict(pin_memory=False), True, False),
])
def test_pinned_memory(config, has_gpu, is_pinned, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: has_gpu)
    # mmengine's log asks for it.
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    built = []

    def build_dataloader(config, **kwargs):
        built.append(dict(config))
        return torch.utils.data.DataLoader([1])

    runner = SimpleNamespace(
        build_dataloader=build_dataloader,
        seed=0,
        _randomness_cfg={},
        visualizer=SimpleNamespace(dataset_meta=None))
    ImageTrainLoop(runner, config, max_iters=1)
    assert built == [dict(pin_memory=is_pinned)]


def test_what_was_trained_on_is_skipped():
    """As mmengine does it, and as onedl-mmengine."""
    one_by_one, at_once = (_Resumed(3, iter('ab')) for _ in range(2))
    for _ in range(3):
        next(one_by_one)
    at_once.skip_iter(3)
    assert next(one_by_one) == next(at_once) == 'a'
