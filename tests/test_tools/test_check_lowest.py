""".dev_scripts/check_lowest.py, with a uv that installs nothing."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import ROOT

SCRIPT = Path(ROOT, '.dev_scripts', 'check_lowest.py')
# It has no Python 3.9; the Python of its environments fails.
UV = '''#!/bin/sh
echo uv "$@" >>"$LOG"
case "$*" in
venv*" 3.9") exit 2 ;;
venv*) mkdir -p "$3/bin" && cat >"$3/bin/python" <<'END'
#!/bin/sh
echo python "$@" >>"$LOG"
exit "$STATUS"
END
chmod +x "$3/bin/python" ;;
*freeze*) echo torch==2.1.0 ;;
esac
'''


@pytest.fixture
def check_lowest(tmp_path):
    """Run the script; its result and the commands it has run."""
    for name in ('bin', 'temporary'):
        (tmp_path / name).mkdir()
    uv, log = tmp_path / 'bin/uv', tmp_path / 'log'
    uv.write_text(UV)
    uv.chmod(0o755)

    def run(*args, status=0):
        result = subprocess.run(
            [sys.executable, SCRIPT, *args],
            env={
                **os.environ, 'PATH': f'{uv.parent}:{os.environ["PATH"]}',
                'LOG': str(log),
                'STATUS': str(status),
                'TMPDIR': str(tmp_path / 'temporary')
            },
            text=True,
            capture_output=True)
        assert not os.listdir(tmp_path / 'temporary')
        return result, log.read_text().splitlines()

    return run


def test_commands(check_lowest):
    result, commands = check_lowest('--python', '3.12')
    assert result.returncode == 0
    assert result.stdout == 'torch==2.1.0\n'
    venv, lowest, tools, mmpe, freeze, tests = commands
    assert venv.endswith('--python 3.12')
    assert '--resolution=lowest-direct --no-build' in lowest
    for name in ('runtime', 'demo', 'lite'):
        assert f'--requirements={ROOT}/requirements/{name}.txt' in lowest
    assert 'lowest' not in tools
    assert tools.endswith(' hypothesis lpips pytest torch-fidelity')
    assert mmpe.endswith(f' --no-deps mmagic==1.2.0 --editable={ROOT}')
    assert ' freeze ' in freeze
    marks, *paths = tests.split(' tests/')
    assert marks.endswith(' -m not slow and not tools')
    assert {'test_host.py', 'test_models'} < set(paths)
    assert all(Path(ROOT, 'tests', path).exists() for path in paths)


def test_failure_without_the_oldest_python(check_lowest):
    result, commands = check_lowest('tests/test_host.py', '-m', '', status=3)
    assert result.returncode == 3
    first, *others = result.stdout.splitlines()
    assert first == ('uv finds no Python 3.9: this is a test with '
                     f'{sys.executable}.')
    assert others == ['torch==2.1.0']
    assert commands[0].endswith('--python 3.9')
    assert commands[1].endswith(f'--python {sys.executable}')
    assert commands[-1].endswith(' -m  tests/test_host.py')
