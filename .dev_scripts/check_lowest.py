r"""Run tests with the lowest versions of Python and packages that mmpe allows.

Creates a virtual environment in a temporary folder, with the lowest versions
that the lines of requirements/ allow; what those need in turn, and what only
tests need, is as new as possible. Prints all versions and runs tests. Takes
minutes and 6 GB, and requires uv (pip install uv) and a package index.

Examples:
    python .dev_scripts/check_lowest.py
    python .dev_scripts/check_lowest.py --python 3.11 tests/test_functional
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from pathlib import Path
from typing import Union

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / 'requirements'
LOWEST = ('runtime', 'demo', 'lite')
# What most tests import of requirements/tests.txt.
TOOLS = ('hypothesis', 'lpips', 'pytest', 'torch-fidelity')
TESTS = ('tests/test_analysis', 'tests/test_checkpoint.py',
         'tests/test_configs', 'tests/test_datasets', 'tests/test_engine',
         'tests/test_evaluation', 'tests/test_functional',
         'tests/test_fuzzing.py', 'tests/test_host.py', 'tests/test_inference',
         'tests/test_model_zoo.py', 'tests/test_models', 'tests/test_utils',
         'tests/test_weights.py')
MARKS = 'not slow and not tools'


def oldest_python() -> str:
    """The oldest version that setup.cfg allows."""
    config = ConfigParser()
    config.read(ROOT / 'setup.cfg')
    return config['options']['python_requires'].replace('>=', '')


def python(text: str) -> str:
    """A version or an interpreter, for argparse."""
    oldest = oldest_python()
    if re.fullmatch(r'3\.\d+', text):
        if int(text[2:]) < int(oldest[2:]):
            raise argparse.ArgumentTypeError(
                f'must be at least {oldest}, but got {text}')
    elif not (Path(text).is_file() and os.access(text, os.X_OK)):
        raise argparse.ArgumentTypeError(
            f'must be a version like {oldest} or the path of an interpreter, '
            f'but got {text!r}')
    return text


def test(text: str) -> str:
    """A test's path, with or without a name in it, for argparse."""
    path = ROOT / text.split('::')[0]
    if not path.is_relative_to(ROOT / 'tests') or not path.exists():
        raise argparse.ArgumentTypeError(
            f'must be a path in tests, but got {text!r}')
    return text


def run(*command: Union[str, Path]) -> None:
    """Run a command in the repository, and end if it fails."""
    status = subprocess.run(command, cwd=ROOT).returncode
    if status:
        sys.exit(status)


def make_environment(uv: str, folder: Path, version: str) -> Path:
    """Create an environment with the lowest versions; return its Python."""
    command = [uv, 'venv', '--quiet', str(folder), '--python']
    if subprocess.run([*command, version], capture_output=True).returncode:
        print(f'uv finds no Python {version}: this is a test with '
              f'{sys.executable}.', flush=True)
        run(*command, sys.executable)
    interpreter = folder / 'bin' / 'python'

    def install(*what: str) -> None:
        run(uv, 'pip', 'install', '--quiet', '--python', interpreter, *what)

    files = [f'--requirements={REQUIREMENTS / name}.txt' for name in LOWEST]
    install('--resolution=lowest-direct', '--no-build', *files)
    install(*TOOLS)
    mmagic = (REQUIREMENTS / 'mmagic.txt').read_text(encoding='utf-8')
    install('--no-deps', mmagic.split()[0], f'--editable={ROOT}')
    return interpreter


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'tests',
        nargs='*',
        type=test,
        default=list(TESTS),
        help='paths of tests (default: all of the package itself)')
    parser.add_argument(
        '-m',
        dest='marks',
        default=MARKS,
        help="tests of these markers, as pytest's (default: %(default)s)")
    parser.add_argument(
        '--python',
        type=python,
        default=oldest_python(),
        help='version or interpreter; the current one if uv does not find '
        'that version (default: %(default)s)')
    args = parser.parse_args()
    uv = shutil.which('uv')
    if not uv:
        parser.error('uv is not installed: run `pip install uv`')
    os.environ.pop('PYTHONPATH', None)  # the environment's own packages
    with tempfile.TemporaryDirectory() as temporary:
        interpreter = make_environment(uv, Path(temporary, 'venv'),
                                       args.python)
        run(uv, 'pip', 'freeze', '--python', interpreter)
        run(interpreter, '-m', 'pytest', '-p', 'no:cacheprovider', '-m',
            args.marks, *args.tests)


if __name__ == '__main__':
    main()
