"""Atomic writing, and checks of files and folders."""
import contextlib
import errno
import os
import re
import threading
import zipfile
from pathlib import Path
from typing import Iterator, Union

from mmengine.fileio import LocalBackend, register_backend

PathLike = Union[str, os.PathLike]
# Temporary names: name of the file, `part`, process, thread, suffix.
_TEMPORARY = re.compile(r'\..+\.part(\d+)-\d+(\.[^.]+)?')


@contextlib.contextmanager
def atomic_write(path: PathLike) -> Iterator[Path]:
    """Write a file under a temporary name, then rename it.

    Readers see the old or the new file, never a partial one; the last of
    several writers wins. Missing folders are created.

    Args:
        path: Final path.

    Yields:
        Temporary path to write to, in the same folder and with the same
        suffix. It is removed if the body raises.

    Raises:
        OSError: The file cannot be written (no permission, no space, ...). The
            error names ``path``.
    """
    path = Path(path)
    writer = f'{os.getpid()}-{threading.get_ident()}'
    temporary = path.with_name(f'.{path.stem}.part{writer}{path.suffix}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if not _is_about(error, temporary):
            raise
        raise OSError(error.errno, f'Cannot write: {error.strerror}',
                      str(path)) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def remove_stale(folder: PathLike) -> None:
    """Remove temporary files of killed processes from a folder.

    The caller must make sure that no other machine writes to the folder.
    Subfolders, files with other names and files of running processes are kept.

    Args:
        folder: The folder; ignored if it does not exist.
    """
    with contextlib.suppress(OSError):
        for path in list(Path(folder).iterdir()):
            name = _TEMPORARY.fullmatch(path.name)
            if name and path.is_file() and not _is_alive(int(name[1])):
                path.unlink()


def _is_alive(number: int) -> bool:
    """Whether another process has this id."""
    if number == os.getpid():  # has not written anything yet
        return False
    try:
        os.kill(number, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def check_folder(path: PathLike) -> None:
    """Check that a folder exists or can be created, without writing.

    Args:
        path: The folder.

    Raises:
        OSError: A file is in the way, or the folder is not writable.
    """
    path = Path(path).absolute()
    place = next(x for x in (path, *path.parents) if os.path.lexists(x))
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, 'A file is in the way',
                                 str(place))
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, 'Cannot write', str(place))


def check_stored(path: PathLike) -> None:
    """Check that a zip file is not compressed.

    PyTorch and NumPy do not compress what they save, and a compressed file can
    expand to any amount of memory.

    Args:
        path: The file.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is not a zip file, or is compressed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            num_bytes = sum(x.file_size for x in archive.infolist())
    except OSError:
        raise
    except Exception as error:  # damaged data can fail in any way
        raise ValueError(f'{error}') from error
    if num_bytes > os.path.getsize(path):
        raise ValueError(f'its content would expand to {num_bytes} bytes, '
                         'more than the file has')


def _is_about(error: OSError, temporary: Path) -> bool:
    """Whether an error is about writing the file."""
    if error.filename is None:
        return error.errno is not None
    return Path(error.filename) in (temporary, *temporary.parents)


@register_backend('atomic', force=True)
class AtomicBackend(LocalBackend):
    """Local files, written by :func:`atomic_write`.

    With ``CheckpointHook(backend_args=dict(backend='atomic'))``, for example,
    a run that is killed while saving keeps its previous checkpoint intact.
    """

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write bytes to a file."""
        with atomic_write(filepath) as temporary:
            temporary.write_bytes(obj)

    def put_text(self,
                 obj: str,
                 filepath: PathLike,
                 encoding: str = 'utf-8') -> None:
        """Write text to a file."""
        self.put(obj.encode(encoding), filepath)
