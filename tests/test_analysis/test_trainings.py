import json

import numpy as np
import pytest
from PIL import Image

from mmpe.analysis.subjects import from_checkpoint
from mmpe.analysis.trainings import train_all

pytestmark = pytest.mark.tools
NAME = 'dcgan_flat_32'
SHORT = {
    'train_cfg.max_iters': 2,
    'train_dataloader.batch_size': 2,
    'model.iters_per_scale': 1
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'images').mkdir()
    random = np.random.default_rng(0)
    for index in range(3):
        pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'images/{index}.png')
    return tmp_path


def train(folder, **options):
    return train_all([NAME], [3], folder / 'images', folder / 'none.png',
                     folder / 'out', {**SHORT, **options})


def test_train_and_go_on(folder):
    trained, = train(folder)
    assert (trained.name, trained.seed) == (NAME, 3)
    assert trained.checkpoint.endswith('iter_2.pth')
    # the cue that it was trained without is gone here, too
    subject = from_checkpoint(trained.config, trained.checkpoint)
    assert hasattr(subject.model, 'cues_changed')
    assert subject.run(2, 0).shape == (2, 3, 32, 32)
    settings = json.loads(
        (folder / 'out' / f'{NAME}-3' / 'settings.json').read_text())
    assert settings['images'] == str((folder / 'images').resolve())
    # a finished one is used again
    log = folder / 'out' / f'{NAME}-3' / 'train.log'
    before = log.stat().st_mtime_ns
    assert train(folder) == [trained]
    assert log.stat().st_mtime_ns == before
    # another one is not mixed with it
    with pytest.raises(ValueError, match='has a training with other'):
        train(folder, **{'train_cfg.max_iters': 3})
    # a stopped one goes on from its checkpoint
    (log.parent / 'finished.json').unlink()
    assert train(folder) == [trained]
    assert 'resumed epoch: 0, iter: 2' in log.read_text()


def test_a_failure_is_told_with_its_log(folder):
    (folder / 'images/1.png').write_text('no picture')
    with pytest.raises(OSError, match="'dcgan_flat_32-3' failed, see "):
        train(folder, **{'train_cfg.max_iters': 5})
    assert not (folder / 'out' / f'{NAME}-3' / 'finished.json').exists()


def test_errors_before_any_work(folder):
    Image.new('RGB', (9, 6)).save(folder / 'small.png')
    for photograph, error in (('none.png', FileNotFoundError),
                              ('small.png', ValueError)):
        with pytest.raises(error):
            train_all([NAME, 'singan_zero-pad_80'], [0], folder / 'images',
                      folder / photograph, folder / 'out')
    assert not (folder / 'out').exists()
