"""Random layouts and their pictures."""
from itertools import islice

import numpy as np
import pytest
import torch

from mmpe.models import PatchDiffusion
from mmpe.models.patch_diffusion import RandomLayout, training_pairs


def model(positions=None):
    result = PatchDiffusion(
        positions, patch_size=7, min_size=12, max_size=40)
    result.set_photograph(
        np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8))
    return result.eval()


def layout(seed=0, **amounts):
    return RandomLayout(torch.Generator().manual_seed(seed),
                        **{**dict(shift=0, zoom=0, bend=0), **amounts})


def test_without_amounts_the_layout_is_the_photographs():
    y, x = layout().positions((5, 7))
    assert (y == torch.arange(5)[:, None]).all()
    assert (x == torch.arange(7)).all()


def test_a_shift_is_one_and_a_zoom_keeps_the_middle():
    moved = layout(shift=0.1).positions((11, 21))
    offset = moved - layout().positions((11, 21))
    assert (offset - offset[:, :1, :1]).abs().max() < 1e-5
    assert offset.abs().max() > 0.1
    zoomed = layout(zoom=0.3).positions((11, 21))
    torch.testing.assert_close(zoomed[:, 5, 10], torch.tensor([5., 10.]))


def test_scales_are_told_the_same_layout():
    random = layout(shift=0.1, zoom=0.1, bend=0.1)
    coarse, fine = random.positions((11, 21)), random.positions((21, 41))
    # aligned corners: every second place is the coarse one's
    torch.testing.assert_close(
        fine[:, ::2, ::2] / 20, coarse / 10, atol=0.02, rtol=0)


def test_pairs_can_be_drawn_again():
    network = model(dict(type='CSG'))
    first, second = islice(training_pairs(network, seed=4), 2)
    again = next(training_pairs(network, seed=5))
    assert first.positions.shape == (2, 30, 40)
    assert [x.shape[2:] for x in first.noises] == [
        level.size for level in network.levels]
    assert not torch.equal(first.image, second.image)
    assert torch.equal(second.image, again.image)
    assert torch.equal(second.positions, again.positions)


def test_positions_are_needed():
    with pytest.raises(ValueError, match='explicit positions'):
        training_pairs(model())
