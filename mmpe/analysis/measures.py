"""Measures of how much a network's features depend on position.

All functions take features (N, C, H, W) of N latents, in cells of a layer's
map. Estimates over latents are unbiased: products of the means over even and
over odd latents replace squares of means, so that independent noise cancels.
:func:`jackknife` gives standard errors.
"""
import math
from typing import Callable, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    'Shares', 'border_distance', 'decibel', 'eq_t', 'jackknife',
    'layout_agreement', 'location_share', 'padding_part', 'padding_reach',
    'profile', 'shift_error', 'without_phases'
]

Size = Tuple[int, int]
# Powers below this fraction of the reference are rounding errors.
_ROUNDING = 1e-12


class Shares(NamedTuple):
    """Two maps; the figure is the ratio of their means over places.

    Attributes:
        part: (H, W).
        whole: (H, W).
    """

    part: Tensor
    whole: Tensor

    @property
    def ratio(self) -> float:
        """Mean of ``part`` divided by mean of ``whole``; NaN if that is 0."""
        whole = float(self.whole.mean())
        return float(self.part.mean()) / whole if whole > 0 else math.nan

    @property
    def profile(self) -> Tensor:
        """Ratio at each distance to the border, (D, )."""
        return profile(self.part) / profile(self.whole)


def border_distance(height: int, width: int) -> Tensor:
    """Distance (H, W) of each cell to the border, 0 for the outermost."""
    y, x = (torch.minimum(torch.arange(n), torch.arange(n).flip(0))
            for n in (height, width))
    return torch.minimum(y[:, None], x)


def profile(values: Tensor) -> Tensor:
    """Mean (D, ) of a map (H, W) at each distance to the border."""
    distance = border_distance(*values.shape).flatten()
    count = torch.bincount(distance)
    total = torch.zeros(len(count), dtype=values.dtype)
    return total.index_add_(0, distance, values.flatten().cpu()) / count


def decibel(ratio: float) -> float:
    """10 log10 of a ratio of powers; -inf if it is below rounding."""
    if math.isnan(ratio):
        return math.nan
    return 10 * math.log10(ratio) if ratio > _ROUNDING else -math.inf


