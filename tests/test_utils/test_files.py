import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from mmengine.fileio import get_file_backend

from mmpe.utils import atomic_write
from mmpe.utils.files import remove_stale


def test_a_new_file_replaces_the_old_one_at_the_end(tmp_path):
    path = tmp_path / 'folder' / 'figure.png'
    path.parent.mkdir()
    path.write_text('old')
    with atomic_write(path) as temporary:
        assert temporary.suffix == '.png' and temporary.parent == path.parent
        temporary.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    assert os.listdir(path.parent) == ['figure.png']


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / 'log.txt'
    path.write_text('old')
    with pytest.raises(RuntimeError, match='stop'):
        with atomic_write(path) as temporary:
            temporary.write_text('half')
            raise RuntimeError('stop')
    assert path.read_text() == 'old'
    assert os.listdir(tmp_path) == ['log.txt']


def test_no_space_names_the_file(tmp_path):
    path = tmp_path / 'model.pth'
    with pytest.raises(OSError, match='No space left on device.*model.pth'):
        with atomic_write(path):
            raise OSError(28, 'No space left on device')
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write anywhere')
def test_no_permission_names_the_file(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(PermissionError, match='Cannot write.*model.pth'):
        with atomic_write(tmp_path / 'model.pth') as temporary:
            temporary.write_bytes(b'x')


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / 'work').write_text('a file')
    with pytest.raises(OSError, match='Cannot write.*work/model.pth'):
        with atomic_write(tmp_path / 'work' / 'model.pth'):
            pass


def test_an_error_about_another_file_stays_as_it_is(tmp_path):
    with pytest.raises(FileNotFoundError, match='^.*No such file.*photo.png'):
        with atomic_write(tmp_path / 'model.pth'):
            (tmp_path / 'photo.png').read_bytes()


def test_threads_write_the_same_file(tmp_path):
    path, barrier = tmp_path / 'config.py', threading.Barrier(2)

    def write(text):
        with atomic_write(path) as temporary:
            temporary.write_text(text)
            barrier.wait(timeout=600)  # both are at it

    with ThreadPoolExecutor(2) as pool:
        for writing in [pool.submit(write, x) for x in ('one', 'two')]:
            writing.result()
    assert path.read_text() in ('one', 'two')
    assert os.listdir(tmp_path) == ['config.py']


DIE = """
import os, signal, sys
from mmpe.utils import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text('half')
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.tools
def test_files_of_killed_processes_are_removed(tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    names = ('model.v1.pth', 'last_checkpoint')
    for name in names:
        subprocess.run([sys.executable, '-c', DIE, str(tmp_path / name)],
                       env=dict(os.environ, PYTHONPATH=root))
    assert len(os.listdir(tmp_path)) == 2
    # Not ours, of a living process, and in a folder below.
    others = ['.model.123.pth', '.model.part', '.part123-4.pth',
              'a.part123-4.pth', '.a.part1x-4.pth',
              f'.a.part{os.getppid()}-4.pth', 'model.pth']
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / '.folder.part123-4').mkdir()
    (tmp_path / 'below').mkdir()
    (tmp_path / 'below/.a.part4194305-1.pth').touch()
    (tmp_path / f'.b.part{os.getpid()}-1.pth').touch()
    remove_stale(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(
        [*others, '.folder.part123-4', 'below'])
    assert os.listdir(tmp_path / 'below')
    remove_stale(tmp_path / 'none')


def test_atomic_backend_writes_text_and_bytes(tmp_path, monkeypatch):
    backend = get_file_backend(backend_args=dict(backend='atomic'))
    backend.put(b'\x00\x01', tmp_path / 'a.bin')
    backend.put_text('naïve', tmp_path / 'a.txt')
    assert (tmp_path / 'a.bin').read_bytes() == b'\x00\x01'
    assert backend.get_text(tmp_path / 'a.txt') == 'naïve'

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'replace', interrupt)
    with pytest.raises(KeyboardInterrupt):
        backend.put(b'\x02', tmp_path / 'a.bin')
    assert (tmp_path / 'a.bin').read_bytes() == b'\x00\x01'
    assert sorted(os.listdir(tmp_path)) == ['a.bin', 'a.txt']
