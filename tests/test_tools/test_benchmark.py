"""tools/benchmark.py: what it compares, refuses and prints."""
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from ..test_models.cpu_graph import CPUGraph

TOOL = 'tools/benchmark.py'


@pytest.fixture
def benchmark(run_tool, monkeypatch, capsys):
    """Run the tool at a small scale; returns what it prints."""
    monkeypatch.setattr(sys, 'path', list(sys.path))

    def run(*args):
        run_tool(TOOL, '--scale-down', '--repeats', 1, *args)
        return capsys.readouterr().out

    return run


def cells(output, name):
    """Cells of a workload's row."""
    row, = (line for line in output.splitlines() if f'| {name} |' in line)
    return [cell.strip() for cell in row.strip('|').split('|')]


def test_list(benchmark):
    names = benchmark('--list').split()
    assert len(names) == len(set(names))
    for name in ('config-f-sample-512-b4', 'config-f-d-step',
                 'config-f-g-step', 'config-f-r1', 'config-f-path-length',
                 'config-f-iteration', 'mspie-small-48-16-iterations',
                 'singan-interp-pad-scale-0', 'singan-spe-dim4-schedule',
                 'singan-spe-dim4-sample-512', 'fid', 'precision-recall',
                 'start'):
        assert name in names


@pytest.mark.parametrize('name', [
    'config-f-sample-256-b1', 'singan-interp-pad-scale-1',
    'singan-spe-dim4-sample-512', 'fid', 'precision-recall'
])
def test_workload(benchmark, name):
    _, mmagic, mmpe, ratio, *_, difference = cells(
        benchmark('--no-memory', '--only', name), name)
    assert float(ratio) > 0
    assert float(difference) <= 1e-4
    assert all(time.split()[1] in ('s', 'ms') for time in (mmagic, mmpe))


def test_json_and_times_that_follow_from_others(benchmark, tmp_path):
    path = tmp_path / 'figures.json'
    output = benchmark('--no-memory', '--only', 'config-f-iteration', '--json',
                       path)
    assert f'The figures are in {path}' in output
    figures = json.loads(path.read_text())
    rows = {row['name']: row for row in figures['rows']}
    assert len(rows) == 5
    for side in ('mmagic', 'mmpe'):
        seconds = {
            name[9:]: row['seconds'][side]['wall']
            for name, row in rows.items()
        }
        assert seconds['iteration'] == pytest.approx(
            seconds['d-step'] + seconds['g-step'] + seconds['r1'] / 16 +
            seconds['path-length'] / 4)
    assert figures['machine']['threads'] == torch.get_num_threads()
    row = rows['config-f-d-step']
    assert row['ratio'] == pytest.approx(row['seconds']['mmagic']['wall'] /
                                         row['seconds']['mmpe']['wall'])
    for side in ('mmagic', 'mmpe'):
        assert row['shares'][side] == pytest.approx(
            row['flops'] / row['seconds'][side]['wall'] /
            figures['convolution_rates'][side])


def test_no_ratio_where_results_differ(benchmark, monkeypatch, tmp_path):
    from mmpe.functional import distances
    right = distances.frechet_distance
    monkeypatch.setattr(distances, 'frechet_distance',
                        lambda *args: right(*args) * 1.001)
    path = tmp_path / 'figures.json'
    with pytest.raises(SystemExit) as error:
        benchmark('--no-memory', '--only', 'fid', '--json', path)
    assert str(error.value) == (
        'fid: value differs by 1.0e-03, more than 1e-04.')
    row, = json.loads(path.read_text())['rows']
    assert row['ratio'] is None


def test_rounding_is_tolerated(benchmark, agreement, monkeypatch):
    name = 'config-f-sample-256-b1'
    args = ('--no-memory', '--only', name)
    monkeypatch.setattr(agreement, 'differences', lambda *_: dict(image=2e-4))
    monkeypatch.setattr(agreement, 'effect_of_rounding',
                        lambda *_: dict(image=7e-5))
    output = benchmark(*args)
    assert float(cells(output, name)[3]) > 0
    assert (f'{name}: image differs by 2.0e-04, and by 7.0e-05 on '
            'the reference side alone when its weights are rounded '
            'differently') in output
    monkeypatch.setattr(agreement, 'effect_of_rounding',
                        lambda *_: dict(image=6e-5))
    with pytest.raises(SystemExit, match='differs by 2.0e-04, more than 2e'):
        benchmark(*args)


def test_effect_of_rounding(agreement):
    from benchmarking.core import Task
    model = torch.nn.Linear(50, 20)
    x = torch.ones(1, 50)
    task = Task(lambda: dict(value=model(x)), model)
    before = model.weight.clone()
    effect = agreement.effect_of_rounding(task, task.record())
    assert 1e-8 < effect['value'] < 1e-5
    assert model.weight.equal(before)


