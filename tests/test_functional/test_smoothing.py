"""Smooth noise has the same variance everywhere, and windows are exact."""
import pytest
import torch

from mmpe.functional.smoothing import smooth_noise, smoothing_reach

SIZE = (30, 21)
WHOLE = [range(length) for length in SIZE]


@pytest.mark.parametrize('width', [0.7, 3])
def test_variance_and_correlation(width):
    noise = torch.randn(
        4000, 1, *SIZE, generator=torch.Generator().manual_seed(0))
    field = smooth_noise(noise, width, SIZE, *WHOLE, *WHOLE)
    torch.testing.assert_close(
        field.std(0), torch.ones(1, *SIZE), atol=0.06, rtol=0)
    # Gaussian windows that are `width` apart overlap by exp(-1 / 4).
    if width == 3:
        y = SIZE[0] // 2
        correlation = (field[:, 0, y, 10] * field[:, 0, y + 3, 10]).mean()
        torch.testing.assert_close(
            correlation, torch.tensor(-0.25).exp(), atol=0.05, rtol=0)


def test_windows():
    noise = torch.randn(
        2, 3, *SIZE, generator=torch.Generator().manual_seed(1))
    width = 2
    whole = smooth_noise(noise, width, SIZE, *WHOLE, *WHOLE)
    reach = smoothing_reach(width)
    for rows, cols in [(range(5), range(3, 9)), (range(20, 30),
                                                    range(15, 21))]:
        source = [
            range(max(x.start - reach, 0), min(x.stop + reach, length))
            for x, length in zip((rows, cols), SIZE)
        ]
        window = noise[..., source[0].start:source[0].stop,
                       source[1].start:source[1].stop]
        torch.testing.assert_close(
            smooth_noise(window, width, SIZE, rows, cols, *source),
            whole[..., rows.start:rows.stop, cols.start:cols.stop])
