"""Drawing one scale of a PatchDiffusion, or a window of it."""
import math
from typing import Any, Callable, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from mmpe.functional.noise import coordinate_noise
from mmpe.functional.patch_diffusion import PatchPrior, gaussian_blur
from mmpe.functional.upsample import ReadWindow
from .known import KnownPixels, dilate
from .positions import grown_positions
from .prior import position_prior, without_taken
from .state import PatchDiffusionState

__all__ = ['PatchDiffusionScales', 'Positions']

Size = Tuple[int, int]
# Positions (2, rows, columns) given to the places in rows and columns of a
# scale's map, in cells of the photograph at this scale.
Positions = Callable[[range, range], Tensor]
# Standard deviation, in finer pixels per coarser one, of the low-pass filter
# that extracts what the coarser scale has decided.
_LOW_PASS = 0.8
# Largest step of brightness, in a range from -1 to 1, to remove where drawn
# pixels join known ones; the weight spreads it over 30 pixels.
_TONE, _TONE_WEIGHT, _TONE_REACH = 0.3, 1e-3, 30


class PatchDiffusionScales(PatchDiffusionState):
    """Draws a scale from noise and the coarser scale.

    Subclasses set the attributes, arguments of
    :class:`~mmpe.models.PatchDiffusion`; ``encoding`` is the built one.
    """

    encoding: Any
    spread: List[float]
    sigmas: List[float]
    fine_sigmas: List[float]
    search: str
    search_radius: int

    def noise(self, seed: int, stage: int, rows: range, cols: range) -> Tensor:
        """Noise in a window of a scale, float32 (1, 3, rows, cols)."""
        return coordinate_noise(seed, stage, 3, rows, cols)[None].to(
            self.device)

    def finer_matches(self, stage: int, matches: Tensor,
                      size: Size) -> Tensor:
        """Matches of the previous scale, at the size of a scale.

        Args:
            stage: Index of the finer scale.
            matches: Matches of the coarser scale, (2, H, W).
            size: (H', W') of the finer map.

        Returns:
            int64 (2, H', W').
        """

        def read(rows: range, cols: range) -> Tensor:
            return matches[:, rows.start:rows.stop, cols.start:cols.stop]

        return self.finer_matches_window(stage, read,
                                         (matches.shape[1], matches.shape[2]),
                                         size,
                                         *[range(length) for length in size])

    def finer_matches_window(self, stage: int, read: ReadWindow,
                             coarse_size: Size, size: Size, rows: range,
                             cols: range) -> Tensor:
        """A window of :meth:`finer_matches`.

        Args:
            stage: Index of the finer scale.
            read: Reads windows (2, rows, cols) of the coarser matches.
            coarse_size: (H, W) of the coarser map.
            size: (H', W') of the finer map.
            rows, cols: Rows and columns of the finer map to compute.

        Returns:
            int64 (2, rows, cols).
        """
        nearest, offsets = [], []
        for cells, old, new in zip((rows, cols), coarse_size, size):
            places = (torch.arange(cells.start, cells.stop) + .5) * (
                old / new) - .5
            index = places.round().long().clamp(0, old - 1)
            nearest.append(index)
            offsets.append(places - index)
        source = [range(int(x[0]), int(x[-1]) + 1) for x in nearest]
        known = read(*source)[:, nearest[0][:, None] - source[0].start,
                              nearest[1] - source[1].start].cpu()
        offset = torch.stack(torch.meshgrid(*offsets, indexing='ij'))
        ratios = torch.tensor([
            new / old for new, old in zip(self.levels[stage].size,
                                          self.levels[stage - 1].size)
        ])[:, None, None]
        finer = ((known + offset + .5) * ratios - .5).round().long()
        last = torch.tensor(self.levels[stage].size)[:, None, None] - 1
        return finer.clamp(min=torch.zeros_like(last), max=last).to(
            self.device)

    @property
    def halo(self) -> int:
        """Radius in pixels on which a pixel of a finer scale depends."""
        steps = len(self.fine_sigmas)
        blur = math.ceil(2.5 * _LOW_PASS / self.scale_factor)
        if self.search == 'exact':
            return steps * (self.patch_size - 1) + (steps - 1) * blur
        vote = math.ceil(2 * self.window_std)
        return steps * (self.patch_size // 2 + vote) + (steps - 1) * blur

    def draw(self,
             stage: int,
             noise: Tensor,
             guide: Optional[Tensor],
             matches: Optional[Tensor],
             prior: Optional[PatchPrior],
             known: Optional[KnownPixels] = None,
             is_first: bool = False,
             start_sigma: float = 1) -> Tuple[Tensor, Optional[Tensor]]:
        """Draw one scale, from its first noise level to its last.

        Args:
            stage: Index of the scale.
            noise: (1, 3, H, W).
            guide: The coarser image at this size, or None.
            matches: Where to search first, (2, H, W); None for everywhere.
            prior: Log prior of the patches.
            known: Known pixels.
            is_first: Whether there is no coarser scale, so that the guide is
                just the start.
            start_sigma: Largest noise level of the first scale.

        Returns:
            The image (1, 3, H, W) and its matches (2, H, W).
        """
        level = self.levels[stage]
        is_exact = self.search == 'exact' or (is_first and guide is None)
        sigmas = self.fine_sigmas
        if is_first:
            sigmas = [x for x in self.sigmas if x <= start_sigma + 1e-6
                      ] or self.sigmas[-1:]
        low_pass = None
        if not is_first:
            low_pass = _LOW_PASS * level.size[0] / self.levels[stage -
                                                               1].size[0]
        image = sigmas[0] * noise
        if guide is not None:
            image = image + (1 - sigmas[0]) * guide
        for sigma, following in zip(sigmas, [*sigmas[1:], None]):
            if is_exact:
                # Finer scales search around these matches, and they level
                # the edges of known pixels.
                want = self.search == 'local' or known is not None
                estimate, matches = level.estimate(image, sigma, prior, want)
            else:
                estimate, matches = level.estimate_nearby(
                    image, sigma, prior, matches, self.search_radius)
            if known is not None:
                estimate = torch.where(known.mask, known.image, estimate)
            if following is None:
                break
            # Straight path from the noise to the estimate (flow matching).
            direction = (image - (1 - sigma) * estimate) / sigma
            if low_pass and guide is not None:
                # Keep the low frequencies of the coarser image.
                estimate = estimate + gaussian_blur(guide - estimate, low_pass)
            image = (1 - following) * estimate + following * direction
        if known is not None and matches is not None:
            near = dilate(known.mask[0, 0], _TONE_REACH) & ~known.mask
            estimate = level.level_tones(estimate, matches, near, _TONE,
                                         _TONE_WEIGHT)
        return estimate, matches

    def prior(self, stage: int, positions: Optional[Sequence[Positions]],
              sizes: Sequence[Size], rows: range,
              cols: range,
              order: Optional[int] = None,
              known: Optional[KnownPixels] = None) -> Optional[PatchPrior]:
        """Log prior of the patches in a window of a scale.

        Args:
            stage: Index of the scale.
            positions: As for :meth:`sample`.
            sizes: Sizes of all scales of the image.
            rows, cols: The window.
            order: Index of the scale whose spread is used; by default its
                own. A scale that starts from noise uses the coarsest's.
            known: Known pixels, with the patches excluded from holes.

        Returns:
            The prior, or None without positions at this scale.
        """
        order = stage if order is None else order
        spread = self.spread[min(order, len(self.spread) - 1)]
        if self.encoding is None or math.isinf(spread):
            return None
        half = self.patch_size // 2
        inner = [range(x.start + half, x.stop - half) for x in (rows, cols)]
        level = self.levels[stage]
        if positions is None:
            told = grown_positions(level.size, sizes[stage],
                                   self.encoding.growth, *inner)
        else:
            told = positions[stage](*inner)
        prior = position_prior(self.encoding, spread, told, level,
                               self.levels[0].size)
        if known is not None and known.holes is not None \
                and known.taken is not None:
            holes = known.holes[inner[0].start:inner[0].stop,
                                inner[1].start:inner[1].stop]
            prior = without_taken(prior, holes.cpu(), known.taken.cpu(), half)
        return PatchPrior(*(x.to(self.device) for x in prior))
