import math

import pytest
import torch

from mmpe.functional.grids import (GROWTHS, axis_positions, cartesian_grid,
                                   centered_positions, counted_positions,
                                   region_positions, sinusoidal_encoding,
                                   sinusoidal_grid)


@pytest.mark.parametrize('height, width', [(2, 2), (4, 7), (9, 3)])
def test_cartesian_grid_values(height, width):
    grid = cartesian_grid(height, width)
    assert grid.shape == (2, height, width)
    for i in range(height):
        for j in range(width):
            assert grid[0, i, j].item() == pytest.approx(
                -1 + j * 2 / (width - 1), abs=1e-6)
            assert grid[1, i, j].item() == pytest.approx(
                -1 + i * 2 / (height - 1), abs=1e-6)


@pytest.mark.parametrize('size', [(1, 4), (4, 1), (0, 0)])
def test_cartesian_grid_needs_two_cells(size):
    with pytest.raises(ValueError, match='at least 2 x 2 cells'):
        cartesian_grid(*size)


def test_counted_positions_start_at_one():
    assert counted_positions(4).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize('length, expected', [
    (1, [10]),
    (2, [10, 11]),
    (3, [9, 10, 11]),
    (4, [9, 10, 11, 12]),
])
def test_centered_positions_keep_the_middle(length, expected):
    assert centered_positions(length, 10).tolist() == expected


@pytest.mark.parametrize('dim, div_half_dim', [(4, False), (8, False),
                                               (2, True), (8, True)])
def test_sinusoidal_encoding_values(dim, div_half_dim):
    positions = torch.tensor([[0., 1.], [2.5, 117.]])
    code = sinusoidal_encoding(positions, dim, div_half_dim)
    assert code.shape == (2, 2, dim)
    half = dim // 2
    for index in range(half):
        rate = 10000**(-index / (half if div_half_dim else half - 1))
        for row in range(2):
            for col in range(2):
                angle = positions[row, col].item() * rate
                assert code[row, col, index].item() == pytest.approx(
                    math.sin(angle), abs=1e-5)
                assert code[row, col, half + index].item() == pytest.approx(
                    math.cos(angle), abs=1e-5)


@pytest.mark.parametrize('dim, div_half_dim', [(3, False), (2, False),
                                               (0, True), (5, True)])
def test_sinusoidal_encoding_checks_its_dimension(dim, div_half_dim):
    with pytest.raises(ValueError, match='`embedding_dim` must be even'):
        sinusoidal_encoding(torch.zeros(1), dim, div_half_dim)


def test_sinusoidal_grid_has_x_first():
    y, x = torch.arange(3.), torch.arange(5.) + 40
    grid = sinusoidal_grid(y, x, 4)
    assert grid.shape == (8, 3, 5)
    for i in range(3):
        torch.testing.assert_close(grid[:4, i], sinusoidal_encoding(x, 4).t())
    for j in range(5):
        torch.testing.assert_close(grid[4:, :, j],
                                   sinusoidal_encoding(y, 4).t())


@pytest.mark.parametrize('growth, expected', [
    ('stretch', [0, 0.6, 1.2, 1.8, 2.4, 3]),
    ('extend', [0, 1, 2, 3, 4, 5]),
    ('centre', [-1, 0, 1, 2, 3, 4]),
    ('tile', [0, 1, 2, 3, 0, 1]),
])
def test_axis_positions_of_a_longer_axis(growth, expected):
    positions = axis_positions(torch.arange(6), 6, 4, growth)
    assert positions.tolist() == pytest.approx(expected)


@pytest.mark.parametrize('growth', GROWTHS)
def test_axis_positions_of_the_trained_axis_are_its_cells(growth):
    positions = axis_positions(torch.arange(5), 5, 5, growth)
    assert positions.tolist() == pytest.approx([0, 1, 2, 3, 4])


def test_axis_positions_name_what_there_is():
    with pytest.raises(ValueError, match="'stretch'.*'tile'.*but got 'grow'"):
        axis_positions(torch.arange(3), 3, 2, 'grow')


def test_region_positions_are_centres_of_cells():
    assert region_positions(4, 0., 1., 4).tolist() == [0, 1, 2, 3]
    assert region_positions(2, 0., 1., 4).tolist() == [.5, 2.5]
    assert region_positions(2, .5, .5, 4, context=1).tolist() == [1, 2, 3, 4]
    assert region_positions(4, .25, .5, 4).tolist() == [.75, 1.25, 1.75, 2.25]
