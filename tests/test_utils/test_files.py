import os
import stat

import pytest
from mmengine.fileio import get_file_backend

from mmpe.utils import atomic_write


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
