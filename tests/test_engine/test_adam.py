import copy

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from mmpe.engine.optimizers import Adam
from mmpe.engine.optimizers.adam import _FUSED_ON_CPU

SETTINGS = dict(lr=.1, betas=(.5, .99), weight_decay=.01)


def networks():
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 5, 3))
    return network, copy.deepcopy(network)


def train(network, optimizer, steps=5):
    for step in range(steps):
        torch.manual_seed(step)
        optimizer.zero_grad()
        network(torch.randn(2, 3, 9, 9)).square().mean().backward()
        optimizer.step()


def assert_same(ours, theirs, **tolerances):
    for a, b in zip(ours.parameters(), theirs.parameters()):
        torch.testing.assert_close(a, b, **tolerances)


@pytest.mark.skipif(not _FUSED_ON_CPU, reason='PyTorch has none')
@pytest.mark.parametrize('in_groups', [False, True])
def test_fused_is_the_same(in_groups):
    ours, theirs = networks()
    params = list(ours.parameters())
    if in_groups:
        params = [dict(params=params[:2], lr=.1), dict(params=params[2:])]
    optimizer = Adam(iter(params), **SETTINGS)
    assert all(group['fused'] for group in optimizer.param_groups)
    train(ours, optimizer)
    train(theirs, torch.optim.Adam(theirs.parameters(), **SETTINGS))
    assert_same(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('said', [
    dict(fused=False), dict(foreach=True), dict(foreach=False),
    dict(differentiable=True)
])  # yapf: disable
def test_what_a_config_says_counts(said):
    network, _ = networks()
    group, = Adam(network.parameters(), **said).param_groups
    assert not group['fused']
    assert {key: group[key] for key in said} == said


def test_numbers_that_cannot_be_fused():
    x = torch.zeros(3, dtype=torch.complex64, requires_grad=True)
    group, = Adam([x]).param_groups
    assert not group['fused']


def test_configs_find_it():
    network, _ = networks()
    init_default_scope('mmpe')
    wrapper = build_optim_wrapper(
        network, dict(optimizer=dict(type='Adam', lr=.1)))
    assert type(wrapper.optimizer) is Adam


def test_resuming_what_was_not_fused():
    ours, theirs = networks()
    before = torch.optim.Adam(theirs.parameters(), **SETTINGS)
    train(theirs, before)
    ours.load_state_dict(theirs.state_dict())
    optimizer = Adam(ours.parameters(), **SETTINGS)
    optimizer.load_state_dict(copy.deepcopy(before.state_dict()))
    train(ours, optimizer)
    train(theirs, before)
    assert_same(ours, theirs, rtol=0, atol=0)


def test_state_of_other_shapes():
    network, _ = networks()
    optimizer = Adam(network.parameters(), **SETTINGS)
    train(network, optimizer)
    state = optimizer.state_dict()
    network[0] = torch.nn.Conv2d(3, 4, 1)
    other = Adam(network.parameters(), **SETTINGS)
    with pytest.raises(ValueError, match=r'\(4, 3, 3, 3\) in place of'):
        other.load_state_dict(state)
