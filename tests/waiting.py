"""Waiting for what other processes do."""
import time


def wait_for(condition, job=None):
    """Wait until a condition holds.

    It may take long where the machine is busy, and ends sooner where it cannot
    come true.

    Args:
        condition: A function.
        job: The process that makes it true.

    Returns:
        What the condition has given.
    """
    end = time.monotonic() + 600
    while not (found := condition()):
        assert job is None or job.poll() is None, 'the process has ended'
        assert time.monotonic() < end, 'nothing has happened in ten minutes'
        time.sleep(0.05)
    return found
