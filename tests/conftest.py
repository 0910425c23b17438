"""Settings of all tests: few threads, and MMagic behind the host bridge."""
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope

import mmpe  # noqa: F401

torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    """Skip what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if 'gpu' in item.keywords:
            item.add_marker(pytest.mark.skip(reason='there is no GPU'))


@pytest.fixture(autouse=True)
def _nothing_global_is_left():
    """Forget what Runners leave in mmengine's lists of current instances.

    In their default scope MMagic would build our parts; and a Runner of the
    same name, which tells the second of its start, would not become current.
    """
    managers = (DefaultScope, MessageHub, MMLogger)
    before = [manager._instance_dict.copy() for manager in managers]
    yield
    for manager, instances in zip(managers, before):
        manager._instance_dict.clear()
        manager._instance_dict.update(instances)
