import pytest
import torch
import torch.nn.functional as F

from mmpe.functional.resample import (area_matrix, filter_by_products,
                                      fir_filter2d, fir_kernel, fir_matrix,
                                      resample_area, resize_bilinear)
from mmpe.models.layers.resample import EdgeFIRUpsampler, FIRFilter

from tests.test_models.oracle import upfirdn2d


def test_kernel_is_a_normalised_outer_product():
    kernel = fir_kernel([1, 3, 3, 1], gain=4)
    assert kernel[0, 0] == 4 / 64 and kernel[1, 2] == 4 * 9 / 64
    assert kernel.sum() == 4
    rows = [[1., 2.], [3., 4.]]
    assert torch.equal(fir_kernel(rows), torch.tensor(rows) / 10)


@pytest.fixture(params=[False, True], ids=['contiguous', 'channels_last'])
def channels_last(request):
    return request.param


@pytest.fixture
def x(channels_last):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 7, 6, dtype=torch.float64)
    return x.contiguous(
        memory_format=torch.channels_last) if channels_last else x


@pytest.fixture(params=[(2, 2), (1, 2), (0, 0), (-1, 1)], ids=str)
def pad(request):
    return request.param


@pytest.mark.parametrize('up, down', [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_filter_against_one_step_after_the_other(x, up, down, pad):
    kernel = torch.rand(4, 4, dtype=torch.float64)  # not symmetric
    expected = upfirdn2d(x, kernel, up, down, pad)
    torch.testing.assert_close(
        fir_filter2d(x, kernel, pad, up, down), expected)


@pytest.mark.parametrize('up, down', [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_products_do_what_the_filter_does(x, up, down, pad, channels_last):
    taps = torch.rand(2, 4, dtype=torch.float64)  # not symmetric
    rows, columns = (
        fir_matrix(taps[axis], x.shape[2 + axis], pad, up, down)
        for axis in range(2))
    actual = filter_by_products(x, rows, columns)
    torch.testing.assert_close(
        actual, fir_filter2d(x, torch.outer(*taps), pad, up, down))
    if channels_last:
        assert actual.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('make', [
    FIRFilter.upsampler, EdgeFIRUpsampler.upsampler,
    lambda taps: FIRFilter.before_conv(taps, 1, down=2)
])  # yapf: disable
def test_small_and_large_maps_are_filtered_alike(make):
    torch.manual_seed(0)
    layer = make([1, 3, 3, 1])
    small = torch.randn(1, 2, 8, 8)
    large = small.expand(1024, -1, -1, -1)  # too many numbers for products
    torch.testing.assert_close(layer(large)[-1:], layer(small))
    # A kernel that is loaded holds for both, also an inseparable one.
    for kernel in (fir_kernel([1, 2, 3, 4]), torch.rand(4, 4)):
        before = layer(small)
        layer.load_state_dict(dict(kernel=kernel))
        torch.testing.assert_close(layer(large)[-1:], layer(small))
        assert not torch.allclose(layer(small), before)


@pytest.mark.parametrize('up, down', [(1, 1), (2, 1), (1, 2)])
def test_filter_can_be_differentiated_twice(up, down):
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    kernel = torch.rand(3, 3, dtype=torch.float64)

    def squared(x):
        return fir_filter2d(x, kernel, (1, 1), up, down).square()

    assert torch.autograd.gradcheck(squared, x)
    assert torch.autograd.gradgradcheck(squared, x)


@pytest.mark.parametrize('layer, size', [
    (FIRFilter.upsampler([1, 3, 3, 1]), 16),
    (FIRFilter.before_conv([1, 3, 3, 1], 3), 9),
    (FIRFilter.before_conv([1, 3, 3, 1], 1, down=2), 4),
    (FIRFilter.after_transposed_conv([1, 3, 3, 1], 3), 7),
])
def test_sizes(layer, size):
    assert layer(torch.ones(1, 2, 8, 8)).shape == (1, 2, size, size)


def test_edge_upsampler_is_the_filter_inside_and_bilinear_everywhere():
    x = torch.randn(1, 3, 6, 5)
    edge = EdgeFIRUpsampler.upsampler([1, 3, 3, 1])(x)
    zero = FIRFilter.upsampler([1, 3, 3, 1])(x)
    torch.testing.assert_close(edge[..., 2:-2, 2:-2], zero[..., 2:-2, 2:-2])
    assert not torch.allclose(edge, zero)
    torch.testing.assert_close(
        edge, F.interpolate(x, scale_factor=2, mode='bilinear'))


def test_resize_keeps_corners_and_leaves_fitting_maps_alone():
    x = torch.randn(1, 2, 4, 4)
    resized = resize_bilinear(x, (6, 5))
    assert resized.shape == (1, 2, 6, 5)
    torch.testing.assert_close(resized[..., 0, 0], x[..., 0, 0])
    torch.testing.assert_close(resized[..., -1, -1], x[..., -1, -1])
    assert resize_bilinear(x, (4, 4)) is x


@pytest.mark.parametrize('up, down', [(1, 1), (2, 1), (1, 2)])
def test_half_precision_stays_and_float32_does_too(up, down):
    x, kernel = torch.randn(1, 2, 6, 6), fir_kernel([1, 3, 3, 1])
    with torch.autocast('cpu', dtype=torch.bfloat16):
        exact = fir_filter2d(x, kernel, (2, 1), up, down)
        half = fir_filter2d(x.bfloat16(), kernel, (2, 1), up, down)
        layer = FIRFilter([1, 3, 3, 1], (2, 1), up, down)
        assert torch.equal(layer(x), exact)
        assert torch.equal(layer(x.bfloat16()), half)
    assert exact.dtype == torch.float32 and half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), exact, rtol=0.02, atol=0.02)


def test_area_means():
    torch.manual_seed(0)
    x = torch.rand(2, 3, 12, 8)
    torch.testing.assert_close(resample_area(x, (4, 4)),
                               F.avg_pool2d(x, (3, 2)))
    # 3 pixels of 8 cells each: the first takes all of two, and 2/3 of a third.
    row = resample_area(x, (12, 3))[..., 0]
    torch.testing.assert_close(
        row, (x[..., 0] + x[..., 1] + x[..., 2] * 2 / 3) * 3 / 8)
    assert resample_area(x, (12, 8)) is x


def test_area_means_of_a_part():
    x = torch.rand(1, 1, 12, 8)
    part = resample_area(x, (3, 2), (.5, .25, .5, .5))
    torch.testing.assert_close(part, F.avg_pool2d(x[..., 6:, 2:6], 2))


@pytest.mark.parametrize('length, out, start, extent', [(7, 3, 0., 1.),
                                                        (64, 48, .2, .7),
                                                        (5, 9, 0., 1.)])
def test_area_matrices_keep_a_constant(length, out, start, extent):
    matrix = area_matrix(length, out, start, extent)
    assert (matrix >= 0).all()
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(out))
