r"""Check that `mim` works with mmpe, in regular and editable installations.

Creates two virtual environments with openmim and mmpe, which borrow torch and
other packages from the current one. Searches, downloads from a local server,
trains, tests and runs a tool. Takes a few minutes, and requires PyPI and the
extras `lite` and `tests`.

Examples:
    python .dev_scripts/check_mim.py
    python .dev_scripts/check_mim.py --mim onedl-mim==0.5.1 --kinds regular
"""
import contextlib
import functools
import http.server
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from mmengine.config import Config
from mmengine.fileio import dump, load
from PIL import Image

from mmpe.registry import MODELS, build_from
from mmpe.utils.arguments import Argument, make_parser
from mmpe.zoo import rows

ROOT = Path(__file__).resolve().parent.parent
METAFILE = 'configs/positional_encoding_in_gans/metafile.yml'
# As in configs/positional_encoding_in_gans/README.md.
MIM = 'openmim==0.3.9'
NEEDED = [
    'setuptools<82', 'click', 'colorama', 'model-index', 'pandas', 'requests',
    'rich', 'tabulate'
]
KINDS = {'regular': False, 'editable': True}
ROW = 'singan_spe-dim4_fish'
SMALL = 'mspie_spe_32-48-64.py'
OPTIONS = [
    '--cfg-options', 'model.generator.width=0.02',
    'model.discriminator.width=0.02', 'train_dataloader.batch_size=2',
    'train_cfg.max_iters=2', 'default_hooks.checkpoint.interval=2',
    'test_evaluator.metrics.0.fake_nums=4',
    'test_evaluator.metrics.1.fake_nums=4'
]
# Run in the new environment, on the files of `mim download`.
SAMPLE = f'''
import glob, sys, mmpe
from mmpe.inference import load
checkpoint, = glob.glob("downloaded/*spe-dim4_fish*.pth")
image = load("downloaded/{ROW}.py", checkpoint).sample(size=(40, 60))[0]
print(image.shape, mmpe.__file__)
'''


def write_weights(folder: Path) -> None:
    """Write files for all rows; one of them is an untrained model."""
    for row in rows().values():
        for address in filter(None, (row.weights, row.pickle)):
            (folder / Path(address).name).write_bytes(b'not read')
    row = rows()[ROW]
    model = build_from(MODELS, Config.fromfile(row.config).model)
    model.reals = [
        torch.zeros(1, 3, 25 + i, 30 + i) for i in range(model.num_scales + 1)
    ]
    model.construct_fixed_noises()
    model.noise_weights = [.1] * (model.num_scales + 1)
    model.curr_stage = model.num_scales
    state = model.state_dict()
    del state['_extra_state']  # MMagic has a .pkl file instead
    path = folder / Path(row.weights).name
    torch.save(dict(state_dict=state, meta={}), path)
    model.save_test_pkl(str(path.with_suffix('.pkl')))


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without logging."""

    def log_message(self, *args: object) -> None:
        """Do not log."""


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder; yields the URL."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()


def copy_sources(target: Path, address: str) -> None:
    """Clone the repository, with our server in the metafile."""
    subprocess.run(
        ['git', 'clone', '--quiet',
         str(ROOT), str(target)], check=True)
    meta = load(ROOT / METAFILE)
    for model in meta['Models']:
        weights = model['Weights']
        names = [weights] if isinstance(weights, str) else weights
        model['Weights'] = [f'{address}/{Path(x).name}' for x in names]
    dump(meta, target / METAFILE)


def make_environment(folder: Path, sources: Path, editable: bool,
                     mim: str) -> Path:
    """Create an environment with mim and mmpe; return its `bin` folder."""
    subprocess.run([sys.executable, '-m', 'venv', str(folder)], check=True)
    python = folder / 'bin' / 'python'
    site, = folder.glob('lib/python*/site-packages')
    # Read after the other .pth files, so that its mmpe comes first.
    borrowed = [path for path in sys.path if path.endswith('site-packages')]
    (site / 'zz_borrowed.pth').write_text('\n'.join(borrowed))
    mmpe = ['--no-deps', *(['--editable'] if editable else []), str(sources)]
    for command in (['--no-deps', mim], NEEDED, mmpe):
        subprocess.run([python, '-m', 'pip', 'install', '--quiet', *command],
                       check=True)
    return python.parent


def check(folder: Path, binaries: Path, sources: Path, editable: bool) -> None:
    """Run all commands in an empty folder and check their results."""
    folder.mkdir()
    environment = {
        **os.environ, 'no_proxy': '*',
        'OMP_NUM_THREADS': '1',
        'HOME': str(folder)
    }
    environment.pop('PYTHONPATH', None)

    def run(*command: str) -> str:
        result = subprocess.run([str(binaries / command[0]), *command[1:]],
                                cwd=folder,
                                env=environment,
                                stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT,
                                text=True)
        line = ' '.join(command)[:60].replace('\n', ' ')
        print(f'{"ok" if result.returncode == 0 else "FAILED":6s} {line}')
        if result.returncode:
            sys.exit(result.stdout)
        return result.stdout

    names = list(rows())
    found = run('mim', 'search', 'mmpe', '--valid-config')
    expect(all(repr(name) in found for name in names), found)
    found = run('mim', 'search', 'mmpe', '--config', names[0], '--field',
                'ffhq/fid50k', 'reference_in_paper')
    expect('5.56' in found and 'tab.5 config-a' in found, found)
    run('mim', 'download', 'mmpe', '--config', *names, '--dest', 'downloaded')
    for row in rows().values():
        dumped = Config.fromfile(folder / 'downloaded' / f'{row.name}.py')
        original = Config.fromfile(row.config)
        expect(dumped.to_dict() == original.to_dict(), row.name)
        for address in filter(None, (row.weights, row.pickle)):
            path = folder / 'downloaded' / Path(address).name
            expect(path.stat().st_size > 0, path)
    found = run('python', '-c', SAMPLE)
    place = sources if editable else binaries.parent
    expect(f'(40, 60, 3) {place}' in found, found)
    images(folder / 'images')
    data = ['--data-root', 'images', '--work-dir', 'work', *OPTIONS]
    run('mim', 'train', 'mmpe', SMALL, *data)
    run('mim', 'test', 'mmpe', SMALL, '--checkpoint', 'work/iter_2.pth', *data)
    expect(list((folder / 'work').glob('results_*.json')), 'no figures')
    found = run('mim', 'run', 'mmpe', 'print_config', f'downloaded/{ROW}.py')
    expect('PESinGAN' in found, found)


def expect(condition: object, output: object) -> None:
    """Exit if a condition does not hold."""
    if not condition:
        sys.exit(f'FAILED: {output}')


def images(folder: Path) -> None:
    """Write a few training images."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        pixels = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f'{index}.png')


def main() -> None:
    """Run the command."""
    args = make_parser(
        __doc__,
        Argument(
            '--mim',
            default=MIM,
            metavar='REQUIREMENT',
            help='requirement that provides mim'),
        Argument(
            '--kinds',
            nargs='+',
            choices=KINDS,
            default=list(KINDS),
            help='kinds of installation (default: both)')).parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        (folder / 'served').mkdir()
        write_weights(folder / 'served')
        with serve(folder / 'served') as address:
            for kind in args.kinds:
                print(f'{kind} installation')
                editable = KINDS[kind]
                sources = folder / f'sources-{kind}'
                copy_sources(sources, address)
                binaries = make_environment(folder / kind, sources, editable,
                                            args.mim)
                check(folder / f'cwd-{kind}', binaries, sources, editable)


if __name__ == '__main__':
    main()
