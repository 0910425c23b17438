"""Locks of folders against other processes."""
import errno
import logging
import os
import socket
from pathlib import Path

from mmengine.logging import print_log

from mmpe.utils.files import PathLike

try:
    import fcntl
except ImportError:  # Windows, where folders are not locked
    fcntl = None  # type: ignore[assignment]

__all__ = ['FolderInUseError', 'FolderLock']

LOCK = '.lock'
# Errors of file systems that do not support locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


class FolderInUseError(OSError):
    """Another process is writing to a folder."""


class FolderLock:
    """Lock of a folder, against trainings of other processes.

    It is a kernel lock (``fcntl.lockf``) on the file ``.lock``: it ends with
    the process in any case, works on NFS, too, and is not inherited by
    children. The file names the process that holds the lock, and stays unless
    it is removed. On file systems without locks, there is only a warning.

    Args:
        folder: The folder.

    Attributes:
        held: Whether the lock is held; False if locks are not supported.

    Raises:
        FolderInUseError: Another process holds the lock.
        OSError: The file cannot be written.
    """

    held = False

    def __init__(self, folder: PathLike) -> None:
        if fcntl is None:
            return
        self._path = Path(folder, LOCK)
        while True:
            self._file = open(self._path, 'a+')  # noqa: SIM115
            self._take(folder)
            # The previous owner may have removed the file meanwhile.
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
                f'{str(folder)!r} is in use by {owner}: wait until it ends, '
                'or use another folder.') from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            print_log(
                f'{str(folder)!r} cannot be locked ({error.strerror}): make '
                'sure that no other training uses it.', 'current',
                logging.WARNING)

    def _is_there(self) -> bool:
        try:
            # Opening and closing the file again would release the lock.
            return os.path.samestat(
                os.fstat(self._file.fileno()), os.stat(self._path))
        except FileNotFoundError:
            return False

    def remove(self) -> None:
        """Remove the file and release the lock."""
        if self.held:
            self._path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Release the lock; does nothing when called again."""
        if fcntl is not None:
            self._file.close()
            self.held = False
