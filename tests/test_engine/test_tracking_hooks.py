import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmpe.engine import ScaleLossesHook, add_tensorboard
from mmpe.engine.photographs import train_photograph

from .events import read_events
from .test_photographs import small_config, write_photograph


def test_singan(tmp_path):
    """Losses, distances and pictures of each scale are in the event file."""
    pytest.importorskip('tensorboard')
    config = small_config()
    add_tensorboard(config)
    config.default_hooks.logger.interval = 1
    work = tmp_path / 'work'
    train_photograph(config, write_photograph(tmp_path / 'photo.png'), work)
    scalars, images = read_events(work)

    # Three iterations at each of two scales.
    assert list(scalars['loss_gen']) == [1, 2, 3, 4, 5, 6]
    assert list(scalars['loss_gen/scale_0']) == [6]
    assert list(scalars['loss_gen/scale_1']) == [6]
    for scale in (0, 1):
        sheet, = (work / 'scales').glob(f'scale_{scale}_*.png')
        with Image.open(sheet) as picture:
            assert images[f'pictures/scale_{scale}'] == [
                (3 * scale + 3, *picture.size)]
    for name in ('PSNR', 'SSIM', 'diversity'):
        assert list(scalars[f'distance/{name}']) == [3, 6], name
    # The first scale is too small for it.
    assert list(scalars['distance/SWD-1/1']) == [6]
    assert not list(work.glob('**/vis_image'))  # a second copy of them


class Backend:

    def __init__(self):
        self.scalars = []

    def add_scalars(self, values, step):
        self.scalars.append((step, values))


def told(draws, **kwargs):
    """What a hook tells after iterations of one scale and loss each."""
    backend, hook = Backend(), ScaleLossesHook(**kwargs)
    runner = SimpleNamespace(
        visualizer=SimpleNamespace(_vis_backends=dict(x=backend)),
        max_iters=len(draws))
    value = torch.zeros(())  # always the same, as CUDA graphs have it
    for runner.iter, (scale, loss) in enumerate(draws):
        outputs = dict(loss_gen=value.fill_(loss), lr=1., **scale)
        hook.after_train_iter(runner, runner.iter, outputs=outputs)
    return backend.scalars


def test_means_of_each_scale():
    draws = [(0, 1.), (2, 5.), (0, 3.), (2, 8.), (4, 7.)]
    draws = [(dict(scale=torch.tensor(float(x))), loss) for x, loss in draws]
    assert told(
        draws, interval=3) == [
            (3, {'loss_gen/scale_0': 2., 'loss_gen/scale_2': 5.}),
            (5, {'loss_gen/scale_2': 8., 'loss_gen/scale_4': 7.})]


def test_models_with_one_size_have_nothing_to_tell_apart():
    assert told([({}, 1.), ({}, 2.)], interval=1) == []


def test_wrong_interval():
    with pytest.raises(ValueError, match='`interval` must be at least 1, but '
                       'got 0'):
        ScaleLossesHook(0)


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorboard', None)
    with pytest.raises(ImportError, match=r"pip install 'mmpe\[tensorboard\]"):
        add_tensorboard(Config())


def test_config_without_visualizer():
    pytest.importorskip('tensorboard')
    config = Config()
    add_tensorboard(config)
    assert config.visualizer == dict(
        type='Visualizer',
        vis_backends=[dict(type='mmengine.TensorboardVisBackend')])