def test_bfloat16(benchmark):
    name = 'config-f-sample-256-b1'
    output = benchmark('--no-memory', '--dtype', 'bfloat16', '--only', name)
    assert 1e-4 < float(cells(output, name)[-1]) < 2e-2


def test_what_cannot_be_compiled_runs_as_written(benchmark, monkeypatch):
    monkeypatch.setattr('mmpe.models.singan.SinGAN.compile_networks',
                        lambda model: 'no compiler')
    name = 'singan-interp-pad-scale-1'
    output = benchmark('--no-memory', '--compile', '--only', 'fid', name)
    assert f'{name}: not compiled: no compiler' in output
    assert output.count('not compiled') == 1


def test_cuda_graphs(benchmark, monkeypatch):
    monkeypatch.setattr('mmpe.models.singan.SinGAN._graph_type', CPUGraph)
    monkeypatch.setattr(CPUGraph, 'num_replays', 0)
    name = 'singan-interp-pad-scale-0'
    output = benchmark('--no-memory', '--cuda-graphs', '--only', name)
    assert ', CUDA graphs;' in output and 'not used' not in output
    # After three iterations of a kind, of which there is one in a round.
    assert CPUGraph.num_replays >= 3 * 4 - 2 * 3


def test_peak_memory(benchmark, monkeypatch):
    def child(command, **kwargs):
        assert command[-4:] == ['--only', 'fid', '--memory-of', side.pop(0)]
        return SimpleNamespace(stdout=f'a log\n{3 * 2**20}\n')

    side = ['mmagic', 'mmpe']
    monkeypatch.setattr('subprocess.run', child)
    memory = cells(benchmark('--only', 'fid'), 'fid')[6:8]
    assert memory == ['3 MiB'] * 2


_PEAK_MEMORY = """
import sys
sys.path.insert(0, 'tools')
import torch
from benchmarking import measure
from benchmarking.core import Options, Task, Workload

def make(side, options):
    assert (side, options) == ('mmagic', Options())
    held = torch.ones(2**22)
    return Task(lambda: dict(value=torch.cat((held, held)).sum()))

print(measure.peak_memory('mmagic', Workload('name', make), Options()))
"""


def test_peak_memory_of_one_side():
    # In a process of its own, as it has to be.
    peak = subprocess.run([sys.executable, '-c', _PEAK_MEMORY],
                          check=True,
                          capture_output=True,
                          text=True).stdout.split()[-1]
    # 16 MiB are held, and 32 are added. Not all systems tell.
    assert peak == 'None' or 45 < int(peak) / 2**20 < 60


def test_unknown_workload(benchmark):
    with pytest.raises(SystemExit, match='--list prints, but got .nothing.'):
        benchmark('--only', 'nothing')


def test_number_of_repeats(run_tool, capsys):
    with pytest.raises(SystemExit):
        run_tool(TOOL, '--repeats', 0)
    assert 'must be at least 1, but got 0' in capsys.readouterr().err


def test_photograph_that_is_not_there(benchmark):
    with pytest.raises(SystemExit, match='There is no image file at .no.png'):
        benchmark('--image', 'no.png', '--list')


@pytest.fixture
def measure(benchmark):
    benchmark('--list')
    return sys.modules['benchmarking.measure']


@pytest.fixture
def agreement(benchmark):
    benchmark('--list')
    return sys.modules['benchmarking.agreement']


def test_differences(agreement):
    expected = {
        'image': torch.tensor([4., 1.]),
        'gradient of net.a': torch.tensor([3., 4.]),
        'gradient of net.b.c': torch.tensor([12.]),
        'loss': torch.tensor(2.)
    }
    results = {
        'image': torch.tensor([4., 2.]),
        'gradient of net.a': torch.tensor([3., 4.]),
        'gradient of net.b.c': torch.tensor([13.3]),
        'gradient of net.d': torch.zeros(2),
        'loss': torch.tensor(float('nan'))
    }
    found = agreement.differences(results, expected)
    assert found['image'] == 0.25
    assert found['gradient of net'] == pytest.approx(0.1)
    assert found['loss'] != found['loss']
    results['gradient of net.d'] = torch.ones(2)
    with pytest.raises(ValueError, match="Only one side has 'gradient of"):
        agreement.differences(results, expected)


def test_flops(measure):
    from benchmarking.core import Task
    x, weight = torch.ones(1, 2, 5, 5), torch.ones(3, 2, 3, 3)
    task = Task(lambda: torch.conv2d(x, weight) @ torch.ones(3, 4))
    # multiplications and additions
    expected = 2 * (3 * 3 * 3 * 2 * 3 * 3) + 2 * (3 * 3 * 3 * 4)
    assert measure.flops_of(task) == expected
