""".dev_scripts/small_rows.sh explains itself and refuses wrong folders."""
import subprocess
from pathlib import Path

import pytest

from .conftest import ROOT


def small_rows(*args):
    return subprocess.run(
        ['bash', Path(ROOT, '.dev_scripts/small_rows.sh'), *args],
        text=True,
        capture_output=True)


def test_help():
    result = small_rows('--help')
    assert result.returncode == 0
    assert 'small_rows.sh PHOTOS OUT' in result.stdout
    assert 'ITERATIONS' in result.stdout and 'set -e' not in result.stdout


@pytest.mark.parametrize('args, said', [
    ([], 'but got 0'),
    (['one'], 'but got 1'),
    (['nowhere', 'out'], "no folder 'nowhere'"),
])
def test_wrong_folders_are_one_line(args, said, tmp_path):
    args = [str(tmp_path / x) if x == 'out' else x for x in args]
    result = small_rows(*args)
    assert result.returncode == 2 and said in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not list(
        tmp_path.iterdir())
