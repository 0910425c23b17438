"""How the process deals with memory that it no longer needs."""
import ctypes

__all__ = ['keep_freed_memory']

# Parameters of mallopt(3).
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Keep freed memory in the process, to be used again.

    glibc gives large buffers back to the system, and every iteration asks for
    them again; a third of a StyleGAN2 step can go into the page faults. In
    exchange the process holds more memory where sizes differ, with gaps in
    between. It does nothing where the C library is another one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, -1)
