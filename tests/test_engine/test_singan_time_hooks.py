from types import SimpleNamespace

import pytest
import torch

from mmpe.engine.hooks.singan_time_hooks import (SinGANTimerHook, Work,
                                                 _about, scale_costs)
from mmpe.models.singan import (SinGANMultiScaleDiscriminator,
                                SinGANMultiScaleGenerator)

SIZES = [(10, 20), (20, 40)]


def test_scale_costs():
    model = torch.nn.Module()
    model.generator = SinGANMultiScaleGenerator(3, 3, 1)
    model.discriminator = SinGANMultiScaleDiscriminator(3, 1)
    model.pyramid_sizes = SIZES
    gen = 9 * (3 * 32 + 3 * 32 * 32 + 32 * 3)
    disc = 9 * (3 * 32 + 3 * 32 * 32 + 32 * 1)
    one = 2 * 200 * gen + 200 * (5 * gen + 15 * disc)
    two = 2 * (200 + 800) * gen + 800 * (5 * gen + 15 * disc)
    assert scale_costs(model) == [one, two]


@pytest.mark.parametrize('times, expected', [
    # one scale so far: proportional to the work
    ({0: [2.0, 2.0, 9.0]}, [2.0, 4.0, 8.0]),
    # two scales: a line through both; what is measured stands
    ({0: [2.0], 1: [3.0]}, [2.0, 3.0, 5.0]),
    # a line that falls means nothing: proportional to the last one
    ({0: [5.0], 1: [3.0]}, [5.0, 3.0, 6.0]),
])
def test_seconds_per_iter(times, expected):
    hook = SinGANTimerHook()
    hook._times = times
    result = hook._seconds_per_iter([10., 20., 40.], 1)
    assert result == pytest.approx(expected)


@pytest.mark.parametrize('times, expected', [
    # the generator is updated in the third iteration
    ([1., 1., 4.], 2.0),
    ([1., 4., 1., 1., 4., 1., 1., 40., 1., 9.], 2.0),
    # no whole round yet
    ([1., 3.], 2.0),
])
def test_iterations_are_averaged_over_rounds(times, expected):
    hook = SinGANTimerHook()
    hook._times = {0: times}
    assert hook._seconds_per_iter([5.], 3) == [expected]


def test_remaining_time(monkeypatch):
    model = SimpleNamespace(iters_of_scale=100, discriminator_steps=1)
    info = {}
    runner = SimpleNamespace(
        iter=129, message_hub=SimpleNamespace(update_info=info.__setitem__))
    hook = SinGANTimerHook()
    hook._seconds_per_iter = lambda costs, length: [1., 2., 4.]
    monkeypatch.setattr('mmpe.engine.hooks.singan_time_hooks.Work',
                        lambda runner: SimpleNamespace(of_scale=[]))
    hook._update(runner, model)
    assert info == dict(scale_eta=140., eta=540.)


@pytest.mark.parametrize('seconds, expected', [
    (3, 'a few seconds'),
    (44.7, 'about 45 seconds'),
    (552, 'about 9 minutes'),
    (9000, 'about 2.5 hours'),
])
def test_about(seconds, expected):
    assert _about(seconds) == expected


def test_work():
    info = dict(scale_seconds=[1., 2., 4.])
    model = SimpleNamespace(iters_of_scale=10)
    runner = SimpleNamespace(
        model=model,
        max_iters=30,
        message_hub=SimpleNamespace(get_info=info.get))
    work = Work(runner)
    assert work.of_scale == [1., 2., 4.] and work.total == 70
    assert [work.until(x) for x in (0, 10, 13, 30)] == [0, 10, 16, 70]
