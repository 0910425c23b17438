"""Two processes: real images shared out, fakes gathered, one result."""
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmagic.evaluation.evaluator import Evaluator
from mmpe.evaluation import FrechetInceptionDistance
from .tiny import TinyGAN, make_loader, run_evaluator

SCRIPT = """
import sys
import torch
import torch.distributed as dist
import tests.conftest
from mmpe.engine import leave_processes
from tests.test_evaluation.test_distributed import evaluate

rank, folder, script, work = int(sys.argv[1]), *sys.argv[2:]
dist.init_process_group('gloo', init_method=f'file://{work}/rendezvous',
                        rank=rank, world_size=2)
torch.save(evaluate(folder, script, f'{work}/cache'), f'{work}/{rank}.pt')
leave_processes()  # as the tools do: Python's own way out may abort
"""


def evaluate(folder, script, cache):
    torch.manual_seed(0)
    metric = FrechetInceptionDistance(
        7, 13, inception_path=script, real_size=(16, 16), cache_dir=cache)
    # Every batch alike, so that the number of processes does not matter.
    model = TinyGAN()
    model.noise_fn = lambda noise=None, num_batches=1: torch.eye(
        4, 12)[:num_batches]
    return run_evaluator(Evaluator([metric]), model, make_loader(folder))


@pytest.mark.tools
def test_two_processes_agree(folder, script, tmp_path):
    commands = [[
        sys.executable, '-c', SCRIPT,
        str(rank),
        str(folder), script,
        str(tmp_path)
    ] for rank in range(2)]
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(
            command, cwd=root, stderr=subprocess.PIPE, text=True)
        for command in commands
    ]
    for process in processes:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
    results = [torch.load(tmp_path / f'{rank}.pt') for rank in range(2)]
    assert results[0] == results[1]
    assert len(list((tmp_path / 'cache').iterdir())) == 1
    # One process draws 4 and 3 fakes, two draw 4 each and leave one out: the
    # same seven images.
    alone = evaluate(folder, script, str(tmp_path / 'other'))
    assert set(alone) == set(results[0])
    assert abs(alone['fid'] / results[0]['fid'] - 1) < 1e-6
