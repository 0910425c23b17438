"""A command that notes what it does to its files, and dies when it is told.

Python's audit events tell of each file that is opened for writing, renamed or
removed, before it happens, so nothing of the command is replaced.
"""
import json
import os
import re
import resource
import runpy
import signal
import subprocess
import sys
from typing import Any, Optional

_EVENTS = ('open', 'os.rename', 'os.remove', 'os.mkdir')


class FileEvents:
    """Audit hook that counts what happens to files of a folder.

    Args:
        folder: The folder.
        trace: File that gets a line for each event: what happens to a file
            of which name, with # for numbers.
        kind: Kind of the event before which ``action`` happens, a line of
            the trace.
        number: How many events of this kind come first.
        action: 'kill' is signal 9; a number lets the kernel end the process
            in the middle of a write, as soon as a file gets longer than so
            many bytes; anything else is a command of the shell.
    """

    def __init__(self,
                 folder: str,
                 trace: str,
                 kind: Optional[str] = None,
                 number: int = 0,
                 action: str = 'kill') -> None:
        self.folder = folder
        self.kind = kind
        self.number = number
        self.action = action
        self._trace = os.open(trace, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._is_busy = False

    def __call__(self, event: str, args: tuple) -> None:
        """Note an event; act if it is the one."""
        if event not in _EVENTS or self._is_busy:
            return
        path = args[1] if event == 'os.rename' else args[0]
        if (not isinstance(path, (str, os.PathLike))
                or not os.fspath(path).startswith(self.folder)):
            return
        if event == 'open' and not _writes(args[2]):
            return
        self._is_busy = True
        kind = re.sub(r'\d+', '#', f'{event} {os.path.basename(path)}')
        os.write(self._trace, f'{kind}\n'.encode())
        if kind == self.kind:
            if self.number == 0:
                _act(self.action)
            self.number -= 1
        self._is_busy = False


def _writes(flags: Any) -> bool:
    return bool((flags or 0) & (os.O_WRONLY | os.O_RDWR))


def _act(action: str) -> None:
    if action == 'kill':
        os.kill(os.getpid(), signal.SIGKILL)
    elif action.isdecimal():
        # Python ignores the signal and reports an error instead.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(action), ) * 2)
    else:
        subprocess.run(action, shell=True, check=True)


def run(order: dict) -> None:
    """Run a command in this process.

    Args:
        order: ``script`` and ``args``, and ``events``, arguments of
            :class:`FileEvents`, for rank 0 if there are several processes.
    """
    if os.environ.get('RANK', '0') == '0':
        sys.addaudithook(FileEvents(**order['events']))
    sys.argv = [order['script'], *order['args'], *sys.argv[2:]]
    sys.path.insert(0, os.path.dirname(order['script']))
    runpy.run_path(order['script'], run_name='__main__')


def run_forked(order: dict, output: str) -> None:
    """Run a command in a process that has all its modules already.

    Args:
        order: As for :func:`run`.
        output: File that gets what the command prints.
    """
    os.setsid()
    file = os.open(output, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    del sys.argv[1:]
    run(order)


if __name__ == '__main__':
    run(json.loads(sys.argv[1]))
