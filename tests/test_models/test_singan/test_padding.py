"""Windows are crops of the whole."""
import pytest
import torch

from mmpe.models.singan.padding import (BorderPadding, InterpolationPadding,
                                        NoPadding, upsample, upsample_window)

POLICIES = [
    NoPadding(),
    BorderPadding(5),
    BorderPadding(5, 'reflect'),
    InterpolationPadding(5)
]
WINDOWS = [
    lambda length: range(length),
    lambda length: range(1),
    lambda length: range(2, 9),
    lambda length: range(length - 3, length),
    lambda length: range(length // 2, length // 2 + 1),
]


def reader(image):
    """Gives windows, and sees that they are inside."""

    def read(rows, cols):
        for cells, length in zip((rows, cols), image.shape[2:]):
            assert 0 <= cells.start < cells.stop <= length
        return crop(image, rows, cols)

    return read


def crop(image, rows, cols):
    return image[..., rows.start:rows.stop, cols.start:cols.stop]


def random_map(size):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, 3, *size, generator=generator)


@pytest.mark.parametrize('policy', POLICIES)
@pytest.mark.parametrize('size', [(10, 23), (17, 9)])
def test_windows_of_padded_maps(policy, size):
    image = random_map(size)
    whole = policy(image)
    for rows in (window(whole.shape[2]) for window in WINDOWS):
        for cols in (window(whole.shape[3]) for window in WINDOWS):
            torch.testing.assert_close(
                policy.window(reader(image), size, rows, cols),
                crop(whole, rows, cols),
                atol=1e-5,
                rtol=0)


@pytest.mark.parametrize('size, new_size', [
    ((10, 14), (13, 21)), ((10, 14), (37, 14)), ((30, 20), (22, 11)),
    ((1, 1), (9, 12)), ((2, 3), (9, 10)), ((9, 8), (1, 12))])
def test_windows_of_resized_maps(size, new_size):
    image = random_map(size)
    whole = upsample(image, new_size)
    for rows, cols in [(range(new_size[0]), range(new_size[1])),
                       (range(1), range(3, 9)),
                       (range(new_size[0] - 1, new_size[0]), range(10))]:
        torch.testing.assert_close(
            upsample_window(reader(image), size, new_size, rows, cols),
            crop(whole, rows, cols),
            atol=1e-5,
            rtol=0)


def test_resized_as_accurately_far_from_the_corner():
    """Rounded places matter where their numbers are large."""
    image = random_map((3, 50000))
    rows, cols = range(1, 4), range(66000, 66500)
    torch.testing.assert_close(
        upsample_window(reader(image), (3, 50000), (4, 66667), rows, cols),
        crop(upsample(image, (4, 66667)), rows, cols),
        atol=1e-5,
        rtol=0)


def test_little_is_read():
    seen = []

    def read(rows, cols):
        seen.append(len(rows) * len(cols))
        return torch.zeros(1, 3, len(rows), len(cols))

    upsample_window(read, (3000, 3000), (4000, 4000), range(1000, 1040),
                    range(2000, 2040))
    BorderPadding(5).window(read, (3000, 3000), range(7), range(3000, 3010))
    assert seen[0] <= 35**2 and seen[1] <= 2 * 10
