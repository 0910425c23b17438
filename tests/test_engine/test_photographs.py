"""Trainings on one and on several photographs."""
import csv
import json
import os.path as osp
import shutil
from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmpe.engine.photographs import (plan_training, running, summary_table,
                                     train_photograph, train_photographs,
                                     write_config)
from mmpe.engine.photographs import training as in_process
from mmpe.inference import load
from mmpe.utils.child import Progress
from mmpe.zoo import root

pytestmark = pytest.mark.tools
SMALL = {
    'model.iters_per_scale': 3,
    'model.generator.base_channels': 8,
    'model.generator.min_feat_channels': 8,
    'model.discriminator.base_channels': 8,
    'model.discriminator.min_feat_channels': 8,
    'train_dataloader.dataset.max_size': 40,
    # two scales also where sizes do not double
    'train_dataloader.dataset.scale_factor_init': 0.5,
    'default_hooks.checkpoint.interval': 5
}
# What a training leaves, as far as its parent looks at it.
TRAINED = '''
import json, os, sys
os.chdir(sys.argv[1])
open('iter_12.pth', 'w').close()
json.dump(dict(size=[31, 40], scales=2, seconds=1.5, psnr=20.0,
               checkpoint='iter_12.pth'), open('result.json', 'w'))
'''
# In the last iteration, after a checkpoint has been written.
KILLS_ITS_WORKER = '''
import os, time
from mmpe.engine.photographs import training

class Hook(training.ReportHook):
    def after_train_iter(self, runner, *args, **kwargs):
        if (runner.iter == 5 and self._folder.name == 'b'
                and self._progress.starts == 1):
            os.kill(os.getppid(), 9)
            time.sleep(3600)  # until its parent ends
        super().after_train_iter(runner, *args, **kwargs)

training.ReportHook = Hook
training.main()
'''


def small_config():
    config = Config.fromfile(
        root() / 'configs/singan_fast/singan_csg_fast.py')
    config.merge_from_dict(SMALL)
    return config


def write_photograph(path, seed=0, size=(40, 52)):
    path.parent.mkdir(exist_ok=True)
    image = np.random.default_rng(seed).integers(
        0, 256, (*size, 3), dtype=np.uint8)
    Image.fromarray(image).save(path)
    return path


@pytest.fixture
def config():
    return small_config()


@pytest.fixture
def photograph(tmp_path):

    def make(name='photo.png', **kwargs):
        return write_photograph(tmp_path / name, **kwargs)

    return make


@pytest.fixture(scope='module')
def result(tmp_path_factory):
    """Of a training in a child; nothing of it is left in this process."""
    folder = tmp_path_factory.mktemp('trained')
    path = write_photograph(folder / 'photo.png')
    [result] = train_photographs(small_config(), [path], folder, seed=3)
    assert result.status == 'trained', result.error
    return result


@pytest.fixture
def trained(result, tmp_path):
    """Copy of its folder, as if moved: no path in it is right."""
    return shutil.copytree(osp.dirname(result.config), tmp_path / 'trained')


@pytest.fixture
def children(monkeypatch):
    """Let children run a script instead of a training."""

    def use(script=TRAINED, **others):
        choice = f'{others}.get(os.path.basename(sys.argv[1]), {script!r})'
        monkeypatch.setattr(running, '_COMMAND',
                            ('-c', f'import os, sys; exec({choice})'))

    return use


def weights(path):
    return torch.load(path, weights_only=False)['state_dict']


def assert_same_weights(first, second):
    first, second = weights(first), weights(second)
    assert first.keys() == second.keys()
    for key, value in first.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, second[key]), key


def test_folder_has_all_that_sampling_takes(result):
    # two scales of three rounds, each of one iteration
    assert result.checkpoint.endswith('/photo/iter_6.pth')
    sampler = load(result.config, result.checkpoint)
    assert sampler.sample(1, seed=0)[0].shape == (32, 40, 3)
    assert result.size == (32, 40) and result.scales == 2
    assert result.seconds > 0
    error = sampler.photograph.astype(float) - sampler.reconstruct()
    psnr = 10 * np.log10(255**2 / np.mean(error**2))
    assert result.psnr == pytest.approx(psnr, abs=0.01)
    assert torch.load(
        result.checkpoint, weights_only=False)['meta']['seed'] == 3


def test_this_process_trains_as_a_child_does(config, photograph, tmp_path,
                                             result):
    checkpoint = train_photograph(
        config, photograph(), tmp_path / 'out', seed=3)
    assert checkpoint == tmp_path / 'out/iter_6.pth'
    assert_same_weights(checkpoint, result.checkpoint)
    assert config.model.num_scales is None


