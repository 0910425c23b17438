"""What holds of encodings, pyramids and resampling at any size."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from mmpe.datasets.singan_dataset import create_real_pyramid
from mmpe.functional.grids import (GROWTHS, axis_positions, cartesian_grid,
                                   context_positions, region_positions,
                                   sinusoidal_encoding)
from mmpe.functional.noise import coordinate_noise
from mmpe.functional.pyramid import (doubling_sizes, last_stage, pyramid_sizes,
                                     rescaled_size, resized_pyramid)
from mmpe.functional.resample import (area_matrix, filter_by_products,
                                      fir_filter2d, fir_matrix, resample_area,
                                      resize_bilinear)
from mmpe.functional.upsample import upsample, upsample_window
from mmpe.functional.winograd import winograd_conv2d
from mmpe.models.layers import CartesianGrid, SinusoidalPositionalEmbedding

lengths = st.integers(1, 12)
grid_lengths = st.integers(2, 40)
seeds = st.integers(0, 2**32)


def random_map(seed, *shape):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


@st.composite
def windows(draw, length):
    start = draw(st.integers(0, length - 1))
    return range(start, draw(st.integers(start + 1, length)))


# Encodings


@given(grid_lengths, grid_lengths)
def test_cartesian_grid(height, width):
    grid = cartesian_grid(height, width)
    assert grid.shape == (2, height, width) and grid.dtype == torch.float32
    x, y = grid
    assert x[0, 0] == y[0, 0] == -1 and x[-1, -1] == y[-1, -1] == 1
    # equal steps along its own axis, none along the other
    for channel, axis, length in ((x, 1, width), (y, 0, height)):
        steps = channel.diff(dim=axis)
        torch.testing.assert_close(
            steps, torch.full_like(steps, 2 / (length - 1)), atol=1e-6, rtol=0)
        assert not channel.diff(dim=1 - axis).any()
    torch.testing.assert_close(x.flip(1), -x)
    torch.testing.assert_close(y.flip(0), -y)
    assert torch.equal(cartesian_grid(width, height)[0], y.t())
    assert torch.equal(CartesianGrid().make_grid2d(height, width)[0], grid)


dims = st.integers(2, 16).map(lambda half: 2 * half)
positions = st.lists(
    st.floats(-1000, 1000, width=32), min_size=1, max_size=6).map(torch.tensor)


@given(positions, dims, st.booleans())
def test_sinusoidal_encoding_is_made_of_points_of_circles(
        positions, dim, div_half_dim):
    code = sinusoidal_encoding(positions, dim, div_half_dim)
    assert code.shape == (len(positions), dim)
    assert code.dtype == torch.float32
    assert code.abs().max() <= 1
    sines, cosines = code.chunk(2, dim=-1)
    torch.testing.assert_close(sines**2 + cosines**2, torch.ones_like(sines))
    mirrored = sinusoidal_encoding(-positions, dim, div_half_dim)
    torch.testing.assert_close(mirrored, torch.cat((-sines, cosines), -1))
    # the fastest circle turns by one radian a cell
    torch.testing.assert_close(sines[:, 0], positions.sin())


@given(st.integers(0, 300), st.integers(0, 60), dims, st.booleans())
def test_codes_are_alike_by_distance_alone(first, offset, dim, div_half_dim):
    half = dim // 2
    rates = 10000.**(-np.arange(half) / (half if div_half_dim else half - 1))
    code, other = sinusoidal_encoding(
        torch.tensor([first, first + offset]), dim, div_half_dim).double()
    assert float(code @ other) == pytest.approx(
        np.cos(offset * rates).sum(), abs=2e-4 * half)


@given(lengths, lengths, lengths, lengths, st.booleans())
def test_a_larger_encoding_goes_on(height, width, more, wider, centered):
    encoding = SinusoidalPositionalEmbedding(
        4, center_shift=30, centered=centered)
    small = encoding.make_grid2d(height, width)
    large = encoding.make_grid2d(height + more, width + wider)
    assert small.shape == (1, 8, height, width)
    # from the first cell on, or about the left one of the middle cells
    top, left = (((length + added + 1) // 2 - (length + 1) // 2) * centered
                 for length, added in ((height, more), (width, wider)))
    assert torch.equal(
        large[..., top:top + height, left:left + width], small)


@given(lengths, lengths, st.sampled_from(GROWTHS))
def test_axis_positions(length, trained, growth):
    cells = torch.arange(length)
    found = axis_positions(cells, length, trained, growth)
    assert found.shape == (length, ) and found.dtype == torch.float32
    if length == trained:
        torch.testing.assert_close(found, cells.float())
    if growth == 'tile':
        assert found.tolist() == [cell % trained for cell in range(length)]
    elif growth == 'stretch':
        assert found[0] == 0
        if length > 1:
            assert float(found[-1]) == pytest.approx(trained - 1, abs=1e-5)
            steps = found.diff()
            torch.testing.assert_close(steps, steps[:1].expand_as(steps))
    else:
        assert (found.diff() == 1).all()
    if growth == 'centre':
        assert found[(length - 1) // 2] == (trained - 1) // 2
    context = context_positions(
        torch.arange(-3, length + 3), length, trained, growth)
    torch.testing.assert_close(context[3:-3], found)
    outside = torch.cat((context[:4], context[-4:])).view(2, 4).diff()
    if growth != 'stretch':
        assert (outside == 1).all()


fractions = st.floats(0, 0.875)


@given(lengths, fractions, st.floats(1 / 64, 1), lengths, lengths)
def test_region_positions(length, start, extent, position_range, context):
    args = extent, position_range
    whole = region_positions(2 * length, start, *args)
    parts = [
        region_positions(length, start + place, extent / 2, position_range)
        for place in (0, extent / 2)
    ]
    torch.testing.assert_close(torch.cat(parts), whole, atol=1e-4, rtol=0)
    # two cells lie about the one that covers both
    coarse = region_positions(length, start, *args)
    torch.testing.assert_close(
        whole.view(-1, 2).mean(1), coarse, atol=1e-4, rtol=0)
    wider = region_positions(length, start, *args, context=context)
    torch.testing.assert_close(wider[context:-context], coarse)
    steps = wider.diff()
    torch.testing.assert_close(
        steps, torch.full_like(steps, extent / length * position_range),
        atol=1e-4, rtol=1e-4)


# Pyramids


@st.composite
def pyramids(draw):
    """Size of a photograph, and bounds that it fits."""
    min_size = draw(st.integers(1, 40))
    max_size = draw(st.integers(max(min_size, 4), 500))
    size = tuple(draw(st.integers(min_size, 600)) for _ in range(2))
    assume(min(rescaled_size(size, min(max_size / max(size), 1))) >= min_size)
    return size, min_size, max_size


@given(pyramids(), st.floats(0.3, 0.9))
def test_pyramid_sizes(pyramid, factor):
    size, min_size, max_size = pyramid
    sizes = pyramid_sizes(*pyramid, factor)
    assert len(sizes) == last_stage(*pyramid, factor) + 1 >= 2
    assert min(sizes[0]) == min_size
    assert max(sizes[-1]) == min(max(size), max_size)
    if max(size) <= max_size:
        assert sizes[-1] == size
    for smaller, larger in zip(sizes, sizes[1:]):
        assert smaller[0] <= larger[0] and smaller[1] <= larger[1]
    # one ratio from stage to stage, up to the rounding
    ratio = (min_size / min(sizes[-1]))**(1 / (len(sizes) - 1))
    for smaller, larger in zip(sizes, sizes[1:]):
        for less, more in zip(smaller, larger):
            assert abs(less - ratio * more) <= 0.5 + ratio / 2 + 1e-6


@given(pyramids())
def test_doubling_sizes(pyramid):
    sizes = doubling_sizes(*pyramid)
    assert len(sizes) >= 2 and max(sizes[-1]) <= pyramid[2]
    for smaller, larger in zip(sizes, sizes[1:]):
        assert larger == (2 * smaller[0], 2 * smaller[1])
    assert pyramid_sizes(*pyramid, doubling=True) == sizes
    assert last_stage(*pyramid, doubling=True) == len(sizes) - 1


@given(pyramids(), st.integers(1, 900), st.integers(1, 900))
def test_resized_pyramid(pyramid, height, width):
    sizes = pyramid_sizes(*pyramid)
    assert resized_pyramid(sizes, sizes[-1]) == sizes
    resized = resized_pyramid(sizes, (height, width))
    assert resized[-1] == (height, width) and len(resized) == len(sizes)
    for smaller, larger in zip(resized, resized[1:]):
        assert 1 <= smaller[0] <= larger[0] and 1 <= smaller[1] <= larger[1]


@given(st.integers(8, 48), st.integers(8, 48), st.booleans(), seeds)
def test_images_of_a_pyramid(height, width, doubling, seed):
    image = np.random.default_rng(seed).integers(
        0, 256, (height, width, 3), dtype=np.uint8)
    reals, factor, stop = create_real_pyramid(image, 4, 48, 0.6, doubling)
    assert stop == len(reals) - 1 and 0 < factor < 1
    assert [x.shape for x in reals] == [
        (*size, 3) for size in pyramid_sizes(image.shape[:2], 4, 48, 0.6,
                                             doubling)
    ]
    if not doubling:
        assert np.array_equal(reals[-1], image)
    # a plain area stays one
    for real in create_real_pyramid(
            np.full_like(image, seed % 256), 4, 48, 0.6, doubling)[0]:
        assert (real == seed % 256).all()


# Resampling

sizes = st.tuples(lengths, lengths)


@given(sizes, sizes, seeds)
def test_area_means_keep_the_mean(size, new_size, seed):
    x = random_map(seed, 2, 3, *size)
    resampled = resample_area(x, new_size)
    assert resampled.shape == (2, 3, *new_size)
    torch.testing.assert_close(
        resampled.mean((2, 3)), x.mean((2, 3)), atol=1e-5, rtol=1e-5)
    if new_size == size:
        assert resampled is x
    flat = resample_area(torch.full_like(x, 7), new_size)
    torch.testing.assert_close(
        flat, torch.full_like(flat, 7), atol=1e-5, rtol=0)
    # averaging cells by twos first changes nothing
    twice = resample_area(x, tuple(2 * length for length in new_size))
    torch.testing.assert_close(
        F.avg_pool2d(twice, 2), resampled, atol=1e-5, rtol=1e-5)


@given(st.integers(1, 60), lengths, fractions, fractions)
def test_area_means_of_a_part_are_integrals(length, out, start, extent):
    extent = (1 - start) * max(extent, 1 / 16)
    matrix = area_matrix(length, out, start, extent)
    # the mean of an interval from the integral up to its ends
    values = np.random.default_rng(length).normal(size=length)
    integral = np.interp(
        length * (start + extent * np.arange(out + 1) / out),
        np.arange(length + 1), np.append(0, values.cumsum()))
    expected = np.diff(integral) / (length * extent / out)
    np.testing.assert_allclose(
        matrix.double() @ torch.from_numpy(values), expected, atol=2e-3)


@given(sizes, sizes, seeds)
def test_bilinear_resize(size, new_size, seed):
    x = random_map(seed, 1, 2, *size)
    resized = resize_bilinear(x, new_size)
    assert resized.shape == (1, 2, *new_size)
    if new_size == size:
        assert resized is x
    assert resized.min() >= x.min() - 1e-9
    assert resized.max() <= x.max() + 1e-9
    if min(*size, *new_size) > 1:
        for row in (0, -1):
            for col in (0, -1):
                torch.testing.assert_close(resized[..., row, col],
                                           x[..., row, col])
        # what is linear stays linear
        ramp = cartesian_grid(*size)[None]
        torch.testing.assert_close(
            resize_bilinear(ramp, new_size), cartesian_grid(*new_size)[None],
            atol=1e-5, rtol=0)


def upfirdn(values, taps, before, after, up, down):
    """Along one axis: a sum over all inputs for each output."""
    out_length = (len(values) * up + before + after - len(taps)) // down + 1
    out = np.zeros(out_length)
    for index in range(out_length):
        for place, value in enumerate(values):
            # where the input stands below the flipped filter
            tap = place * up - (index * down - before)
            if 0 <= tap < len(taps):
                out[index] += value * taps[len(taps) - 1 - tap]
    return out


@given(
    size=sizes,
    taps=st.integers(1, 5),
    pad=st.tuples(st.integers(-2, 5), st.integers(-2, 5)),
    up=st.integers(1, 3),
    down=st.integers(1, 3),
    seed=seeds)
def test_fir_filter(size, taps, pad, up, down, seed):
    assume(min(size) * up + sum(pad) >= taps)
    assume(min(size) + min(pad) > 0)  # something is left of the map
    x = random_map(seed, 1, 2, *size).requires_grad_()
    rows, columns = random_map(seed + 1, 2, taps)
    out = fir_filter2d(x, torch.outer(rows, columns), pad, up, down)
    expected = x.detach().numpy()
    for axis, filter_ in ((2, rows), (3, columns)):
        expected = np.apply_along_axis(upfirdn, axis, expected,
                                       filter_.numpy(), *pad, up, down)
    np.testing.assert_allclose(out.detach(), expected, atol=1e-10)
    matrices = [
        fir_matrix(filter_, length, pad, up, down)
        for filter_, length in zip((rows, columns), size)
    ]
    torch.testing.assert_close(filter_by_products(x, *matrices), out)
    # the gradient is the transposed map
    grad = random_map(seed + 2, *out.shape)
    actual, = torch.autograd.grad(out, x, grad)
    torch.testing.assert_close(
        actual, filter_by_products(grad, *[m.t() for m in matrices]))


@given(st.data(), sizes, sizes, st.booleans())
def test_a_window_of_what_is_enlarged(data, size, more, align_corners):
    new_size = tuple(map(sum, zip(size, more)))
    rows, cols = (data.draw(windows(length)) for length in new_size)
    x = random_map(0, 1, 2, *size).float()

    def read(rows, cols):
        return x[..., rows.start:rows.stop, cols.start:cols.stop]

    window = upsample_window(read, size, new_size, rows, cols, align_corners)
    whole = upsample(x, new_size, align_corners)
    torch.testing.assert_close(
        window, whole[..., rows.start:rows.stop, cols.start:cols.stop],
        atol=1e-4, rtol=1e-4)


@given(st.data(), sizes, st.integers(0, 2**63), st.integers(0, 9))
def test_a_window_of_noise(data, size, seed, stage):
    rows, cols = (data.draw(windows(length)) for length in size)
    whole = coordinate_noise(seed, stage, 2, *map(range, size))
    window = coordinate_noise(seed, stage, 2, rows, cols)
    assert torch.equal(
        window, whole[:, rows.start:rows.stop, cols.start:cols.stop])


@given(st.tuples(st.integers(3, 20), st.integers(3, 20)), st.integers(0, 2),
       st.integers(1, 4), seeds)
def test_winograd(size, padding, channels, seed):
    x = random_map(seed, 2, channels, *size)
    weight = random_map(seed + 1, 3, channels, 3, 3)
    torch.testing.assert_close(
        winograd_conv2d(x, weight, None, padding),
        F.conv2d(x, weight, padding=padding))
