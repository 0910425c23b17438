"""What a training leaves when it is killed, or when files fail it.

The long form, with the demo and several processes, is
.dev_scripts/kill_and_resume.py.
"""
import random
import re
import shutil
import subprocess
import sys
from functools import partial

import pytest
import torch

from mmpe.checkpoint import read_checkpoint

from . import trainings
from .harness import Campaign, Death, differences

pytestmark = pytest.mark.skipif(
    sys.platform != 'linux', reason='needs the limits and mounts of Linux')

# The moment right after the first checkpoint has been written.
SAVED = 'open last_checkpoint'


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    return trainings.write_images(tmp_path_factory.mktemp('data'))


@pytest.fixture(scope='module')
def singan(images, tmp_path_factory):
    return Campaign(
        partial(trainings.singan, images['photograph']),
        tmp_path_factory.mktemp('runs') / 'singan')


@pytest.fixture(scope='module')
def mspie(images, tmp_path_factory):
    return Campaign(
        partial(trainings.mspie, images['images']),
        tmp_path_factory.mktemp('runs') / 'mspie')


@pytest.fixture
def mount():
    """Mounts something, until the test has ended, where that is allowed."""
    mounted = []

    def run(folder, *options):
        folder.mkdir()
        command = ['mount', *options, str(folder)]
        if subprocess.run(command, capture_output=True).returncode:
            pytest.skip('mounting is not permitted')
        mounted.append(str(folder))

    yield run
    for folder in mounted:
        subprocess.run(['umount', '--recursive', folder], check=True)


def test_every_bit_counts():
    state = dict(weights=[torch.zeros(2)], numbers=(1, 2.5))
    other = dict(weights=[torch.tensor([0., -0.])], numbers=(1, 2.5))
    assert differences(state, state) == []
    assert differences(state, other) == ['.weights.0']
    assert differences(state, dict(state, numbers=(1, ))) == ['.numbers']


@pytest.mark.slow
@pytest.mark.parametrize('family', ['singan', 'mspie'])
def test_killed(request, family):
    """While a checkpoint is written, before and after it, and at random."""
    campaign = request.getfixturevalue(family)
    deaths = [
        Death(kind='open .iter_#.part#-#.pth', action='1000'),
        Death(kind='os.rename iter_#.pth'),
        Death(kind='open last_checkpoint', action='1'),
        campaign.random_moment(random.Random(0))
    ]
    outcome = campaign.try_deaths(deaths)
    assert outcome.died >= len(deaths) - 1  # the random one may come too late
    assert not outcome.problems


def fails_and_goes_on(campaign, death, message, repair):
    """One line, a whole checkpoint; repaired, it ends as if undisturbed."""
    training = campaign.new_training()
    ended = campaign.starter.run(training, death=death)
    assert ended.code == 1
    assert 'Traceback' not in ended.output
    assert re.match(rf'\w+Error: .*{message}', ended.last_line)
    repair(training.folder)
    saved = list(training.folder.glob('iter_*.pth'))
    assert saved
    for path in saved:
        read_checkpoint(path)
    ended = campaign.starter.run(training, resume=True)
    assert ended.code == 0, ended.output
    assert campaign.compare(training) == []


@pytest.mark.parametrize('family', ['singan', 'mspie'])
@pytest.mark.parametrize('kind, number', [('open .iter_#.part#-#.pth', 1),
                                          (SAVED, 0)])
def test_full_disk(request, family, kind, number, mount):
    campaign = request.getfixturevalue(family)
    folder = campaign.new_training().folder
    mount(folder, '-t', 'tmpfs', '-o', 'size=2m', 'tmpfs')
    fill = f'head -c 3m /dev/zero > {folder}/fill 2>/dev/null || true'
    fails_and_goes_on(campaign, Death(kind=kind, number=number, action=fill),
                      'No space left on device',
                      lambda folder: (folder / 'fill').unlink())


def test_read_only_folder(mspie, mount):
    folder = mspie.new_training().folder
    mount(folder, '-t', 'tmpfs', 'tmpfs')
    action = (f'mount --bind {folder} {folder} && '
              f'mount -o remount,bind,ro {folder}')
    fails_and_goes_on(
        mspie, Death(kind=SAVED, action=action), 'Read-only file system',
        lambda folder: subprocess.run(['umount', folder], check=True))


def test_folder_that_vanishes(mspie):
    folder = mspie.new_training().folder
    away = folder.with_name('away')
    fails_and_goes_on(mspie, Death(kind=SAVED, action=f'mv {folder} {away}'),
                      'No such file or directory',
                      lambda folder: away.rename(folder))


@pytest.mark.parametrize('action, message', [
    ('rm -r {}', 'There is no image file at'),
    ('for x in {}/*; do echo text > $x; done', 'is not an image file'),
])
def test_images_that_vanish_or_change(mspie, images, tmp_path, action,
                                      message):
    folder, copy = images['images'], tmp_path / 'copy'
    shutil.copytree(folder, copy)
    fails_and_goes_on(
        mspie, Death(kind=SAVED, action=action.format(folder)), message,
        lambda _: shutil.copytree(copy, folder, dirs_exist_ok=True))


def test_photograph_that_vanishes(singan, images, tmp_path):
    """It is in memory; only a training that goes on needs it again."""
    photograph, copy = images['photograph'], tmp_path / 'copy.png'
    shutil.copy(photograph, copy)
    training = singan.new_training()
    death = Death(kind=SAVED, action=f'rm {photograph}')
    assert singan.starter.run(training, death=death).code == 0
    assert singan.compare(training) == []
    ended = singan.starter.run(training, resume=True)
    shutil.copy(copy, photograph)
    assert ended.code == 1
    assert ended.last_line.startswith(
        'FileNotFoundError: There is no image file at')
