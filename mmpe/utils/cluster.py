"""Workers of a Dask cluster."""
import contextlib
import json
import logging
import os.path as osp
import re
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, Optional

from joblib import parallel_config
from joblib.parallel import ParallelBackendBase

if TYPE_CHECKING:
    from distributed import Client

__all__ = ['is_released', 'workers_of']

# Seconds in which the scheduler must answer.
_TIMEOUT = 10


@contextlib.contextmanager
def workers_of(dask: Optional[str]) -> Iterator[Optional['Client']]:
    """Let joblib use the workers of a Dask cluster, and wait for the first.

    Args:
        dask: Address of a Dask scheduler, or the file that it wrote. None for
            joblib's own processes.

    Yields:
        The connection to the cluster, or None.

    Raises:
        ImportError: Dask is required but not installed.
        ValueError: ``dask`` is neither an address nor a file of a scheduler.
        OSError: The scheduler does not answer.
    """
    if dask is None:
        yield None
        return
    try:
        import distributed
    except ImportError:
        raise ImportError('A Dask cluster requires the package Dask: run `pip '
                          "install 'mmpe[dask]'`.") from None
    # It logs with a traceback what is raised below in one line.
    logging.getLogger('distributed').setLevel(logging.CRITICAL)
    address = _scheduler_address(dask)
    try:
        client = distributed.Client(
            address, timeout=_TIMEOUT, set_as_default=False)
    except (OSError, RuntimeError, TypeError, ValueError,
            distributed.TimeoutError) as error:
        raise ConnectionError(
            f'Cannot connect to a Dask scheduler at {address}: '
            f'{error}.') from None
    with client, parallel_config(_dask_backend(client)):
        if not client.ncores():
            print(f'Waiting for a worker of {address}', flush=True)
            client.wait_for_workers(1)
        yield client


def _scheduler_address(dask: str) -> str:
    if osp.isfile(dask):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            return json.loads(Path(dask).read_text())['address']
    elif re.fullmatch(r'(\w+://)?\S+:\d+', dask):
        return dask
    raise ValueError('Argument `dask` must be the address of a Dask scheduler '
                     f'or a file that it wrote, but got {dask!r}.')


def _dask_backend(client: 'Client') -> ParallelBackendBase:
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):

        def effective_n_jobs(self, n_jobs: int) -> int:
            # With one worker, joblib would run the jobs here. More workers
            # may join later.
            return max(2, super().effective_n_jobs(n_jobs))

    return Backend(client=client)


def is_released() -> bool:
    """Whether this task of Dask was cancelled, or must move elsewhere."""
    from distributed import get_worker
    worker = get_worker()
    task = worker.state.tasks.get(worker.get_current_task())
    return (task is None or task.state != 'executing'
            or worker.status.name in ('closing', 'closed'))
