"""Damaged and malicious inputs; .dev_scripts/fuzz.py reads many more."""
import os
import pickle
import signal
import time
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .fuzzing import (KINDS, MARK, Kind, attempt, gadgets, harness, prepare,
                      run, table)


@pytest.fixture(scope='module', autouse=True)
def _prepared():
    prepare()


def make_nothing(random, folder):
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.name)
def test_a_result_or_one_line(kind, tmp_path_factory):

    @settings(
        max_examples=10 if kind.name == 'server' else 40,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def check(random):
        outcome = attempt(kind, random, tmp_path_factory.mktemp('input'))
        assert outcome.name in harness.RESULTS, outcome

    check()


@pytest.mark.tools
def test_the_same_inputs_in_child_processes():
    """As the long form reads them: crashes and memory would be seen."""
    first, second = (run(KINDS[:-1], 60, seed=3) for _ in range(2))
    assert [x.counts for x in first] == [x.counts for x in second]
    for summary in first:
        assert summary.num_faults == 0, table(first)
        assert 0 < summary.peak < harness.LIMITS.num_bytes
    counts = sum((x.counts for x in first), Counter())
    assert set(counts) == set(harness.RESULTS)


def test_payloads_are_live(tmp_path):
    """What is refused elsewhere would run here."""
    mark = tmp_path / MARK
    payloads = [gadgets.alone(Random(seed), mark) for seed in range(500)]
    for data in payloads:
        if b'cos\nmkdir\n(' in data and b'getattr' not in data:
            pickle.loads(data)
            mark.rmdir()
            return
    pytest.fail('There is no such payload.')


def crash(path):
    os.kill(os.getpid(), signal.SIGKILL)


def hang(path):
    time.sleep(60)


def execute(path):
    (path / MARK).touch()


def leave(path):
    (path / 'half').touch()
    raise ValueError('half of a file is there')


def allocate(path):
    return b'x' * 2**33


def fail(path):
    return {}['key']


def say_much(path):
    raise ValueError('')


@pytest.mark.tools
@pytest.mark.parametrize('read, fault', [
    (crash, 'crash'), (hang, 'hang'), (execute, 'code run'),
    (leave, 'left behind'), (allocate, 'memory'), (fail, 'crash'),
    (say_much, 'crash')
])
def test_faults_are_seen(read, fault, tmp_path, monkeypatch):
    monkeypatch.setattr(harness, 'LIMITS', harness.Limits(
        seconds=.2 if read is hang else 20))
    kind = Kind('fault', make_nothing, read, (ValueError, ), 1)
    summary, = run([kind], 2, keep=tmp_path)
    assert summary.counts == {fault: 2} and summary.num_faults == 2
    kept = sorted(tmp_path.iterdir())
    assert [path.name for path in kept] == ['fault-0', 'fault-1']
    assert (kept[0] / 'outcome.txt').read_text().startswith(fault)


def test_results_are_counted():
    kind = Kind('fine', make_nothing, lambda path: None, (), 1)
    summary, = run([kind], 450)
    assert summary.counts == {'result': 450}
    assert '| fine  | 450    | 450' in table([summary])
