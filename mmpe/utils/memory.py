"""How the process deals with memory that it no longer needs."""
import ctypes

__all__ = ['keep_freed_memory']

# Parameters of mallopt(3).
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_MMAP_MAX = -4
# The usual values; the thresholds are those that glibc arrives at by itself
# where buffers are large.
_USUAL = {
    _MMAP_MAX: 65536,
    _MMAP_THRESHOLD: 32 << 20,
    _TRIM_THRESHOLD: 64 << 20
}
_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1}


def keep_freed_memory(keep: bool = True) -> None:
    """Keep freed memory in the process, to be used again.

    glibc gives large buffers back to the system, and every iteration asks for
    them again; a quarter of a training step can go into the page faults.
    Commands that train or sample call this; it does nothing where the C
    library is another one.

    Args:
        keep: False for what is usual.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, value in (_KEEP if keep else _USUAL).items():
        mallopt(parameter, value)
