import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from mmpe.utils import locks
from mmpe.utils.locks import FolderInUseError, FolderLock

HOLD = """
import sys
from mmpe.utils import locks
from mmpe.utils.locks import FolderLock
lock = FolderLock(sys.argv[1])
print('locked', flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that has the lock of a folder `locked`."""
    (tmp_path / 'locked').mkdir()
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path / 'locked')],
        env=dict(os.environ, PYTHONPATH=root),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True)
    assert process.stdout.readline() == 'locked\n'
    yield process
    process.kill()
    process.communicate()


def test_one_process_at_a_time(holder, tmp_path):
    folder = tmp_path / 'locked'
    with pytest.raises(FolderInUseError) as error:
        FolderLock(folder)
    assert str(error.value) == (
        f"'{folder}' is in use by process {holder.pid} on "
        f'{socket.gethostname()}: wait until it ends, or use another folder.')
    # Asking has not taken it away.
    with pytest.raises(FolderInUseError):
        FolderLock(folder)


def test_a_dead_process_has_no_lock(holder, tmp_path):
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    folder = tmp_path / 'locked'
    lock = FolderLock(folder)
    assert (folder / '.lock').read_text().startswith(
        f'process {os.getpid()} on ')
    lock.release()
    lock.release()
    FolderLock(folder).release()


def test_a_removed_file_locks_nothing(tmp_path, monkeypatch):
    """The file may go between the moments when it is opened and locked."""
    first = FolderLock(tmp_path)
    assert first.held
    first.remove()
    assert not first.held and not list(tmp_path.iterdir())
    lockf, files = fcntl.lockf, []

    def late(file, *args):
        if not files:
            (tmp_path / '.lock').unlink()
        files.append(file)
        lockf(file, *args)

    monkeypatch.setattr(fcntl, 'lockf', late)
    lock = FolderLock(tmp_path)
    assert len(files) == 2
    assert (tmp_path / '.lock').read_text().startswith('process')
    lock.remove()


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(NotADirectoryError):
        FolderLock(tmp_path / 'file')


def test_file_system_without_locks(tmp_path, monkeypatch):
    said = []

    def no_locks(*args):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'lockf', no_locks)
    monkeypatch.setattr(locks, 'print_log', lambda *x, **_: said.append(x[0]))
    lock = FolderLock(tmp_path)
    assert not lock.held
    lock.release()
    message, = said
    assert f"'{tmp_path}' cannot be locked (No locks available)" in message
