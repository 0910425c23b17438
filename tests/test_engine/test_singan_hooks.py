from types import SimpleNamespace

import pytest

from mmpe.engine.hooks import singan_hooks
from mmpe.engine.hooks.singan_hooks import SinGANPreviewHook


@pytest.fixture
def preview(monkeypatch, tmp_path):
    """At which of 100 seconds, an iteration each, a preview is written."""

    def run(drawing, **kwargs):
        now, written = [0.], []

        def write(runner, iters):
            written.append((now[0], iters))
            now[0] += drawing

        monkeypatch.setattr(singan_hooks, 'monotonic', lambda: now[0])
        hook, said = SinGANPreviewHook(**kwargs), []
        hook.say, hook._write = said.append, write
        runner = SimpleNamespace(work_dir=str(tmp_path), iter=0)
        hook.before_train(runner)
        assert said == [f'Watch {tmp_path / "preview.png"}']
        while now[0] < 100:
            now[0] += 1
            hook.after_train_iter(runner, runner.iter)
            runner.iter += 1
        hook.after_train(runner)
        assert written.pop()[1] == runner.iter
        return written

    return run


def test_previews_come_at_an_interval(preview):
    assert preview(0.) == [(x, x) for x in range(1, 101, 15)]
    assert preview(0., interval=40) == [(1, 1), (41, 41), (81, 81)]


def test_previews_take_a_twentieth_of_the_time(preview):
    # two seconds of forty
    assert [start for start, _ in preview(2.)] == [1, 41, 81]


def test_caption(monkeypatch):
    info = dict(eta=92.4)
    runner = SimpleNamespace(
        model=SimpleNamespace(
            curr_stage=1, num_scales=2, pyramid_sizes=[(25, 33), (46, 62)]),
        max_iters=100,
        message_hub=SimpleNamespace(get_info=info.get))
    monkeypatch.setattr(
        singan_hooks, 'Work',
        lambda runner: SimpleNamespace(total=200, until=lambda iters: iters))
    assert singan_hooks._caption(runner, 86) == (
        'scale 1/2 (46x62), 43%, 01:32 to go')
    info.clear()
    assert singan_hooks._caption(runner, 86) == 'scale 1/2 (46x62), 43%'
