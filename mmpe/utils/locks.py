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
    do not inherit it. The file says which process has it, and stays. Where a
    file system knows no locks, a warning is all.

    Args:
        folder: The folder.

    Raises:
        FolderInUseError: Another process has the lock.
        OSError: The file cannot be written.
    """

    def __init__(self, folder: PathLike) -> None:
        if fcntl is None:
            return
        self._file = open(Path(folder, LOCK), 'a+')
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
        self._file.truncate(0)
        self._file.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        self._file.flush()

    def release(self) -> None:
        """Let others have the folder; does nothing the second time."""
        if fcntl is not None:
            self._file.close()
