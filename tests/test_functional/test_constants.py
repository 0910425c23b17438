import torch

from mmpe.functional import constants
from mmpe.functional.constants import constant, keep_constants


def make(*numbers):
    made.append(numbers)
    return torch.tensor(numbers)


made = []


def test_made_once_for_each_dtype_and_device(monkeypatch):
    monkeypatch.setattr(constants, '_made', constants._made.copy())
    made.clear()
    x = torch.zeros(1, dtype=torch.float64)
    first = constant(make, 1, 2, like=x)
    assert torch.equal(first, torch.tensor([1, 2], dtype=x.dtype))
    assert constant(make, 1, 2, like=x) is first
    assert constant(make, 1, 2, like=x.float()).dtype == torch.float32
    assert constant(make, 1, 2, like=x.to('meta')).is_meta
    assert made == [(1, 2)] * 3


def test_forgotten_and_kept(monkeypatch):
    monkeypatch.setattr(constants, '_made', type(constants._made)())
    monkeypatch.setattr(constants, '_MOST', 4)
    made.clear()
    x = torch.zeros(1)
    with keep_constants() as kept:
        for number in (1, 2, 1, 3):
            constant(make, number, number, like=x)
    assert [tensor[0] for tensor in kept] == [1, 2, 1, 3]
    # Two fit: the oldest was 2.
    constant(make, 1, 1, like=x)
    assert made == [(1, 1), (2, 2), (3, 3)]
    constant(make, 2, 2, like=x)
    assert len(made) == 4
    assert constant(make, *range(9), like=x).tolist() == list(range(9))
    assert not constants._made


def test_traced():
    made.clear()
    program = torch.export.export(_Adds(), (torch.zeros(3), ))
    before = len(made)
    torch.testing.assert_close(program.module()(torch.zeros(3)),
                               torch.tensor([1., 2, 3]))
    assert _Adds()(torch.zeros(3)).tolist() == [1, 2, 3]
    assert len(made) == before + 1


class _Adds(torch.nn.Module):

    def forward(self, x):
        return x + constant(make, 1, 2, 3, like=x)
