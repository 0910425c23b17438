"""How much a network's features depend on the place, in figures.

All functions take features (N, C, H, W) of N latents, in cells of a layer's
map. What is an estimate over latents comes without the bias that few latents
would bring: means of the even and of the odd latents are multiplied, so that
noise, which differs, cancels. :func:`jackknife` gives the errors.
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
# Figures below this part of what they are compared with are rounding errors.
_ROUNDING = 1e-12


class Shares(NamedTuple):
    """Two maps whose means over places form a ratio.

    Attributes:
        part: (H, W).
        whole: (H, W).
    """

    part: Tensor
    whole: Tensor

    @property
    def ratio(self) -> float:
        """Mean of ``part`` over that of ``whole``; NaN where that is 0."""
        whole = float(self.whole.mean())
        return float(self.part.mean()) / whole if whole > 0 else math.nan

    @property
    def profile(self) -> Tensor:
        """The ratio over the distance to the border, (D, )."""
        return profile(self.part) / profile(self.whole)


def border_distance(height: int, width: int) -> Tensor:
    """Cells between a cell and the border, 0 for the outermost: (H, W)."""
    y, x = (torch.minimum(torch.arange(n), torch.arange(n).flip(0))
            for n in (height, width))
    return torch.minimum(y[:, None], x)


def profile(values: Tensor) -> Tensor:
    """Mean of a map (H, W) over the distance to the border: (D, )."""
    distance = border_distance(*values.shape).flatten()
    count = torch.bincount(distance)
    total = torch.zeros(len(count), dtype=values.dtype)
    return total.index_add_(0, distance, values.flatten().cpu()) / count


def decibel(ratio: float) -> float:
    """10 log10 of a ratio of powers; -inf where it is rounding or less."""
    if math.isnan(ratio):
        return math.nan
    return 10 * math.log10(ratio) if ratio > _ROUNDING else -math.inf


def jackknife(measure: Callable[..., float],
              *features: Tensor,
              groups: int = 8) -> Tuple[float, float]:
    """A figure and its standard error over latents.

    Delete-a-group jackknife: the figure is computed without each group of
    pairs of latents in turn.

    Args:
        measure: Figure of features.
        features: (N, ...) each; their latents are left out together.
        groups: Number of groups, at most N / 4.

    Returns:
        The figure of all features, and its standard error.

    Raises:
        ValueError: There are fewer than 8 latents.
    """
    pairs = len(features[0]) // 2
    groups = min(groups, pairs // 2)
    if groups < 2:
        raise ValueError('Argument `features` must hold at least 8 latents, '
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
    """Square of the mean over latents (N, ...), without bias."""
    return x[0::2].mean(0) * x[1::2].mean(0)


def location_share(features: Tensor, period: int = 1) -> Shares:
    r"""Part of the features' variance that the mean over latents explains.

    By the law of total variance that of channel c over latents z and places
    p is :math:`\mathrm{Var}_p E_z f_c + E_p \mathrm{Var}_z f_c`, and the first
    part of it is what a place says whatever the latent. Channels count alike.

    Args:
        features: (N, C, H, W), N at least 4.
        period: Of an upsampling whose cells differ by nature, such as that of
            a strided transposed convolution: means over places of one phase
            are left out, which say nothing of a cell of the input. H and W
            must be multiples of it.

    Returns:
        ``part`` of each place and ``whole``, 1 everywhere: the ratio is 0 for
        features that depend on the place in no way (those of a network
        without padding on noise), and 1 for a constant picture. The
        estimate has no bias, so that it may fall below 0 by its error.
        All is NaN where no channel varies.
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
    """Features without what tells the phases of an upsampling apart.

    Args:
        features: (N, C, H, W); H and W are multiples of the period.
        period: As for :func:`location_share`.

    Returns:
        (N, C, H, W), without the mean over latents and over the places of
        one phase.
    """
    return features - _phase_means(features.mean(0), period)


def padding_part(padded: Tensor, unpadded: Tensor) -> Shares:
    r"""Signal and noise of what padding adds to features.

    The position-information pattern from padding (PPP) is the difference of
    the features with padding and of those computed on a larger input. Its
    mean over latents is the signal, its variance the noise ("Unveiling the
    Mask of Position-Information Pattern Through the Mist of Image Features",
    Lin et al., ICML 2023). The larger input, their optimal padding, goes on
    mirrored. How channels are summed up is ours, so that the figures of their
    tables cannot be set beside these.

    Args:
        padded, unpadded: (N, C, H, W) of the same latents.

    Returns:
        Squared mean and variance over latents of the difference, means over
        channels; :func:`decibel` of their ratio is the signal-to-noise ratio.
        The ratio is NaN where padding changes nothing.
    """
    difference = padded.double() - unpadded.double()
    power = padded.double().square().mean()
    if difference.square().mean() <= _ROUNDING * power:
        difference = torch.zeros_like(difference)
    noise = difference.var(dim=0, unbiased=True)
    return Shares(_mean_square(difference).mean(0), noise.mean(0))


def padding_reach(padded: Tensor, unpadded: Tensor) -> Shares:
    """Power of what padding changes, relative to that of the features.

    Args:
        padded, unpadded: (N, C, H, W) of the same latents.

    Returns:
        Mean squares over latents and channels of the difference, and of the
        unpadded features without their mean. The ratio is 0 where padding
        changes nothing.
    """
    x = unpadded.double()
    difference = (padded.double() - x).square().mean(dim=(0, 1))
    spread = x - x.mean(dim=(0, 2, 3), keepdim=True)
    return Shares(difference, spread.square().mean(dim=(0, 1)))


def shift_error(features: Tensor, shifted: Tensor,
                cells: Tuple[int, int]) -> Shares:
    """How far a shifted input's features are from the shifted features.

    Args:
        features: (N, C, H, W) of an input on a torus.
        shifted: Those of the same input, rolled.
        cells: By how many cells (dy, dx) of the features it was rolled, not
            negative.

    Returns:
        Mean squared difference, and mean squared deviation of the features
        from their mean, at the cells that both show, (H - dy, W - dx): each
        border of these is a border of one of both. :func:`decibel` of the
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
    """Translation equivariance of images in [-1, 1], in dB.

    Peak signal-to-noise ratio with a peak of 2, as StyleGAN3's EQ-T
    (Alias-Free Generative Adversarial Networks, NeurIPS 2021), for one shift
    by whole cells.

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
        size: Height and width of the layout in cells, means over areas.

    Returns:
        Mean correlation of pairs in [-1, 1]; 1 where all show one layout.
    """
    x = _layouts(images, size)
    if data is not None:
        return float((x @ _layouts(data, size).t()).mean())
    total = x.sum(0).square().sum() - x.square().sum()
    return float(total / (len(x) * (len(x) - 1)))


def _layouts(images: Tensor, size: int) -> Tensor:
    """Layouts without mean colour, (N, C * size^2) of length 1."""
    x = F.adaptive_avg_pool2d(images.double(), size)
    x = (x - x.mean(dim=(2, 3), keepdim=True)).flatten(1)
    return F.normalize(x, dim=1)
