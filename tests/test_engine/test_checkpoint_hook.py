import random

import numpy as np
import torch

from mmpe.checkpoint import read_checkpoint
from mmpe.engine.hooks.checkpoint_hook import (CheckpointHook, random_state,
                                               set_random_state)
from mmpe.registry import HOOKS, build_from


def draw():
    return (random.random(), random.gauss(0, 1), np.random.rand(),
            np.random.randn(), torch.rand(3).tolist())


def test_random_state_survives_a_checkpoint(tmp_path):
    random.gauss(0, 1), np.random.randn()  # half of a pair is kept back
    path = tmp_path / 'state.pth'
    torch.save(dict(states=[random_state()]), path)
    expected = [draw() for _ in range(3)]
    draw()
    set_random_state(read_checkpoint(path)['states'][0])
    assert [draw() for _ in range(3)] == expected


def test_hook_replaces_mmengines():
    hook = build_from(HOOKS, dict(type='CheckpointHook', interval=5))
    assert isinstance(hook, CheckpointHook)
    assert hook.backend_args == dict(backend='atomic')
    hook = CheckpointHook(backend_args=dict(backend='local'))
    assert hook.backend_args == dict(backend='local')