def test_finished_training_is_recognised(config, photograph, trained,
                                         monkeypatch):
    monkeypatch.setattr(in_process, 'train_in', None)
    path = photograph('elsewhere/again.png')
    before = {x: x.stat().st_mtime_ns for x in trained.rglob('*')}
    assert train_photograph(
        config, path, trained, seed=3) == trained / 'iter_6.pth'
    assert {x: x.stat().st_mtime_ns for x in trained.rglob('*')} == before

    with pytest.raises(ValueError, match='trained.* has a training with '
                       'another photograph: use another folder'):
        train_photograph(config, photograph('other.png', seed=1), trained, 3)
    with pytest.raises(ValueError,
                       match='with randomness.seed=3 instead of 1'):
        train_photograph(config, path, trained, seed=1)
    dataset = 'train_dataloader.dataset'
    for key, value, old in (('model.iters_per_scale', 7, 3),
                            (f'{dataset}.max_size', 36, 40),
                            (f'{dataset}.doubling', False, True)):
        other = deepcopy(config)
        other.merge_from_dict({key: value})
        with pytest.raises(
                ValueError, match=f'{key}={old} instead of {value}'):
            train_photograph(other, path, trained, seed=3)


def test_interrupted_training_goes_on_exactly(config, photograph, trained,
                                              result):
    for name in ('iter_6.pth', 'result.json', 'last_checkpoint'):
        (trained / name).unlink()
    assert [x.name for x in trained.glob('*.pth')] == ['iter_5.pth']
    checkpoint = train_photograph(config, photograph(), trained, seed=3)
    assert_same_weights(checkpoint, result.checkpoint)


def test_stopped_right_after_the_last_iteration(config, photograph, trained):
    path = trained / 'result.json'
    expected = json.loads(path.read_text())
    path.unlink()
    train_photograph(config, photograph(), trained, seed=3)
    # also the time of the first run is known
    assert json.loads(path.read_text()) == expected


def test_plan_refuses_what_cannot_work(config, photograph, tmp_path):
    path = photograph()
    with pytest.raises(FileNotFoundError, match='no image file at .*none.png'):
        plan_training(config, tmp_path / 'none.png', tmp_path / 'out')
    other = Config.fromfile(root() / 'configs/mspie_small/stylegan2_64.py')
    with pytest.raises(ValueError, match="config of SinGAN, but got .*'Style"):
        plan_training(other, path, tmp_path / 'out')
    (tmp_path / 'iter_5.pth').touch()
    with pytest.raises(ValueError, match="checkpoints but no 'config.py': "
                       'use another folder'):
        plan_training(config, path, tmp_path)


def test_plan_counts_scales_of_doubling_pyramids(config, photograph,
                                                 tmp_path):
    path = photograph(size=(100, 120))
    dataset = config.train_dataloader.dataset
    dataset.update(doubling=True, min_size=20, max_size=120)
    del dataset.scale_factor_init
    planned = plan_training(config, path, tmp_path / 'out').config
    assert planned.model.num_scales == 2  # 25 x 30, 50 x 60 and 100 x 120
    dataset.min_size = 101
    with pytest.raises(ValueError, match='too small: it has 100 x 120'):
        plan_training(config, path, tmp_path / 'out')


def test_all_photographs_are_checked_first(config, photograph, tmp_path):
    good, small = photograph(), photograph('small.png', size=(16, 30))
    (tmp_path / 'text.png').write_text('some text')
    with pytest.raises(ValueError, match=r'^3 of 4 photographs cannot be '
                       'trained on: ') as error:
        train_photographs(config, [
            small, good, tmp_path / 'text.png', tmp_path / 'none.png'
        ], tmp_path / 'out')
    message = str(error.value)
    assert '\n' not in message
    for part in ('16 x 30', "text.png' is not an image", "none.png'"):
        assert part in message
    with pytest.raises(ValueError, match='photo.png.* is given twice'):
        train_photographs(config, [good, good], tmp_path / 'out')
    with pytest.raises(ValueError, match='`images` must not be empty'):
        train_photographs(config, [], tmp_path / 'out')
    with pytest.raises(ValueError, match='`jobs` must be .* 1, but got 0'):
        train_photographs(config, [good], tmp_path / 'out', jobs=0)
    assert not (tmp_path / 'out').exists()


