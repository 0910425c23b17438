import mmagic.models.editors.mspie.positional_encoding as reference
import pytest
import torch

from mmpe.functional.grids import axis_positions, sinusoidal_encoding
from mmpe.models.layers import CartesianGrid, SinusoidalPositionalEmbedding
from mmpe.registry import MODELS


@pytest.mark.parametrize('name', ['SPE', 'SPE2d',
                                  'SinusoidalPositionalEmbedding'])
def test_names_of_spe(name):
    module = MODELS.build(dict(type=name, embedding_dim=4, padding_idx=0))
    assert isinstance(module, SinusoidalPositionalEmbedding)
    assert module.num_channels == 8


@pytest.mark.parametrize('name', ['CSG', 'CSG2d', 'CatersianGrid',
                                  'CartesianGrid'])
def test_names_of_csg(name):
    module = MODELS.build(dict(type=name))
    assert isinstance(module, CartesianGrid)
    assert module.num_channels == 2


@pytest.mark.parametrize('size', [(4, 4), (5, 9), (31, 30)])
@pytest.mark.parametrize('dim', [4, 8, 256])
@pytest.mark.parametrize('div_half_dim', [False, True])
@pytest.mark.parametrize('center_shift', [None, 100])
def test_spe_equals_mmagic(size, dim, div_half_dim, center_shift):
    kwargs = dict(
        embedding_dim=dim,
        padding_idx=0,
        init_size=512,
        div_half_dim=div_half_dim,
        center_shift=center_shift)
    ours = SinusoidalPositionalEmbedding(**kwargs)
    theirs = reference.SinusoidalPositionalEmbedding(**kwargs)
    image = torch.zeros(2, 3, *size)
    grid = ours(image)
    assert grid.shape == (2, ours.num_channels, *size)
    torch.testing.assert_close(grid, theirs(image), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        ours.make_grid2d(*size), theirs.make_grid2d(*size), rtol=1e-4,
        atol=1e-5)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: v.shape for k, v in theirs.state_dict().items()}


def test_spe_of_tokens_equals_mmagic():
    tokens = torch.tensor([[3, 5, 0, 9, 0, 7], [0, 1, 1, 1, 1, 1]])
    ours = SinusoidalPositionalEmbedding(8, 0)
    theirs = reference.SinusoidalPositionalEmbedding(8, 0)
    torch.testing.assert_close(ours(tokens), theirs(tokens), rtol=1e-4,
                               atol=1e-5)


def test_spe_grows_beyond_its_initial_size():
    """MMagic drops ``div_half_dim`` when it regrows its table; we do not."""
    small = SinusoidalPositionalEmbedding(8, 0, init_size=8, div_half_dim=True)
    large = reference.SinusoidalPositionalEmbedding(
        8, 0, init_size=64, div_half_dim=True)
    torch.testing.assert_close(
        small.make_grid2d(20, 33), large.make_grid2d(20, 33), rtol=1e-4,
        atol=1e-5)


def test_spe_counts_from_one_without_holes():
    """MMagic puts a zero vector into grids of twice the shift and more."""
    spe = SinusoidalPositionalEmbedding(4, 0, center_shift=5)
    grid = spe.make_grid2d(2, 30)
    expected = sinusoidal_encoding(torch.arange(1., 31.), 4).t()
    torch.testing.assert_close(grid[0, :4, 0], expected)


@pytest.mark.parametrize('length', [4, 5, 30])
def test_centered_spe_keeps_the_middle(length):
    spe = SinusoidalPositionalEmbedding(4, 0, center_shift=10, centered=True)
    middle = (length + 1) // 2 - 1
    grid = spe.make_grid2d(length, length)
    expected = sinusoidal_encoding(torch.tensor([10., 10.]), 4).flatten()
    torch.testing.assert_close(grid[0, :, middle, middle], expected)
    moved = spe.make_grid2d(length, length, center_shift=3)
    expected = sinusoidal_encoding(torch.tensor([3., 3.]), 4).flatten()
    torch.testing.assert_close(moved[0, :, middle, middle], expected)


def test_centered_spe_needs_a_center():
    with pytest.raises(ValueError, match='`center_shift` must be a position'):
        SinusoidalPositionalEmbedding(4, 0, centered=True)


@pytest.mark.parametrize('size', [(4, 4), (5, 9), (31, 30)])
def test_csg_equals_mmagic(size):
    image = torch.zeros(3, 1, *size, dtype=torch.float64)
    ours, theirs = CartesianGrid()(image), reference.CatersianGrid()(image)
    assert ours.dtype == torch.float64
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('module', [
    SinusoidalPositionalEmbedding(4, 0),
    CartesianGrid(),
])
def test_wrong_number_of_dimensions(module):
    with pytest.raises(ValueError, match=r'must be .*but got \(2, 3, 4\)'):
        module(torch.zeros(2, 3, 4))


@pytest.mark.parametrize('encoding', [
    SinusoidalPositionalEmbedding(8),
    SinusoidalPositionalEmbedding(4, center_shift=30, centered=True),
    CartesianGrid()
])
@pytest.mark.parametrize('size', [(5, 8), (6, 4), (9, 13)])
def test_own_growth_gives_the_own_grid(encoding, size):
    trained = (5, 8)
    rows, columns = (axis_positions(
        torch.arange(new), new, old, encoding.growth)
                     for new, old in zip(size, trained))
    positions = torch.stack(torch.meshgrid(rows, columns, indexing='ij'))
    torch.testing.assert_close(
        encoding.encode_positions(positions, trained),
        encoding.make_grid2d(*size)[0],
        atol=1e-5,
        rtol=1e-5)
