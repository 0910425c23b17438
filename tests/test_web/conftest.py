"""The page in a process of its own, and a browser that looks at it."""
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmpe.zoo import root
from tests.test_inference.conftest import trained  # noqa: F401
from tests.test_tools.conftest import run_tool  # noqa: F401

BROWSER = shutil.which('chromium')
# Without the network it would ask for, and in a container.
ARGS = ('--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
        '--disable-background-networking', '--disable-component-update',
        '--disable-sync')


def draw_photograph(path, size=(48, 64), seed=0):
    """A meadow, a sky, and some blots on them."""
    random = np.random.default_rng(seed)
    image = np.empty((*size, 3), np.uint8)
    image[:] = (90, 140, 200)
    image[size[0] // 2:] = (60, 120, 50)
    image[10:20, 12:22] = (200, 30, 40)
    image = image + random.integers(0, 25, image.shape)
    Image.fromarray(image.astype(np.uint8)).save(path)
    return path


class Server:
    """The page's process, which may be killed and started again."""

    def __init__(self, folder):
        self.folder, self.port, self.process = folder, 0, None

    def start(self, *options):
        self.process = subprocess.Popen(
            [
                sys.executable, 'demo/web.py', '--port', str(self.port),
                '--out-dir', str(self.folder), *options
            ],
            cwd=root(),
            env={**os.environ, 'PYTHONPATH': str(root()),
                 'OMP_NUM_THREADS': '1'},
            stdout=subprocess.PIPE,
            text=True)
        line = self.process.stdout.readline()
        self.url = re.search(r'http://127\.0\.0\.1:(\d+)', line)[0]
        self.port = int(self.url.rsplit(':', 1)[1])

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(60)
        self.process.stdout.close()


@pytest.fixture(scope='package')
def server(tmp_path_factory):
    pytest.importorskip('gradio')
    server = Server(Path(tmp_path_factory.mktemp('web'), 'out'))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope='package')
def browser():
    playwright = pytest.importorskip('playwright.sync_api')
    if not BROWSER:
        pytest.skip('there is no Chromium')
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server):
    """Open pages, which must not complain nor ask anyone else."""
    complaints, pages = [], []

    def open_one():
        page = browser.new_page(viewport=dict(width=1200, height=1000))
        page.set_default_timeout(100000)
        page.on('console', lambda x: x.type == 'error' and
                not complaints.append(x.text))
        page.on('pageerror', lambda x: complaints.append(str(x)))
        page.on('request', lambda x: complaints.append(x.url)
                if not x.url.startswith((server.url, 'data:', 'blob:'))
                else None)
        page.goto(server.url)
        page.wait_for_selector('#photograph-file input[type=file]',
                               state='attached')
        if list(server.folder.glob('photographs/*.png')):
            page.wait_for_selector('#move-canvas [data-ready]')
        pages.append(page)
        return page

    open_one.complaints = complaints
    yield open_one
    for page in pages:
        page.close()
    assert not complaints
