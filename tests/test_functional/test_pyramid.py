import mmagic.datasets.singan_dataset as reference
import mmcv
import numpy as np
import pytest

from mmpe.functional.pyramid import (doubling_sizes, last_stage, pyramid_sizes,
                                     rescaled_size, resized_pyramid)


@pytest.mark.parametrize('size, max_size, expected', [
    ((186, 248), 300, 8),  # balloons
    ((171, 256), 300, 8),
    ((250, 250), 300, 10),
    ((25, 33), 300, 1),
])
def test_last_stage(size, max_size, expected):
    assert last_stage(size, 25, max_size, 0.75) == expected


@pytest.mark.parametrize('size', [(186, 248), (251, 94), (26, 300), (64, 64)])
def test_sizes_within_max_size_equal_mmagic(size):
    image = np.zeros((*size, 3), np.uint8)
    reals, _, stop = reference.create_real_pyramid(image, 25, 300, 0.75)
    sizes = pyramid_sizes(size, 25, 300, 0.75)
    assert sizes == [real.shape[:2] for real in reals]
    assert len(sizes) == stop + 1
    assert sizes[-1] == size


@pytest.mark.parametrize('size', [(427, 640), (1000, 301), (4000, 3000)])
@pytest.mark.parametrize('min_size, max_size', [(25, 120), (30, 300)])
def test_sizes_honour_both_bounds(size, min_size, max_size):
    sizes = pyramid_sizes(size, min_size, max_size, 0.75)
    assert max(sizes[-1]) == max_size
    assert min(sizes[0]) == min_size
    ratio = size[0] / size[1]
    for smaller, larger in zip(sizes, sizes[1:]):
        assert smaller[0] < larger[0] and smaller[1] < larger[1]
        assert smaller[0] / smaller[1] == pytest.approx(ratio, rel=.05)
        assert .6 < smaller[0] / larger[0] < .9


def test_rescaled_size_rounds_as_mmcv_does():
    image = np.zeros((37, 51, 3), np.uint8)
    for factor in np.linspace(0.1, 1.9, 37):
        assert rescaled_size(
            (37, 51), factor) == mmcv.imrescale(image, factor).shape[:2]


@pytest.mark.parametrize('args, message', [
    (((20, 300), 25, 300, .75), 'too small: it has 20 x 300'),
    (((100, 2000), 25, 300, .75), '15 x 300 within max_size=300'),
    (((100, 100), 50, 40, .75), '0 < `min_size` <= `max_size`'),
    (((100, 100), 0, 40, .75), '0 < `min_size` <= `max_size`'),
    (((100, 100), 25, 40, 1), '`scale_factor` must be between 0 and 1'),
])
def test_bad_arguments(args, message):
    with pytest.raises(ValueError, match=message):
        last_stage(*args)


@pytest.mark.parametrize('size, min_size, max_size, coarsest, finest', [
    ((186, 248), 20, 250, (23, 31), (184, 248)),
    ((427, 640), 20, 112, (19, 28), (76, 112)),
    ((141, 250), 20, 250, (18, 31), (144, 248)),  # 31.25 columns
    ((252, 254), 20, 254, (15, 15), (240, 240)),  # 16 would give 256
    ((3000, 4000), 20, 512, (24, 32), (384, 512)),
    ((25, 33), 20, 250, (13, 17), (26, 34)),  # halved at least once
    ((3, 9), 1, 9, (2, 4), (4, 8)),  # not to a single row
])
def test_doubling_sizes(size, min_size, max_size, coarsest, finest):
    sizes = doubling_sizes(size, min_size, max_size)
    assert sizes[0] == coarsest and sizes[-1] == finest
    for smaller, larger in zip(sizes, sizes[1:]):
        assert larger == (2 * smaller[0], 2 * smaller[1])
    args = size, min_size, max_size
    assert pyramid_sizes(*args, doubling=True) == sizes
    assert last_stage(*args, 7, doubling=True) == len(sizes) - 1


@pytest.mark.parametrize('min_size', [1, 4, 20, 25])
@pytest.mark.parametrize('max_size', [25, 112, 250, 512])
def test_doubling_sizes_honour_all_bounds(min_size, max_size):
    random = np.random.default_rng(0)
    for size in random.integers(1, 700, (300, 2)).tolist():
        within = rescaled_size(size, min(max_size / max(size), 1))
        if min(within) < min_size:
            with pytest.raises(ValueError, match='too small'):
                doubling_sizes(size, min_size, max_size)
            continue
        sizes = doubling_sizes(size, min_size, max_size)
        assert len(sizes) > 1 and max(sizes[-1]) <= max_size
        for smaller, larger in zip(sizes, sizes[1:]):
            assert larger == (2 * smaller[0], 2 * smaller[1])
        # the aspect ratio differs by a rounding of the coarsest size
        for coarsest, length in zip(sizes[0], within):
            exact = length / 2**(len(sizes) - 1)
            assert coarsest in (2, int(exact), int(exact + 0.5))


@pytest.mark.parametrize('args, message', [
    ((20, 300), 'too small: it has 20 x 300'),
    ((100, 2000), '15 x 300 within max_size=300'),
])
def test_doubling_needs_large_photographs(args, message):
    with pytest.raises(ValueError, match=message):
        doubling_sizes(args, 25, 300)


@pytest.mark.parametrize('min_size, max_size, message', [
    (50, 40, '0 < `min_size` <= `max_size`'),
    (3, 3, '`max_size` must be at least 4 .* but got 3'),
])
def test_bad_bounds_of_doubling(min_size, max_size, message):
    with pytest.raises(ValueError, match=message):
        doubling_sizes((60, 60), min_size, max_size)


def test_resized_pyramid():
    sizes = [(25, 33), (50, 66), (100, 132)]
    assert resized_pyramid(sizes, (100, 132)) == sizes
    assert resized_pyramid(sizes, (200, 66)) == [(50, 17), (100, 33),
                                                 (200, 66)]
    assert resized_pyramid(sizes, (1, 1))[0] == (1, 1)
