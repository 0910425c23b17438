"""Files that are either written in full or not at all."""
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
# Temporary names: of the file, `part`, process and thread, and the suffix.
_TEMPORARY = re.compile(r'\..+\.part(\d+)-\d+(\.[^.]+)?')


@contextlib.contextmanager
def atomic_write(path: PathLike) -> Iterator[Path]:
    """Write a file under a temporary name, then rename it.

    A reader sees the old file or the new one, never half of one; of several
    writers, the last one counts. Missing folders are made.

    Args:
        path: Where the file shall be.

    Yields:
        The temporary path to write to, in the same folder and with the same
        suffix. It is removed when the body raises.

    Raises:
        OSError: The file cannot be written (no permission, no space, ...);
            the error names ``path``.
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
    """Remove the temporary files of processes that were killed.

    The caller keeps other machines from writing there. Files with other
    names, folders below and what a living process writes stay.

    Args:
        folder: The folder; if there is none, nothing is done.
    """
    with contextlib.suppress(OSError):
        for path in list(Path(folder).iterdir()):
            name = _TEMPORARY.fullmatch(path.name)
            if name and path.is_file() and not _is_alive(int(name[1])):
                path.unlink()


def _is_alive(number: int) -> bool:
    """Whether there is another process of this number."""
    if number == os.getpid():  # which has written nothing yet
        return False
    try:
        os.kill(number, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def check_folder(path: PathLike) -> None:
    """See that a folder is there or can be made; nothing is written.

    Args:
        path: The folder.

    Raises:
        OSError: A file is in the way, or it must not be written to.
    """
    path = Path(path).absolute()
    place = next(x for x in (path, *path.parents) if os.path.lexists(x))
    if not place.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, 'A file is in the way',
                                 str(place))
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, 'Cannot write', str(place))


def check_stored(path: PathLike) -> None:
    """See that a zip file is as large as what is in it.

    Neither PyTorch nor NumPy packs what it saves. What is packed may take any
    amount of memory.

    Args:
        path: The file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no zip file, or is packed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            num_bytes = sum(x.file_size for x in archive.infolist())
    except OSError:
        raise
    except Exception as error:  # damaged data can fail in any way
        raise ValueError(f'{error}') from error
    if num_bytes > os.path.getsize(path):
        raise ValueError(f'what is in it would take {num_bytes} bytes, more '
                         'than the file has')


def _is_about(error: OSError, temporary: Path) -> bool:
    """Whether writing failed, and not something else in the body."""
    if error.filename is None:
        return error.errno is not None
    return Path(error.filename) in (temporary, *temporary.parents)


@register_backend('atomic', force=True)
class AtomicBackend(LocalBackend):
    """Local files, written by :func:`atomic_write`.

    For example ``CheckpointHook(backend_args=dict(backend='atomic'))``: a run
    killed while it saves leaves the previous checkpoint as it was.
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
