"""Trainings that wait for each other."""
import pytest
from mmengine.config import Config

from mmpe.engine.photographs import CONFIG, Training, running
from mmpe.engine.training_queue import TrainingQueue

from ..waiting import wait_for

pytestmark = pytest.mark.tools

# What children run in place of a training: until there is a file `go`.
CHILD = '''
import json, pathlib, signal, sys, time
from mmpe.utils.child import Progress, end_with_parent
end_with_parent()
folder = pathlib.Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: (
    (folder / 'asked').touch(), sys.exit(75)))
if folder.name == 'bad':
    sys.exit('It does not learn.')
progress = Progress.read(folder)
part = 0.1
while not (folder / 'go').exists():
    progress.part, progress.said = part, ['It learns.']
    progress.write(folder)
    part = min(0.9, part + 0.002)
    time.sleep(0.05)
(folder / 'iter_2.pth').touch()
(folder / 'result.json').write_text(json.dumps(dict(
    size=[32, 40], scales=2, seconds=3, psnr=20, checkpoint='iter_2.pth')))
'''


@pytest.fixture
def queue(tmp_path, monkeypatch):
    monkeypatch.setattr(running, '_COMMAND', ('-c', CHILD))
    queues = []

    def make():
        queues.append(TrainingQueue(tmp_path / 'trainings'))
        return queues[-1]

    yield make
    for queue in queues:
        queue.close()


def training(queue, name):
    folder = queue.folder / name / name
    config = Config(dict(train_dataloader=dict(dataset=dict(
        data_root=f'{name}.png'))))
    return Training(f'{name}.png', folder, config)


def wait(queue, **expected):
    """Wait for the status of each training; all states by name."""

    def found():
        states = {x.training.folder.name: x for x in queue.states()}
        statuses = {name: x.status for name, x in states.items()}
        return states if statuses == expected else None

    return wait_for(found)


def test_one_after_the_other_stop_and_go_on(queue):
    first = queue()
    a, b = training(first, 'a'), training(first, 'b')
    for x in (a, b, a, b):  # twice is once
        first.add(x)
    wait(first, a='training', b='waiting')
    wait_for(lambda: first.states()[-1].seconds_left is not None)
    state = next(x for x in first.states() if x.status == 'training')
    assert 0 < state.part < 1 and state.seconds_left > 0
    assert state.said == 'It learns.' and state.training.photograph == 'a.png'
    first.stop(a.folder)
    states = wait(first, a='stopped', b='training')
    assert (a.folder / 'asked').exists() and states['a'].part > 0
    first.add(a)
    first.stop(a.folder)  # it only waits
    wait(first, a='stopped', b='training')
    (b.folder / 'go').touch()
    states = wait(first, a='stopped', b='trained')
    assert states['b'].result.psnr == 20 and states['b'].part == 1
    first.add(a)
    wait(first, a='training', b='trained')
    first.close()

    # what another process finds
    second = queue()
    states = wait(second, a='stopped', b='trained')
    second.add(states['a'].training)
    (a.folder / 'go').touch()
    wait(second, a='trained', b='trained')


def test_failed_and_foreign_folders(queue):
    one = queue()
    one.add(training(one, 'bad'))
    states = wait(one, bad='failed')
    assert 'It does not learn.' in states['bad'].result.error
    folder = one.folder / 'x/y'
    folder.mkdir(parents=True)
    (folder / CONFIG).write_text('model = 1 / 0\n')
    (one.folder / 'x/z').mkdir()
    (one.folder / 'x/z' / CONFIG).write_text('model = 1\n')
    wait(one, bad='failed')
    one.add(training(one, 'bad'))  # may be tried again
    wait(one, bad='failed')
