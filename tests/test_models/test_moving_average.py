import copy
import warnings

import pytest
import torch
from mmagic.models.base_models import ExponentialMovingAverage as MMagics
from torch import nn

from mmpe.models.base_gan import BaseGAN
from mmpe.models.moving_average import ExponentialMovingAverage

from .test_mspie.networks import mspie


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def change(model):
    for value in model.state_dict().values():
        value += torch.rand(value.shape).mul(5).to(value)


def assert_same(ours, theirs):
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize('kwargs', [
    dict(momentum=.1), dict(momentum=.1, interval=3),
    dict(momentum=.1, update_buffers=True)
])  # yapf: disable
def test_same_as_mmagic(kwargs):
    model = network()
    ours, theirs = (
        cls(model, **kwargs) for cls in (ExponentialMovingAverage, MMagics))
    for step in range(8):
        change(model)
        for average in (ours, theirs):
            average.update_parameters(model)
        assert_same(ours, theirs)
        if step == 4:
            ours = copy.deepcopy(ours)
        if step == 5:  # goes on where it was
            state = ours.state_dict()
            ours = ExponentialMovingAverage(model, **kwargs)
            ours.load_state_dict(state)
    change(model)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for average in (ours, theirs):
            average.sync_buffers(model)
            average.sync_parameters(model)
    assert_same(ours, theirs)


def test_moves_along():
    model = network().double()
    average = ExponentialMovingAverage(network(), momentum=.5).double()
    for _ in range(2):
        average.update_parameters(model)
    assert all(torch.equal(a, b) for a, b in zip(
        average.module.parameters(), model.parameters()))


def test_gans_have_it():
    model = mspie()
    assert isinstance(model, BaseGAN)
    assert type(model.generator_ema) is ExponentialMovingAverage
    assert type(model.data_preprocessor).__module__.startswith('mmpe.')
