import numpy as np
import pytest
import torch

from mmpe.functional.noise import coordinate_noise


def whole_map(seed=5, stage=2, channels=3):
    return coordinate_noise(seed, stage, channels, range(60), range(70))


@pytest.mark.parametrize('rows, cols', [
    (range(60), range(70)),
    (range(1), range(1)),
    (range(7, 19), range(1, 70)),
    (range(59, 60), range(66, 67)),
    (range(3, 40), range(4, 8)),
    (range(20, 21), range(3, 69)),
])
def test_a_window_is_a_crop(rows, cols):
    window = coordinate_noise(5, 2, 3, rows, cols)
    assert window.dtype == torch.float32
    assert torch.equal(
        window,
        whole_map()[:, rows.start:rows.stop, cols.start:cols.stop])


def test_fewer_channels_are_the_first_ones():
    assert torch.equal(whole_map(channels=2), whole_map()[:2])


def test_far_coordinates():
    rows, cols = range(10**9, 10**9 + 2), range(10**9 - 1, 10**9 + 6)
    window = coordinate_noise(0, 0, 1, rows, cols)
    assert torch.equal(
        window[:, 1:, 3:],
        coordinate_noise(0, 0, 1, range(10**9 + 1, 10**9 + 2),
                         range(10**9 + 2, 10**9 + 6)))


def test_values_follow_the_definition():
    """Each value from a generator of its own, set to its coordinate."""
    noise = coordinate_noise(2**63, 4, 2, range(2, 4), range(9, 15))
    for channel in range(2):
        for row in range(2, 4):
            for col in range(9, 15):
                words = np.random.Philox(
                    key=2**63,
                    counter=(col // 4) + (row << 64) + (channel << 128) +
                    (4 << 192)).random_raw(4)
                uniform = ((int(words[col % 4]) >> 12) + .5) / 2**52
                normal = torch.distributions.Normal(
                    torch.zeros((), dtype=torch.float64), 1)
                assert noise[channel, row - 2,
                             col - 9].item() == pytest.approx(
                                 normal.icdf(torch.tensor(uniform)).item(),
                                 rel=1e-5,
                                 abs=1e-7)


def test_is_standard_normal_and_uncorrelated():
    noise = coordinate_noise(1, 0, 2, range(400), range(400)).double()
    assert noise.mean().abs() < .01
    assert (noise.std() - 1).abs() < .01
    assert (noise.pow(3).mean().abs() < .03)
    assert (noise.pow(4).mean() - 3).abs() < .08
    for other in (noise.roll(1, 1), noise.roll(1, 2), noise.roll(4, 2),
                  noise.flip(0)):
        assert (noise * other).mean().abs() < .01


@pytest.mark.parametrize('seed, stage', [(6, 2), (5, 3), (5 + 2**32, 2),
                                         (2**63, 2)])
def test_seed_and_stage_matter(seed, stage):
    product = whole_map() * whole_map(seed, stage)
    assert product.mean().abs() < .04


@pytest.mark.parametrize('seed', [-1, 2**63 + 1])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match='`seed` must be between 0 and'):
        coordinate_noise(seed, 0, 1, range(4), range(4))


@pytest.mark.parametrize('cells', [range(0), range(-2, 3), range(0, 8, 2)])
def test_window_is_checked(cells):
    with pytest.raises(ValueError, match='`rows` must be a non-empty range'):
        coordinate_noise(0, 0, 1, cells, range(4))
    with pytest.raises(ValueError, match='`cols` must be a non-empty range'):
        coordinate_noise(0, 0, 1, range(4), cells)
