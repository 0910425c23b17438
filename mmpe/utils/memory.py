"""Settings of the memory allocator."""
import ctypes

__all__ = ['keep_freed_memory']

# Parameters of mallopt(3).
_TRIM_THRESHOLD = -1
_MMAP_MAX = -4


def keep_freed_memory() -> None:
    """Keep freed memory in the process for reuse.

    glibc returns large buffers to the system, and every iteration allocates
    them again; the page faults can take a third of a StyleGAN2 step. In
    exchange, memory gets fragmented and the process holds more of it if sizes
    vary. Does nothing with other C libraries.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(_MMAP_MAX, 0)
    mallopt(_TRIM_THRESHOLD, -1)
