r"""Time the page of demo/web.py in Chromium.

Starts the page, drops a photograph, selects a part of it, drags it and
downloads the result; then times --number edits, from the end of the drag to
the new picture. Writes screenshots of the steps.

Requires gradio, playwright, psutil and Chromium.

Example:
    python .dev_scripts/check_web.py --image photo.jpg --out web_check
"""
import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from mmpe.engine.photographs import bundled_photograph  # noqa: E402
from mmpe.inference.inputs import read_rgb  # noqa: E402
from mmpe.utils.arguments import (Argument, at_least,  # noqa: E402
                                  make_parser)
from mmpe.utils.command_line import one_line_errors  # noqa: E402
from mmpe.utils.files import check_folder  # noqa: E402

# Corners of a box on the picture and its drag, as fractions.
BOX, FIRST_DRAG = ((.42, .18), (.68, .36)), (0, .25)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    return make_parser(
        __doc__,
        Argument('--image', help='photograph (default: one of scikit-image)'),
        Argument(
            '--number', type=at_least(1), default=20, help='number of edits'),
        Argument(
            '--out', default='web_check', help='folder for screenshots')
    ).parse_args()


def measure(args: argparse.Namespace, image: str, folder: Path) -> None:
    """Use the page, and time it."""
    import psutil
    from playwright.sync_api import sync_playwright

    from tests.test_web.conftest import ARGS, BROWSER, Server
    from tests.test_web.test_browser import (download, drag, drop, ready,
                                             wait_for_new)
    out = Path(args.out)
    server = Server(folder / 'out')
    begin = time.perf_counter()
    server.start()
    seconds = time.perf_counter() - begin
    used = sum(psutil.Process(server.process.pid).cpu_times()[:2])
    print(f'The server starts in {seconds:.1f} s, with {used:.1f} s of CPU '
          'time')
    try:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=BROWSER, args=ARGS)
            page = browser.new_page(viewport=dict(width=1200, height=900))
            begin = time.perf_counter()
            page.goto(server.url)
            page.wait_for_selector('#photograph-file input', state='attached')
            print('The page loads in '
                  f'{time.perf_counter() - begin:.1f} s')
            walk = time.perf_counter()
            drop(page, image)
            page.screenshot(path=out / '1_dropped.png')
            drag(page, 'move-canvas', *BOX)
            page.screenshot(path=out / '2_drawn_around.png')
            before = ready(page)
            middle = tuple(sum(x) / 2 for x in zip(*BOX))
            drag(page, 'move-canvas', middle,
                 tuple(x + y for x, y in zip(middle, FIRST_DRAG)))
            wait_for_new(page, before)
            page.wait_for_selector('#move-results img')
            page.screenshot(path=out / '3_moved.png')
            download(page, 'move-results', folder)
            print('From dropping a photograph to the downloaded result: '
                  f'{time.perf_counter() - walk:.1f} s')
            times = []
            for index in range(args.number):
                page.click('#undo')
                page.wait_for_selector('#move-results img', state='detached')
                place = .1 + .5 * index / args.number
                drag(page, 'move-canvas', (.4, place), (.65, place + .2))
                before = ready(page)
                begin = time.perf_counter()
                drag(page, 'move-canvas', (.5, place + .1), (.42, .85))
                wait_for_new(page, before)
                times.append(time.perf_counter() - begin)
            print(f'An edit takes {statistics.median(times):.2f} s (median of '
                  f'{args.number}; from {min(times):.2f} to '
                  f'{max(times):.2f} s)')
            browser.close()
    finally:
        server.stop()


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors(), tempfile.TemporaryDirectory() as temporary:
        check_folder(args.out)
        folder = Path(temporary)
        image = args.image or bundled_photograph(folder)
        read_rgb(image)
        Path(args.out).mkdir(parents=True, exist_ok=True)
        measure(args, image, folder)
    print(f'The screenshots are in {args.out}')


if __name__ == '__main__':
    main()