def jackknife(measure: Callable[..., float],
              *features: Tensor,
              groups: int = 8) -> Tuple[float, float]:
    """A figure and its standard error over latents.

    Delete-a-group jackknife: the figure is recomputed without each group of
    pairs of latents in turn.

    Args:
        measure: Computes the figure from features.
        features: (N, ...) each; latents are left out of all together.
        groups: Number of groups, at most N / 4.

    Returns:
        The figure of all features, and its standard error.

    Raises:
        ValueError: There are fewer than 8 latents.
    """
    pairs = len(features[0]) // 2
    groups = min(groups, pairs // 2)
    if groups < 2:
        raise ValueError('Argument `features` must have at least 8 latents, '
                         f'but got {len(features[0])}.')
    group = (torch.arange(len(features[0])) // 2) % groups
    rest = torch.tensor([
        measure(*(x[group != index] for x in features))
        for index in range(groups)
    ])
    spread = (rest - rest.mean()).square().sum()
    error = (spread * (groups - 1) / groups).sqrt()
    return measure(*features), float(error)


def _mean_square(x: Tensor) -> Tensor:
    """Unbiased square of the mean over latents (N, ...)."""
    return x[0::2].mean(0) * x[1::2].mean(0)


def location_share(features: Tensor, period: int = 1) -> Shares:
    r"""Fraction of the features' variance explained by the mean over latents.

    By the law of total variance, the variance of channel c over latents z and
    places p is :math:`\mathrm{Var}_p E_z f_c + E_p \mathrm{Var}_z f_c`; the
    first term is what depends on the place alone. Channels have equal
    weights.

    Args:
        features: (N, C, H, W), N at least 4.
        period: Period of an upsampling whose cells differ by construction,
            such as a strided transposed convolution: means over places of the
            same phase are subtracted, as they do not depend on the cell of
            the input. H and W must be multiples of it.

    Returns:
        ``part`` of each place and ``whole``, 1 everywhere. The ratio is 0 for
        features that do not depend on the place (a network without padding on
        noise), and 1 for a constant image. The estimate is unbiased, so it
        can fall below 0 by its error. NaN if no channel varies.
    """
    x = features.double()
    mean = x.mean(dim=(0, 2, 3), keepdim=True)
    variance = (x - mean).square().mean(dim=(0, 2, 3))
    alive = variance > _ROUNDING * x.square().mean()
    x = x[:, alive] - mean[:, alive]
    even, odd = (
        mean - _phase_means(mean, period)
        for mean in (x[0::2].mean(0), x[1::2].mean(0)))
    part = (even * odd / variance[alive][:, None, None]).mean(0)
    return Shares(part, torch.ones_like(part))


def _phase_means(x: Tensor, period: int) -> Tensor:
    """Means of maps (C, H, W) over the places of each phase."""
    height, width = (side // period for side in x.shape[1:])
    cells = x.unflatten(2, (width, period)).unflatten(1, (height, period))
    return cells.mean(dim=(1, 3)).repeat(1, height, width)


def without_phases(features: Tensor, period: int) -> Tensor:
    """Features without the means of an upsampling's phases.

    Args:
        features: (N, C, H, W); H and W are multiples of the period.
        period: As for :func:`location_share`.

    Returns:
        (N, C, H, W), without the mean over latents and over the places of
        one phase.
    """
    return features - _phase_means(features.mean(0), period)


def padding_part(padded: Tensor, unpadded: Tensor) -> Shares:
    r"""Signal and noise of the contribution of padding to features.

    The position-information pattern from padding (PPP) is the difference
    between features with padding and features computed on a larger input. Its
    mean over latents is the signal, its variance the noise ("Unveiling the
    Mask of Position-Information Pattern Through the Mist of Image Features",
    Lin et al., ICML 2023). The larger input, their optimal padding, is
    extended by reflection. Deviation: the average over channels differs from
    theirs, so figures are not comparable with those in the paper.

    Args:
        padded, unpadded: (N, C, H, W) of the same latents.

    Returns:
        Squared mean and variance of the difference over latents, averaged
        over channels; :func:`decibel` of their ratio is the signal-to-noise
        ratio. The ratio is NaN if padding changes nothing.
    """
    difference = padded.double() - unpadded.double()
    power = padded.double().square().mean()
    if difference.square().mean() <= _ROUNDING * power:
        difference = torch.zeros_like(difference)
    noise = difference.var(dim=0, unbiased=True)
    return Shares(_mean_square(difference).mean(0), noise.mean(0))


def padding_reach(padded: Tensor, unpadded: Tensor) -> Shares:
    """Power of the changes by padding, relative to that of the features.

    Args:
        padded, unpadded: (N, C, H, W) of the same latents.

    Returns:
        Mean squares, over latents and channels, of the difference and of the
        unpadded features minus their mean. The ratio is 0 if padding changes
        nothing.
    """
    x = unpadded.double()
    difference = (padded.double() - x).square().mean(dim=(0, 1))
    spread = x - x.mean(dim=(0, 2, 3), keepdim=True)
    return Shares(difference, spread.square().mean(dim=(0, 1)))


def shift_error(features: Tensor, shifted: Tensor,
                cells: Tuple[int, int]) -> Shares:
    """Difference between a shifted input's features and shifted features.

    Args:
        features: (N, C, H, W) of an input on a torus.
        shifted: Features of the same input, rolled.
        cells: Shift in cells of the features, (dy, dx), not negative.

    Returns:
        Mean squared difference, and mean squared deviation of the features
        from their mean, at the cells that both share, (H - dy, W - dx); each
        of its borders is a border of one of the two. :func:`decibel` of the
        ratio is the error, -inf for an equivariant network and 3 for
        unrelated features.
    """
    down, right = cells
    height, width = (side - by for side, by in zip(features.shape[2:], cells))
    moved = features[..., :height, :width].double()
    error = shifted[..., down:, right:].double() - moved
    mean = features.double().mean(dim=(0, 2, 3), keepdim=True)
    return Shares(*(x.square().mean(dim=(0, 1))
                    for x in (error, moved - mean)))


def eq_t(images: Tensor, shifted: Tensor, cells: Tuple[int, int]) -> float:
    """Translation equivariance (EQ-T) of images in [-1, 1], in dB.

    Peak signal-to-noise ratio with a peak of 2, as in StyleGAN3 (Alias-Free
    Generative Adversarial Networks, NeurIPS 2021), but for a single shift by
    whole cells.

    Args:
        images, shifted, cells: As for :func:`shift_error`.

    Returns:
        The ratio, inf for an equivariant network.
    """
    error = float(shift_error(images, shifted, cells).part.mean())
    return decibel(4 / error) if error > 0 else math.inf


def layout_agreement(images: Tensor,
                     data: Optional[Tensor] = None,
                     size: int = 8) -> float:
    """Correlation of low-pass layouts, between samples or with data.

    Args:
        images: Samples (N, C, H, W).
        data: Images (M, C, H', W') to compare with; the other samples if
            None.
        size: Height and width of the layout in cells, by averaging areas.

    Returns:
        Mean correlation of pairs in [-1, 1]; 1 if all have the same layout.
    """
    x = _layouts(images, size)
    if data is not None:
        return float((x @ _layouts(data, size).t()).mean())
    total = x.sum(0).square().sum() - x.square().sum()
    return float(total / (len(x) * (len(x) - 1)))


def _layouts(images: Tensor, size: int) -> Tensor:
    """Layouts minus mean colour, normalised, (N, C * size^2)."""
    x = F.adaptive_avg_pool2d(images.double(), size)
    x = (x - x.mean(dim=(2, 3), keepdim=True)).flatten(1)
    return F.normalize(x, dim=1)
