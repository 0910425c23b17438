"""Settings of all tests: few threads, and MMagic behind the host bridge."""
import contextlib
import functools
import gc
import http.server
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from joblib.externals.loky import get_reusable_executor
from mmengine.config import config as mmengine_config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope

import mmpe  # noqa: F401

from .serving import Handler
from .waiting import wait_for

torch.set_num_threads(1)
# A shell's jobs in the background, and their children, may ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The same few examples each time, however long one takes.
settings.register_profile(
    'few', max_examples=40, derandomize=True, database=None, deadline=None)
settings.load_profile('few')
# The layout of a config's text, which a Runner makes at its start and for each
# checkpoint, takes more time than a small training. Processes that tests start
# make it.
mmengine_config.FormatCode = lambda text, **kwargs: (text, True)

# Whose tests start processes, by folder or by fixture.
TOOLS = ('test_tools', 'test_web', 'test_reliability')
STARTING = {'dask_cluster', 'holder'}


def pytest_collection_modifyitems(items):
    """Mark what starts processes; skip what needs a GPU that is not there."""
    for item in items:
        if item.path.parent.name in TOOLS or STARTING.intersection(
                item.fixturenames):
            item.add_marker(pytest.mark.tools)
        if 'gpu' in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason='there is no GPU'))


def pytest_collection_finish():
    """Let collections of garbage, as at a training's start, be quick.

    They need not look at all that was imported, and a training's end does not
    change this.
    """
    gc.collect()
    gc.freeze()
    gc.freeze = gc.unfreeze = lambda: None


@contextlib.contextmanager
def nothing_global_is_left():
    """Forget what Runners leave in mmengine's lists of current instances.

    In their default scope MMagic would build our parts; and a Runner of the
    same name, which tells the second of its start, would not become current.
    """
    managers = (DefaultScope, MessageHub, MMLogger)
    before = [manager._instance_dict.copy() for manager in managers]
    yield
    for manager, instances in zip(managers, before):
        manager._instance_dict.clear()
        manager._instance_dict.update(instances)


@pytest.fixture(autouse=True)
def _nothing_global_is_left():
    with nothing_global_is_left():
        yield


@pytest.fixture
def dask_cluster(tmp_path):
    """Start a scheduler and workers; the file that tells where it is."""
    path, folder = tmp_path / 'scheduler.json', tmp_path / 'cluster'
    folder.mkdir()
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, 'PYTHONPATH': root, 'OMP_NUM_THREADS': '1'}
    with contextlib.ExitStack() as processes, open(folder / 'log', 'w') as log:

        def start(what, *options, **variables):
            process = subprocess.Popen(
                [
                    sys.executable, '-m', 'dask', what, '--scheduler-file',
                    path, '--host', '127.0.0.1', '--dashboard-address',
                    '127.0.0.1:0', *options
                ],
                env={
                    **environment,
                    **variables
                },
                stdout=log,
                stderr=log)
            processes.callback(process.wait)
            processes.callback(process.terminate)
            return process

        def start_cluster(num_workers=1, **variables):
            start_cluster.scheduler = start('scheduler', '--port', '0',
                                            **variables)
            wait_for(path.exists, start_cluster.scheduler)
            for _ in range(num_workers):
                start('worker', '--nthreads', '1', '--local-directory', folder,
                      **variables)
            return path

        yield start_cluster


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Address of a server of `tmp_path / 'served'`; downloads stay local."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('no_proxy', '*')
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    monkeypatch.setattr(Handler, 'requests', [])
    (tmp_path / 'served').mkdir()
    httpd = http.server.ThreadingHTTPServer(
        ('127.0.0.1', 0),
        functools.partial(Handler, directory=str(tmp_path / 'served')))
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f'http://127.0.0.1:{httpd.server_port}'
    httpd.shutdown()
    httpd.server_close()
    thread.join()


@pytest.fixture(scope='session', autouse=True)
def _no_worker_is_left():
    yield
    get_reusable_executor(max_workers=1).shutdown(kill_workers=True)
