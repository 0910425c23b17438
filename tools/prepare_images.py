r"""Prepare folders of square images for training.

Reads images of any size and format from a folder, a zip or a tar file,
centre-crops them and resizes them with antialiasing. Existing output images
are skipped, so an interrupted run can be repeated. Files that cannot be read
are skipped and listed.

Example for FFHQ (published as images1024x1024):
    python tools/prepare_images.py images1024x1024 data/ffhq \
        --sizes 256 512 1024 --folders ffhq_256 ffhq_512 images
"""
import argparse
import io
import os
import signal
import sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, List, Optional, Tuple

from PIL import Image

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.datasets.singan_dataset import open_rgb
from mmpe.utils.archives import Read, open_source
from mmpe.utils.arguments import Argument, at_least, make_parser
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write, check_folder
from mmpe.utils.progress import ProgressBar

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
LEFT_OUT = 'left_out.txt'
NUM_SHOWN = 10
LARGEST = 16384  # side in pixels: such an image takes about a gigabyte


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(
        __doc__,
        Argument('source', type=Path, help='folder, zip or tar file'),
        Argument('out', type=Path, help='parent of the output folders'),
        Argument(
            '--sizes',
            type=at_least(1, LARGEST),
            nargs='+',
            required=True,
            metavar='SIZE',
            help='height and width of the output images'),
        Argument(
            '--folders',
            nargs='+',
            metavar='NAME',
            help='names of the output folders, one per size (default: '
            'OUT_SIZE, e.g. ffhq_256)'),
        Argument(
            '--workers',
            type=at_least(1),
            default=os.cpu_count(),
            help='number of processes')).parse_args()


def target_folders(args: argparse.Namespace) -> Dict[int, Path]:
    """Output folder of each size.

    Raises:
        FileNotFoundError: The source does not exist.
        ValueError: ``--folders`` does not fit ``--sizes``, or an output
            folder is in the source.
    """
    if not args.source.exists():
        raise FileNotFoundError(f'There is no {str(args.source)!r}.')
    check_folder(args.out)
    names = args.folders or [
        f'{args.out.resolve().name}_{size}' for size in args.sizes
    ]
    if len(names) != len(args.sizes) or len(set(names)) < len(names):
        raise ValueError('Argument `--folders` must have a different name for '
                         f'each of {len(args.sizes)} sizes, but got {names}.')
    folders = {size: args.out / name for size, name in zip(args.sizes, names)}
    source = args.source.resolve()
    for folder in folders.values():
        if source in (folder.resolve(), *folder.resolve().parents):
            raise ValueError('Output folders must not be in the source, but '
                             f'`{folder}` is.')
    return folders


def target_names(names: List[str]) -> Tuple[Dict[str, str], List[str]]:
    """Names of the output images, below the folder of a size.

    Args:
        names: Names of all files in the source.

    Returns:
        Unique output name of each image, and the names of images that point
        outside of the folder.
    """
    targets, taken, outside = {}, set(), []
    for name in names:
        if not name.lower().endswith(SUFFIXES):
            continue
        parts = PurePosixPath(name.replace('\\', '/')).parts
        if '..' in parts or parts[0] == '/' or parts[0][1:2] == ':':
            outside.append(name)
            continue
        path = PurePosixPath(*parts)
        target = str(path.with_suffix('.png'))
        while target in taken:  # e.g. a.jpg after a.png
            path = PurePosixPath(f'{path}.png')
            target = str(path)
        taken.add(target)
        targets[name] = target
    return targets, outside


def convert(data: bytes, name: str,
            targets: Dict[int, Path]) -> Tuple[bool, Optional[str]]:
    """Crop and resize one image, in a worker process.

    Args:
        data: Content of the file.
        name: Name of the file.
        targets: Output path of each size.

    Returns:
        Whether the image had to be enlarged, and what is wrong with the file.

    Raises:
        OSError: An output image cannot be written.
    """
    try:
        image = open_rgb(io.BytesIO(data), name)
    except ValueError as error:
        return False, str(error)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    for size, path in targets.items():
        with atomic_write(path) as temporary:
            image.resize((size, size), Image.Resampling.LANCZOS, box).save(
                temporary, format='PNG')
    return side < max(targets), None


