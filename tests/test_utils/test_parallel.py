"""Children, workers and parents that end in many ways."""
import json
import os
import signal
import subprocess
import sys

import pytest

from mmpe.utils import cluster, parallel
from mmpe.utils.child import Progress
from mmpe.utils.cluster import workers_of
from mmpe.utils.parallel import train_in_folders

from ..waiting import wait_for

pytestmark = pytest.mark.tools

# A training that takes no time; what it does besides depends on its folder.
CHILD = '''
import json, os, sys, time
from pathlib import Path
from mmpe.utils.child import Progress, end_with_parent
end_with_parent()
folder = Path(sys.argv[1])
progress = Progress.read(folder)
(folder / 'pid').write_text(str(os.getpid()))
progress.said.append(f'start {progress.starts}')
progress.part = 0.5
progress.write(folder)
if folder.name == 'fails':
    raise ValueError('no luck')
if folder.name == 'dies':
    os.kill(os.getpid(), 11)
if folder.name == 'preempted' and len(progress.said) < 6:
    sys.exit(75)
if folder.name == 'kills' and progress.starts == 1:
    os.kill(os.getppid(), 9)
if folder.name == 'waits' or folder.name == 'kills' and progress.starts == 1:
    time.sleep(3600)  # until its parent ends
threads = os.environ.get('OMP_NUM_THREADS', 'unset')
(folder / 'result.json').write_text(json.dumps(dict(threads=threads)))
'''
# A parent of its own, which can be killed.
PARENT = '''
import json, sys
from pathlib import Path
from mmpe.utils.cluster import workers_of
from mmpe.utils.parallel import train_in_folders
*folders, command, jobs, dask = json.loads(sys.argv[1])
with workers_of(dask) as client:
    train_in_folders([Path(x) for x in folders], command, jobs, client=client)
'''
COMMAND = ('-c', CHILD)


@pytest.fixture
def train(tmp_path):

    def train(*names, dask=None, **kwargs):
        with workers_of(dask) as client:
            results = train_in_folders([tmp_path / x for x in names], COMMAND,
                                       client=client, **kwargs)
        return [x.get('error', x.get('threads')) for x in results]

    return train


def start_parent(folders, jobs=1, dask=None):
    argument = json.dumps([*map(str, folders), COMMAND, jobs, dask])
    return subprocess.Popen([sys.executable, '-c', PARENT, argument],
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE,
                            text=True)


def child_of(folder):
    wait_for((folder / 'pid').exists)
    return int((folder / 'pid').read_text())


def parent_of(pid):
    text = subprocess.check_output(['ps', '-o', 'ppid=', '-p', str(pid)])
    return int(text)


def is_gone(pid):
    status = subprocess.run(['ps', '-o', 'stat=', '-p', str(pid)],
                            capture_output=True,
                            text=True).stdout
    return not status.strip('Z\n +<')


@pytest.mark.parametrize('jobs', [1, 2])
def test_one_result_for_each_folder(train, tmp_path, jobs, capfd):
    results = train('a', 'fails', 'dies', 'b', jobs=jobs, threads=3)
    assert results == [
        '3', f'ValueError: no luck (see {tmp_path / "fails/training.log"})',
        f'killed 3 times (see {tmp_path / "dies/training.log"})', '3'
    ]
    log = (tmp_path / 'dies/training.log').read_text()
    assert log == 'Killed by signal 11.\n' * 3
    assert not list(tmp_path.glob('*/progress.json'))
    out, err = capfd.readouterr()
    assert sorted(out.splitlines()) == [
        'a: start 1', 'b: start 1', 'dies: start 1', 'dies: start 2',
        'dies: start 3', 'fails: start 1'
    ]
    assert err.startswith('4/4 photographs 100%')
    assert train('a') == [os.environ.get('OMP_NUM_THREADS', 'unset')]
    assert capfd.readouterr().out == 'start 1\n'


def test_asked_to_end_is_not_killed(train):
    assert train('preempted', threads=1) == ['1']


def test_killed_workers_are_replaced(train):
    assert train('a', 'kills', 'b', jobs=2, threads=1) == ['1', '1', '1']


def test_worker_of_dask_that_is_killed_is_replaced(train, dask_cluster):
    scheduler = str(dask_cluster())  # of a single thread
    results = train('kills', 'dies', 'a', dask=scheduler)
    assert results[::2] == ['1', '1']
    assert results[1].startswith('killed 3 times')


@pytest.mark.parametrize('how', ['INT', 'KILL'])
@pytest.mark.parametrize('where', ['alone', 'joblib', 'dask'])
def test_nothing_is_left_running(tmp_path, dask_cluster, how, where):
    dask = str(dask_cluster()) if where == 'dask' else None
    folder, jobs = tmp_path / 'waits', 2 if where == 'joblib' else 1
    parent = start_parent([folder, tmp_path / 'a'], jobs, dask)
    child = child_of(folder)
    worker = parent_of(child)
    assert (worker == parent.pid) == (where == 'alone')
    parent.send_signal(getattr(signal, f'SIG{how}'))
    _, err = parent.communicate()
    if how == 'INT':
        assert err.strip().endswith('KeyboardInterrupt')
    wait_for(lambda: is_gone(child))
    if where == 'joblib':
        wait_for(lambda: is_gone(worker))


def test_cluster_that_ends(tmp_path, dask_cluster):
    parent = start_parent([tmp_path / 'waits'], dask=str(dask_cluster()))
    child = child_of(tmp_path / 'waits')
    nanny = parent_of(parent_of(child))
    os.kill(dask_cluster.scheduler.pid, signal.SIGKILL)
    assert parent.communicate()[1].splitlines()[-1] == (
        'ConnectionError: The Dask cluster gave up: the connection to its '
        'scheduler is lost. Run the same call again to continue.')
    wait_for(lambda: is_gone(child) and is_gone(nanny))


def test_scheduler_that_gives_up(train, dask_cluster):
    scheduler = dask_cluster(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES='0')
    with pytest.raises(ConnectionError, match='gave up: .* workers died'):
        train('kills', dask=str(scheduler))


def test_needs_a_scheduler(train, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, '_TIMEOUT', 0.1)
    with pytest.raises(ConnectionError, match='Cannot connect to a Dask '
                       'scheduler at 127.0.0.1:9: '):
        train('a', dask='127.0.0.1:9')
    path = tmp_path / 'file'
    for text in ('text', '{}', '[1]'):
        path.write_text(text)
        with pytest.raises(ValueError, match='`dask` must be .*/file'):
            train('a', dask=str(path))
    with pytest.raises(ValueError, match='`dask` must be .* got .nowhere'):
        train('a', dask='nowhere')
    monkeypatch.setitem(sys.modules, 'distributed', None)
    with pytest.raises(ImportError, match=r'`pip install .mmpe\[dask\].`'):
        train('a', dask='127.0.0.1:9')


def test_folder_that_the_worker_does_not_see(tmp_path):
    assert parallel._work(str(tmp_path), COMMAND, 1, False)[1][
        'error'].endswith(f'does not see {tmp_path}: it must be on a '
                          'shared file system.')


def test_worker_dies_at_each_start(tmp_path):
    Progress(starts=3).write(tmp_path)
    assert parallel._work(str(tmp_path), COMMAND, 1, False)[1][
        'error'].startswith('killed 3 times')
