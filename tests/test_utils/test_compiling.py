import pytest
import torch
from torch import nn

from mmpe.utils.compiling import compile_networks, eagerly


@pytest.fixture
def compiler(monkeypatch):
    """Takes the place of the compiler: counts calls of what it compiled."""
    calls = []

    def compile_(self):
        def call(*args):
            calls.append(self)
            return self._call_impl(*args)

        self._compiled_call_impl = call

    monkeypatch.setattr(nn.Module, 'compile', compile_)
    return calls


def networks():
    return [nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 1))]


def test_compiles(compiler):
    first, second = networks()
    state = torch.get_rng_state()
    assert compile_networks(
        [first, second], lambda a, b: b(a(torch.randn(4, 2)))) is None
    # The trial leaves no trace.
    assert torch.get_rng_state().equal(state)
    assert first.weight.grad is None
    assert len(compiler) == 2 and first not in compiler
    second(first(torch.ones(1, 2)))
    assert compiler[2:] == [first, second]


def test_eagerly(compiler):
    first, second = networks()
    compile_networks([first, second], lambda a, b: a.weight)
    with pytest.raises(KeyError), eagerly(first, nn.Sequential(second)):
        second(first(torch.ones(1, 2)))
        assert not compiler
        raise KeyError
    second(first(torch.ones(1, 2)))
    assert compiler == [first, second]


def test_a_failure_is_one_line(compiler):
    first, second = networks()

    def trial(a, b):
        a(torch.ones(1, 2))
        raise RuntimeError('\nno compiler\nand a long explanation')

    assert compile_networks([first, second], trial) == 'no compiler'
    before = len(compiler)
    first(torch.ones(1, 2))
    assert len(compiler) == before
