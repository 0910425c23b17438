r"""Run mmpe's tests with OpenMMLab's packages and with their maintained forks.

Each combination gets a virtual environment with its own mmengine and mmcv;
torch and other packages are borrowed from the current environment. Tests the
host bridge, checkpoints, a training of each family, and `mim`, and prints the
table of docs/forks.md. Takes some minutes per combination, and requires PyPI,
Python 3.10 or newer, and the extras `demo`, `lite` and `tests`.

Examples:
    python .dev_scripts/check_forks.py
    python .dev_scripts/check_forks.py --only 3 --skip-mim
"""
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import List, Sequence

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mmpe.utils.arguments import Argument, make_parser  # noqa: E402

# Combinations to test. onedl-mmcv is built without compiled operators.
COMBINATIONS = [
    ('mmengine==0.10.7', 'mmcv-lite==2.1.0'),
    ('onedl-mmengine==0.10.12', 'mmcv-lite==2.1.0'),
    ('mmengine==0.10.7', 'onedl-mmcv==2.3.6'),
    ('onedl-mmengine==0.10.12', 'onedl-mmcv==2.3.6'),
]
# Not borrowed: the packages under test, mmpe and installers.
OWN = re.compile(r'_*(editable_.*)?(onedl_)?(mmengine|mmcv|mim|openmim|mmpe'
                 r'|pip|setuptools|pkg_resources|_distutils_hack)')
SINGAN = 'tests/test_tools/test_singan_tools.py'
MSPIE = 'tests/test_tools/test_mspie_tools.py'
TESTS = {
    'host bridge': ['tests/test_host.py'],
    'checkpoints': ['tests/test_checkpoint.py'],
    'SinGAN': [f'{SINGAN}::test_seed_and_resume', f'{SINGAN}::test_amp'],
    'StyleGAN2, MS-PIE':
    [f'{MSPIE}::test_row', '-k', '256x256 or config-f_c2 and 256-512'],
    'patch diffusion': [f'{SINGAN}::test_demo_draws_without_training']
}


def make_environment(folder: Path, requirements: Sequence[str]) -> str:
    """Create an environment with the packages; return its Python."""
    subprocess.run([sys.executable, '-m', 'venv', str(folder)], check=True)
    site, = folder.glob('lib/python*/site-packages')
    for entry in Path(sysconfig.get_path('purelib')).iterdir():
        if not OWN.match(entry.name) and not (site / entry.name).exists():
            (site / entry.name).symlink_to(entry)
    python = str(folder / 'bin' / 'python')
    subprocess.run([
        python, '-m', 'pip', 'install', '--quiet', '--no-deps', *requirements
    ], check=True)
    return python


def run(command: List[str], log: Path) -> str:
    """Run a command; return its test counts, or 'passed' or 'failed'."""
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    start = time.monotonic()
    with open(log, 'w') as file:
        code = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT).returncode
    counts = re.findall(r'\d+ (?:passed|failed|error|skipped)',
                        log.read_text())
    result = ', '.join(counts) or ('failed' if code else 'passed')
    print(f'    {result} in {time.monotonic() - start:.0f} s: {log}',
          flush=True)
    return result


def check(combination: Sequence[str], folder: Path,
          skip_mim: bool) -> List[str]:
    """Run the tests; return the cells of the table's row."""
    print(' + '.join(combination), flush=True)
    python = make_environment(folder / 'venv', combination)
    cells = [
        run([python, '-m', 'pytest', '-o', 'addopts=', *arguments],
            folder / f'{name}.log') for name, arguments in TESTS.items()
    ]
    if not skip_mim:
        cells.append(
            run([python, '.dev_scripts/check_mim.py', '--kinds', 'regular'],
                folder / 'mim.log'))
    return cells


def main() -> None:
    """Run the command."""
    parser = make_parser(
        __doc__,
        Argument(
            '--only',
            type=int,
            nargs='+',
            choices=range(1, len(COMBINATIONS) + 1),
            help='numbers of the combinations (default: all)'),
        Argument('--skip-mim', action='store_true', help='do not test mim'),
        Argument(
            '--logs', type=Path, help='new folder for environments and logs'))
    args = parser.parse_args()
    if args.logs and args.logs.exists():
        parser.error('--logs must be a folder that does not exist, but got '
                     f'{args.logs}')
    logs = args.logs or Path(tempfile.mkdtemp())
    columns = ['mmengine', 'mmcv', *TESTS]
    if not args.skip_mim:
        columns.append('mim')
    lines = [f'| {" | ".join(columns)} |', '| :- ' * len(columns) + '|']
    for number, combination in enumerate(COMBINATIONS, 1):
        if args.only and number not in args.only:
            continue
        folder = logs / str(number)
        folder.mkdir(parents=True)
        cells = check(combination, folder, args.skip_mim)
        names = [name.replace('==', ' ') for name in combination]
        lines.append(f'| {" | ".join([*names, *cells])} |')
    print('\n'.join(lines))
    if re.search('failed|error', '\n'.join(lines)):
        sys.exit(1)


if __name__ == '__main__':
    main()
