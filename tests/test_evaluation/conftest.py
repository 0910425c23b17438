"""Fixtures: a folder of images, a loader, and a stand-in network."""
import pytest
import torch

from .tiny import StandIn, make_loader, save_images


@pytest.fixture
def folder(tmp_path):
    return save_images(tmp_path / 'images', 14)


@pytest.fixture
def loader(folder):
    return make_loader(folder)


@pytest.fixture
def script(tmp_path):
    """A stand-in for NVIDIA's TorchScript files."""
    path = tmp_path / 'network.pt'
    torch.jit.script(StandIn()).save(str(path))
    return str(path)