class Report:
    """Outcome of a run.

    Attributes:
        num_images: Number of images that were converted.
        num_enlarged: Number of those that had to be enlarged.
        left_out: What is wrong with each file that was skipped, by name.
    """

    def __init__(self) -> None:
        self.num_images = self.num_enlarged = 0
        self.left_out: Dict[str, str] = {}

    def add(self, name: str, enlarged: bool, problem: Optional[str]) -> None:
        """Record the outcome of one file."""
        if problem:
            self.left_out[name] = problem
        else:
            self.num_images += 1
            self.num_enlarged += enlarged

    def write(self, path: Path) -> None:
        """Print a summary, and list the skipped files in a file, if any."""
        print(f'{self.num_images} images were converted, {self.num_enlarged} '
              'of them enlarged.')
        path.unlink(missing_ok=True)
        if self.left_out:
            lines = [f'{name}: {why}' for name, why in self.left_out.items()]
            with atomic_write(path) as temporary:
                temporary.write_text('\n'.join(lines) + '\n')
            print(f'{len(lines)} files were skipped, as listed in {path}:')
            print('\n'.join(lines[:NUM_SHOWN]))


def prepare(source: Path, folders: Dict[int, Path], workers: int) -> Report:
    """Convert all images whose outputs do not exist yet.

    Args:
        source: Folder, zip or tar file.
        folders: Output folder of each size.
        workers: Number of processes.

    Returns:
        The outcome.

    Raises:
        OSError: An image cannot be written, or a process died.
        ValueError: The source has no images, or is damaged.
    """
    report = Report()
    with open_source(source) as (names, read):
        targets, outside = target_names(names)
        if not targets:
            raise ValueError(f'There are no images in {str(source)!r} (files '
                             f'that end with {", ".join(SUFFIXES)}).')
        for name in outside:
            report.left_out[name] = 'its name points outside of the folder.'
        with ProcessPoolExecutor(workers, initializer=_ignore_ctrl_c) as pool:
            jobs = _submitted(pool, 4 * workers, targets, folders, read,
                              report)
            for _ in ProgressBar(jobs, total=len(targets), unit='image'):
                pass
    return report


def _ignore_ctrl_c() -> None:
    """Leave Ctrl-C to the main process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _submitted(pool: ProcessPoolExecutor, num_ahead: int,
               targets: Dict[str, str], folders: Dict[int, Path], read: Read,
               report: Report) -> Iterator[None]:
    """Convert missing images in the pool; yields once per file.

    At most ``num_ahead`` files are in memory.
    """
    pending = {}

    def collect(num_left: int) -> Iterator[None]:
        while len(pending) > num_left:
            for job in wait(pending, return_when=FIRST_COMPLETED).done:
                report.add(pending.pop(job), *job.result())
                yield

    for name, target in targets.items():
        missing = {
            size: folder / target
            for size, folder in folders.items()
            if not (folder / target).exists()
        }
        if not missing:
            yield
            continue
        try:
            data = read(name)
        except Exception as error:  # damaged archives can fail in any way
            report.add(name, False, f'{type(error).__name__}: {error}')
            yield
            continue
        pending[pool.submit(convert, data, name, missing)] = name
        yield from collect(num_ahead)
    yield from collect(0)


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        folders = target_folders(args)
        try:
            report = prepare(args.source, folders, args.workers)
        except BrokenProcessPool as error:
            raise OSError('A process died, perhaps from lack of memory: run '
                          'this again with fewer --workers.') from error
        except KeyboardInterrupt:
            sys.exit('Stopped. Run the same command again to continue.')
        report.write(args.out / LEFT_OUT)
        made = [folder for folder in folders.values() if folder.is_dir()]
        if not made:
            raise ValueError('No image could be read.')
    print(f'The images are in {", ".join(map(str, made))}')


if __name__ == '__main__':
    main()
