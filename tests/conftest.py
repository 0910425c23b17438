"""Settings of all tests: few threads, and MMagic behind the host bridge."""
import pytest
import torch
from mmengine.registry import DefaultScope

import mmpe  # noqa: F401

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _no_scope_is_left():
    """Runners set a default scope, in which MMagic would build our parts."""
    scopes = DefaultScope._instance_dict.copy()
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(scopes)
