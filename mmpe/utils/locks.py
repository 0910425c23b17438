"""Folders that one process at a time may write to."""
import errno
import logging
import os
import socket
from pathlib import Path

from mmengine.logging import print_log

from mmpe.utils.files import PathLike

try:
    import fcntl
except ImportError:  # not on Windows, where folders are not locked
    fcntl = None

__all__ = ['FolderInUseError', 'FolderLock']

LOCK = '.lock'
# What a file system says that knows no locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


class FolderInUseError(OSError):
    """Another process is writing to a folder."""


class FolderLock:
    """Keeps other processes from training in a folder.

    The lock is one of the kernel (``fcntl.lockf``), on the file ``.lock``: it
    ends with the process, however that ends, holds on NFS, too, and children
    do not inherit it. The file says which process has it, and stays unless it
    is removed. Where a file system knows no locks, a warning is all.

    Args:
        folder: The folder.

    Attributes:
        held: Whether there is a lock; False where the system knows none.

    Raises:
        FolderInUseError: Another process has the lock.
        OSError: The file cannot be written.
    """

    held = False

    def __init__(self, folder: PathLike) -> None:
        if fcntl is None:
            return
        self._path = Path(folder, LOCK)
        while True:
            self._file = open(self._path, 'a+')
            self._take(folder)
            # Who had it may have removed the file before it was ours.
            if self._is_there():
                break
            self.release()
        self._file.truncate(0)
        self._file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        self._file.flush()

    def _take(self, folder: PathLike) -> None:
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.held = True
        except (BlockingIOError, PermissionError):
            self._file.seek(0)
            owner = self._file.read().strip() or 'another process'
            self._file.close()
            raise FolderInUseError(
                f'{str(folder)!r} is in use by {owner}: wait for its end, or '
                'use another folder.') from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            print_log(
                f'{str(folder)!r} cannot be locked ({error.strerror}): see '
                'that no other training uses it.', 'current', logging.WARNING)

    def _is_there(self) -> bool:
        try:
            # Not by opening it: to close it again would end the lock.
            return os.path.samestat(
                os.fstat(self._file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return False

    def remove(self) -> None:
        """Remove the file, and let others have the folder."""
        if self.held:
            self._path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Let others have the folder; does nothing the second time."""
        if fcntl is not None:
            self._file.close()
            self.held = False
