import re

import numpy as np
import pytest

from mmpe.models.mspie import ScaleSampler, chosen_scale_for, output_size


@pytest.mark.parametrize('probabilities', [None, [0.5, 0.25, 0.25],
                                           [0., 0.1, 0.9]])
def test_frequencies_follow_the_probabilities(probabilities):
    sampler = ScaleSampler([0, 2, 4], probabilities)
    draws = [sampler.at(iteration) for iteration in range(6000)]
    expected = probabilities or [1 / 3] * 3
    frequencies = [draws.count(scale) / 6000 for scale in (0, 2, 4)]
    # Four standard deviations of a frequency are at most 0.026.
    assert np.allclose(frequencies, expected, atol=0.026)


def test_draws_depend_on_seed_and_iteration_only():
    first, second = ScaleSampler([0, 2, 4]), ScaleSampler([0, 2, 4])
    backwards = [second.at(iteration) for iteration in range(99, -1, -1)]
    assert [first.at(iteration) for iteration in range(100)] == backwards[::-1]
    other = ScaleSampler([0, 2, 4], seed=1)
    assert [other.at(i) for i in range(100)] != backwards[::-1]


@pytest.mark.parametrize('scales, probabilities, message', [
    ([], None, 'multi_input_scales'),
    ([0, 2.5], None, 'multi_input_scales'),
    ([0, -4], None, 'at least -3'),
    ([0, 2], [1.], 'one value for each of 2 scales'),
    ([0, 2], [0.5, 0.6], 'sum to 1'),
    ([0, 2], [1.5, -0.5], 'sum to 1'),
])
def test_bad_scales(scales, probabilities, message):
    with pytest.raises(ValueError, match=message):
        ScaleSampler(scales, probabilities)


def test_sizes_of_the_rows():
    assert output_size(0) == (256, 256)
    assert output_size((2, 12)) == (384, 1024)
    assert output_size(4, num_upblocks=3) == (64, 64)
    assert chosen_scale_for((384, 1024)) == (2, 12)
    assert chosen_scale_for((64, 256)) == (-3, 0)


@pytest.mark.parametrize('size, nearest', [((300, 500), (320, 512)),
                                           ((10, 256), (64, 256))])
def test_impossible_size_names_the_nearest(size, nearest):
    message = (f'(4 + extra cells) * 64 for a 256 generator, but got {size}; '
               f'the nearest is {nearest}')
    with pytest.raises(ValueError, match=re.escape(message)):
        chosen_scale_for(size)