def test_folder_names(tmp_path):
    names = running._folder_names(
        [tmp_path / x for x in ('a.png', 'b.png', 'c/A.jpg', 'c.d.png')])
    assert names[1::2] == ['b', 'c.d']
    assert names[0].startswith('a-') and names[2].startswith('A-')
    assert names[0].lower() != names[2].lower()
    again = running._folder_names(
        [tmp_path / x for x in ('c/A.jpg', 'a.png')])
    assert again == [names[2], names[0]]


def test_one_failure_does_not_stop_the_others(config, photograph, tmp_path,
                                              children):
    images = [
        photograph(f'{x}.png', seed=seed) for seed, x in enumerate('abcd')
    ]
    out = tmp_path / 'out'
    children(
        b='raise ValueError("no luck")',
        c='import os; os.kill(os.getpid(), 9)')
    results = train_photographs(config, images, out, jobs=3)
    assert [x.status for x in results
            ] == ['trained', 'failed', 'failed', 'trained']
    assert results[0].checkpoint == str(out / 'a/iter_12.pth')
    assert results[0].size == (31, 40) and results[3].psnr == 20
    assert results[1].error == (
        f'ValueError: no luck (see {out / "b/training.log"})')
    assert results[2].error.startswith('killed 3 times (see ')

    listed = json.loads((out / 'summary.json').read_text())
    assert [x['status'] for x in listed] == [x.status for x in results]
    with open(out / 'summary.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert rows[3]['size'] == '31x40' and rows[2]['size'] == ''
    assert rows[1]['error'] == results[1].error
    lines = summary_table(results).splitlines()
    assert lines[2].split(' | ')[1:6] == [
        'trained', '31x40', '2     ', '2      ', '20.0'
    ]
    assert lines[-2] == f'{images[1]}: {results[1].error}'

    children()  # what is finished stays, what has failed is tried again
    results = train_photographs(config, images, out)
    assert [x.status for x in results
            ] == ['reused', 'trained', 'trained', 'reused']


def test_jobs_run_together_and_share_threads(config, photograph, tmp_path,
                                             children, monkeypatch):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 7)
    meet = '''
import os, sys, time
print(os.environ['OMP_NUM_THREADS'], file=sys.stderr, flush=True)
end = time.monotonic() + 600
while not os.path.exists(sys.argv[1] + '/../{}/training.log'):
    assert time.monotonic() < end
    time.sleep(0.01)
'''
    children(
        a=meet.format('b') + TRAINED,
        b=meet.format('a') + TRAINED)
    images = [photograph(f'{x}.png', seed=seed) for seed, x in enumerate('ab')]
    results = train_photographs(config, images, tmp_path / 'out', jobs=2)
    assert [x.status for x in results] == ['trained', 'trained']
    assert (tmp_path / 'out/a/training.log').read_text() == '3\n'
    assert not (tmp_path / 'out/a/progress.json').exists()


def test_report_of_a_child(config, photograph, tmp_path, monkeypatch):
    monkeypatch.setattr('mmpe.engine.hooks.singan_time_hooks._PART', 1)
    monkeypatch.setattr(in_process, '_REPORT_EVERY', 0)
    training = plan_training(config, photograph(), tmp_path / 'out')
    write_config(training)
    Progress(said=['before'], starts=2).write(training.folder)
    in_process.train_in(training.folder, with_report=True)
    progress = Progress.read(training.folder)
    before, estimate, preview = progress.said
    assert before == 'before' and progress.starts == 2
    assert estimate.startswith('Training at 32x40 pixels, 2 scales: a')
    assert preview == f'Watch {training.folder / "preview.png"}'
    assert progress.part == 1


@pytest.mark.slow
def test_worker_of_dask_is_killed(config, photograph, tmp_path, dask_cluster,
                                  monkeypatch):
    monkeypatch.setattr(running, '_COMMAND', ('-c', KILLS_ITS_WORKER))
    images = [photograph(f'{x}.png', seed=seed) for seed, x in enumerate('ab')]
    scheduler = dask_cluster(num_workers=2)
    results = train_photographs(
        config, images, tmp_path / 'out', dask=str(scheduler))
    assert [x.status for x in results] == ['trained', 'trained']
    log = (tmp_path / 'out/b/training.log').read_text()
    assert log.startswith('Loads checkpoint') and 'b/iter_5.pth' in log
    for image, result in zip(images, results):
        alone = train_photograph(config, image, tmp_path / image.stem)
        assert_same_weights(result.checkpoint, alone)
