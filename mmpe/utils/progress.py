"""Progress bars for terminals and log files."""
import math
import sys
from typing import Optional

from tqdm import tqdm

__all__ = ['WORK_FORMAT', 'ProgressBar']

# Format of bars that count work in arbitrary units.
WORK_FORMAT = ('{desc} {percentage:3.0f}%|{bar}| {elapsed} so far, '
               '{remaining} to go')
_SECONDS = 30


class ProgressBar(tqdm):
    """tqdm's bar on a terminal, lines elsewhere.

    If the output is a file or a pipe, a line is printed every half minute, and
    one at the end unless ``leave=False``.

    Args:
        args, kwargs: As for ``tqdm.tqdm``.
    """

    bar_format: Optional[str]
    leave: Optional[bool]

    def __init__(self, *args, **kwargs) -> None:
        self._in_lines = not (kwargs.get('file') or sys.stderr).isatty()
        self._last_line = math.inf
        super().__init__(*args, **kwargs)
        if self.disable or not self._in_lines:
            return
        self._last_line = self.start_t
        # Text only.
        self.ncols = None if self.bar_format else 0
        if self.bar_format:
            self.bar_format = self.bar_format.replace('|{bar}| ', ', ')

    def display(self,
                msg: Optional[str] = None,
                pos: Optional[int] = None) -> bool:
        """Show the bar, or print a line if one is due.

        Args:
            msg: Text to show instead of the bar.
            pos: Line of the terminal.

        Returns:
            Whether the terminal was updated.
        """
        if not self._in_lines:
            return super().display(msg, pos)
        if self._time() - self._last_line >= _SECONDS:
            self._print_line()
        return False

    def clear(self, nolock: bool = False) -> None:
        """Clear the bar from the terminal; lines stay.

        Args:
            nolock: Whether the caller holds tqdm's lock.
        """
        if not self._in_lines:
            super().clear(nolock)

    def close(self) -> None:
        """Show the final state."""
        if getattr(self, '_in_lines', False) and not self.disable:
            self._last_line = math.inf
            if self.leave and (self.n or not self.total):
                self._print_line()
            self.leave = False  # already printed, or an error follows
        super().close()

    def _print_line(self) -> None:
        self._last_line = self._time()
        self.fp.write(f'{self}\n')
        self.fp.flush()
