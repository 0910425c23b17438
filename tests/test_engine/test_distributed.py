"""What the runner says before it joins other processes.

tests/test_tools/test_distributed.py trains with several.
"""
import pytest
import torch

from mmpe.engine import Runner


@pytest.mark.parametrize('gpus, launcher, message', [
    (0, 'slurm', "must be \"pytorch\" .* no GPUs, but got 'slurm'"),
    (1, 'pytorch', 'each of 2 processes .* there are 1'),
])
def test_processes_without_a_device(monkeypatch, tmp_path, gpus, launcher,
                                    message):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: gpus)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    with pytest.raises(ValueError, match=message):
        Runner(
            torch.nn.Linear(1, 1),
            work_dir=str(tmp_path),
            launcher=launcher,
            env_cfg=dict(dist_cfg=dict(backend='nccl')))
