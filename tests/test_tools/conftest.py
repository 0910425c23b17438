import functools
import importlib.util
import os.path as osp
import sys

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))


def run_script(monkeypatch, path, *args):
    """Run a script of the repository as the command line would."""
    spec = importlib.util.spec_from_file_location('tool_under_test',
                                                  osp.join(ROOT, path))
    module = importlib.util.module_from_spec(spec)
    # Where worker processes look for the tool's functions.
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, 'argv', [path, *map(str, args)])
    module.main()


@pytest.fixture
def run_tool(monkeypatch):
    return functools.partial(run_script, monkeypatch)


def write_photograph(folder):
    image = np.random.default_rng(0).integers(
        0, 256, (40, 52, 3), dtype=np.uint8)
    path = folder / 'photograph.png'
    Image.fromarray(image).save(path)
    return str(path)


@pytest.fixture
def photograph(tmp_path):
    return write_photograph(tmp_path)


def same(a, b):
    """Whether two (nested) states are equal to the last bit."""
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b
