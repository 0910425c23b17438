from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmpe.analysis import untrained
from mmpe.analysis.cues import CuesHook, change_cues


@pytest.fixture
def dcgan():
    return untrained('dcgan', 32, seed=0).model


def cells(images):
    """The 4 x 4 parts of images, that come from cells of the first map."""
    return images.unfold(2, 8, 8).unfold(3, 8, 8).flatten(2, 3)


def test_a_flat_first_map_leaves_padding_alone(dcgan):
    z = torch.randn(2, dcgan.noise_size)
    with torch.no_grad():
        before = dcgan(z)
        change_cues(dcgan, flat_first_map=True)
        flat = dcgan(z)
    assert not torch.allclose(before, flat)
    parts = cells(flat)
    # the 4 cells in the middle see no border
    inner = parts[:, :, [5, 6, 9, 10]]
    assert torch.allclose(inner, inner[:, :, :1].expand_as(inner), atol=1e-6)
    assert not torch.allclose(parts[:, :, 0], parts[:, :, 5], atol=1e-3)


def test_without_any_cue_all_cells_are_alike(dcgan):
    change_cues(dcgan, 'reflect', flat_first_map=True)
    with torch.no_grad():
        parts = cells(dcgan(torch.randn(2, dcgan.noise_size)))
    # but for the cells at the border, which are mirrored
    inner = parts[:, :, [5, 6, 9, 10]]
    assert torch.allclose(inner, inner[:, :, :1].expand_as(inner), atol=1e-6)


def test_the_hook_changes_generator_and_average_once(dcgan):
    average = untrained('dcgan', 32, seed=0).model
    model = nn.Module()
    model.generator = dcgan
    model.generator_ema = nn.Module()
    model.generator_ema.module = average
    keys = list(dcgan.state_dict())
    hook = CuesHook(flat_first_map=True)
    runner = SimpleNamespace(model=model)
    hook.before_run(runner)
    z = torch.randn(2, dcgan.noise_size)
    with torch.no_grad():
        first = dcgan(z)
        assert torch.equal(first, average(z))
        hook.before_run(runner)
        assert torch.equal(first, dcgan(z))
    assert list(dcgan.state_dict()) == keys


def test_none_is_refused(dcgan):
    with pytest.raises(ValueError, match="must not be 'none'"):
        change_cues(dcgan, 'none')
