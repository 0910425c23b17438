""".dev_scripts/check_gpu.py, scaled down and without a GPU."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_utils.test_parallel import is_gone
from tests.waiting import wait_for

from .conftest import ROOT

TOOL = Path(ROOT, '.dev_scripts', 'check_gpu.py')
GROUPS = ['equal', 'rows', 'modes', 'waiting', 'speed']


def check_gpu(*args):
    variables = dict(os.environ, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
    return subprocess.run([sys.executable, TOOL, *map(str, args)],
                          env=variables,
                          capture_output=True,
                          timeout=400,
                          text=True)


@pytest.fixture
def core(monkeypatch):
    """The module that runs groups."""
    for folder in ('tools', '.dev_scripts'):
        monkeypatch.syspath_prepend(str(Path(ROOT, folder)))
    from gpu_checks import core
    return core


@pytest.mark.slow
def test_all_groups(tmp_path):
    result = check_gpu('--device', 'cpu', '--scale-down', '--out', tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    results = json.loads((tmp_path / 'results.json').read_text())
    assert list(results['groups']) == GROUPS
    for group in results['groups'].values():
        statuses = {check['status'] for check in group['checks']}
        assert 'ok' in statuses and statuses <= {'ok', 'not here'}
    rows = [x['name'] for x in results['groups']['rows']['checks']]
    assert len(rows) == 21
    page = (tmp_path / 'gpu.md').read_text()
    for name in [*rows, 'are meaningless', 'synchronisations per iteration']:
        assert name in page
    logs = {f'{name}.log' for name in GROUPS}
    assert {path.name for path in tmp_path.iterdir()
            } == logs | {'results.json', 'gpu.md'}

    again = check_gpu('--render', tmp_path / 'results.json', '--out', tmp_path)
    assert again.returncode == 0 and (tmp_path / 'gpu.md').read_text() == page


def test_without_a_gpu_one_line(tmp_path):
    result = check_gpu('--out', tmp_path / 'out')
    assert result.returncode == 2
    assert 'PyTorch sees no GPU' in result.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def _fail():
    raise ValueError('two\nlines')


def test_what_fails_or_hangs_does_not_end_the_others(core, tmp_path):
    def error():
        raise core.CheckError('4 expected', dict(number=3))

    def group(*runs):
        checks = [core.Check(str(i), run) for i, run in enumerate(runs)]
        return core.Group('group', 'Group', 9, lambda options: checks)

    def statuses(limit, *runs):
        result = core.run_group(group(*runs), options, limit)
        return [(x['status'], x['note']) for x in result['checks']]

    options = core.Options('cpu', True, tmp_path)
    assert statuses(60, error, _fail, lambda: dict(a=1)) == [
        ('failed', '4 expected'), ('failed', 'ValueError: two'), ('ok', '')
    ]
    assert statuses(60, lambda: {}, lambda: os._exit(7), dict) == [
        ('ok', ''), ('failed', 'ended with code 7'), ('not run', '')
    ]
    # What a check has started ends with its group.
    started = tmp_path / 'started'
    command = f'echo $$ > {started}; exec sleep 3600'
    assert statuses(3, lambda: subprocess.run(command, shell=True),
                    dict) == [('failed', 'out of time'), ('not run', '')]
    pid = int(started.read_text())
    wait_for(lambda: is_gone(pid))


def test_later_results_of_a_group_count(core, tmp_path):
    from gpu_checks import report

    def results(**statuses):
        groups = {
            name: dict(
                title=name,
                seconds=1,
                checks=[dict(name='x', status=status, note='why')])
            for name, status in statuses.items()
        }
        return dict(machine=dict(commit='abc'), scaled_down=False,
                    groups=groups)

    paths = []
    for index, content in enumerate(
        (results(one='failed', two='failed'), results(two='ok'))):
        paths.append(tmp_path / f'{index}.json')
        paths[-1].write_text(json.dumps(content))
    merged = report.merged(paths)
    assert report.failures(merged) == 1
    page = report.page(merged)
    assert '| x | failed |' in page and '| x | ok |' in page
    assert '- x: why' in page


def test_help_of_the_wheels():
    result = subprocess.run(
        ['bash', Path(ROOT, '.dev_scripts/gpu_wheels.sh'), '--help'],
        text=True,
        capture_output=True)
    assert result.returncode == 0 and not result.stderr
    assert 'gpu_wheels.sh [FOLDER]' in result.stdout
