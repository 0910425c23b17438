"""Closed-form diffusion from one photograph, with explicit positions."""
import math
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from mmagic.structures import DataSample
from mmengine.model import BaseModel
from torch import Tensor

from mmpe.checkpoint import is_whole
from mmpe.functional.noise import coordinate_noise
from mmpe.functional.patch_diffusion import PatchPrior, gaussian_blur
from mmpe.functional.pyramid import pyramid_sizes, resized_pyramid
from mmpe.functional.upsample import ReadWindow, upsample_window
from mmpe.registry import MODELS, build_from
from .known import KnownPixels, bounding_window, dilate
from .level import PhotographLevel
from .positions import grown_positions, position_features

__all__ = ['PatchDiffusion']

Size = Tuple[int, int]
# Positions (2, rows, columns) given to the places in rows and columns of a
# scale's map, in cells of the photograph at this scale.
Positions = Callable[[range, range], Tensor]
SEARCHES = ('local', 'exact')
# Noise levels of the coarsest scale by default.
_SIGMAS = tuple(1 - i / 9 for i in range(10))
# Standard deviation, in finer pixels per coarser one, of the low-pass filter
# that extracts what the coarser scale has decided.
_LOW_PASS = 0.8
# Largest step of brightness, in a range from -1 to 1, to remove where drawn
# pixels join known ones; the weight spreads it over 30 pixels.
_TONE, _TONE_WEIGHT, _TONE_REACH = 0.3, 1e-3, 30
# Patches within this many pixels of a removed part are excluded from its hole,
# by this logit,
_SHY, _NEVER = 2, 1e9
# unless this fraction of all patches would be.
_MOST = 0.6


@MODELS.register_module()
class PatchDiffusion(BaseModel):
    r"""Diffusion model of one photograph's patches.

    After Qiu et al., "Efficient and Training-Free Single-Image Diffusion
    Models" (CVPR 2026). The coarsest scale starts from noise, each finer one
    from the coarser image plus noise. Coarser decisions are kept: the low
    frequencies of each estimate are those of the coarser image. Estimates are
    those of :mod:`mmpe.functional.patch_diffusion`; a step from the noise
    level :math:`\sigma` to the next one, :math:`\sigma'`, follows the
    straight path of flow matching, :math:`x' = (1 - \sigma') \hat{y} +
    \sigma' (x - (1 - \sigma) \hat{y}) / \sigma`.

    Explicit positions (paper, Sec. 4) are an addition: a place with a
    position prefers patches from around there in the photograph. The
    photograph is the model's only state.

    Args:
        positions: Config of an encoding (``CSG``, ``SPE``) for comparing
            positions; None for no positions, as in the published method.
        spread: Standard deviation :math:`\tau` of the prior of positions, as
            a fraction of the photograph's short side. One per scale from the
            coarsest on; the last one holds for all finer scales. Infinite
            disables the prior; 0 is not allowed. Small values keep the
            layout.
        patch_size: Side of the patches in pixels, odd.
        min_size: Short side of the coarsest scale in pixels.
        max_size: Upper bound on the long side of the finest scale in pixels.
        scale_factor: Desired ratio of neighbouring scales.
        sigmas: Noise levels at the first scale, decreasing.
        fine_sigmas: Noise levels at the other scales, decreasing.
        search: 'local' takes the most probable patch around the one that the
            coarser scale has chosen; 'exact' computes the mean over all
            patches at each scale.
        search_radius: Radius of the local search in pixels.
        num_components: Number of principal components for comparing patches
            in the local search.
        window_std: Standard deviation in pixels of the window that averages
            overlapping patches.
        data_preprocessor: As for other models; unused.

    Raises:
        ValueError: An argument is out of its range.
    """

    photograph: Tensor

    def __init__(self,
                 positions: Optional[dict] = None,
                 spread: Union[float, Sequence[float]] = (0.06, math.inf),
                 patch_size: int = 15,
                 min_size: int = 21,
                 max_size: int = 250,
                 scale_factor: float = 0.5,
                 sigmas: Sequence[float] = _SIGMAS,
                 fine_sigmas: Sequence[float] = (.5, .25, 0),
                 search: str = 'local',
                 search_radius: int = 2,
                 num_components: int = 24,
                 window_std: float = 1.,
                 data_preprocessor: Optional[dict] = None) -> None:
        super().__init__(data_preprocessor)
        spread = [spread] if isinstance(spread, (int, float)) else spread
        _check_arguments(spread, patch_size, min_size, search, search_radius,
                         num_components, window_std)
        for name, levels in (('sigmas', sigmas), ('fine_sigmas',
                                                  fine_sigmas)):
            _check_sigmas(name, levels)
        self.encoding: Any = positions and build_from(MODELS, positions)
        self.spread = list(spread)
        self.patch_size = patch_size
        self.min_size = min_size
        self.max_size = max_size
        self.scale_factor = scale_factor
        self.sigmas = list(sigmas)
        self.fine_sigmas = list(fine_sigmas)
        self.search = search
        self.search_radius = search_radius
        self.num_components = num_components
        self.window_std = window_std
        self.register_buffer('photograph',
                             torch.zeros(3, 0, 0, dtype=torch.uint8))
        self._levels: List[PhotographLevel] = []

    # ------------------------------------------------------------------ state
    def set_photograph(self, image: np.ndarray) -> None:
        """Set the photograph, reduced to ``max_size`` if it is larger.

        Args:
            image: uint8 (H, W, 3) in RGB order.

        Raises:
            ValueError: The photograph is too small.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(image))
        pixels = pixels.permute(2, 0, 1)
        height, width = pixels.shape[1:]
        size = self._pyramid((height, width))[-1]
        if size != (height, width):
            # One channel at a time, to save memory.
            pixels = torch.cat([
                _resize(x[None, None].float(), size)[0] for x in pixels])
            pixels = pixels.round().clamp(0, 255).to(torch.uint8)
        self.photograph = pixels.contiguous().to(self.device)
        self._levels = []

    def load_weights(self, checkpoint: dict) -> None:
        """Set the photograph from a checkpoint.

        Args:
            checkpoint: Contents of a checkpoint of this class.

        Raises:
            ValueError: The checkpoint has no photograph, or an invalid one.
        """
        state = checkpoint.get('state_dict', checkpoint) if isinstance(
            checkpoint, dict) else {}
        image: Any = None
        if isinstance(state, dict):
            image = state.get('photograph')
        if not is_whole(image) or not image.numel():
            raise ValueError('The checkpoint must have the photograph of a '
                             'PatchDiffusion, but it does not.')
        _check_photograph(image)
        self.set_photograph(image.permute(1, 2, 0).cpu().numpy())

    @property
    def device(self) -> torch.device:
        """Device of the photograph."""
        return self.photograph.device

    @property
    def pyramid_sizes(self) -> List[Size]:
        """(H, W) of the photograph at each scale, the coarsest first."""
        if not self.photograph.numel():
            raise ValueError('The model has no photograph: call '
                             '`set_photograph`, or load a checkpoint.')
        height, width = self.photograph.shape[1:]
        return self._pyramid((height, width))

    @property
    def levels(self) -> List[PhotographLevel]:
        """The photograph at each scale.

        Raises:
            ValueError: The model has no photograph.
        """
        sizes = self.pyramid_sizes
        if not self._levels or self._levels[0].image.device != self.device:
            image = self.photograph[None].float() / 127.5 - 1
            self._levels = [
                PhotographLevel(
                    _resize(image, size), self.patch_size,
                    self.num_components, self.window_std)
                for size in sizes
            ]
        return self._levels

    def _pyramid(self, size: Size) -> List[Size]:
        return pyramid_sizes(size, self.min_size, self.max_size,
                             self.scale_factor)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args,
                              **kwargs) -> None:
        """Resize the buffer to the photograph in the checkpoint."""
        image = state_dict.get(f'{prefix}photograph')
        if isinstance(image, Tensor):
            _check_photograph(image)
            self.photograph = torch.empty_like(image, device=self.device)
            self._levels = []
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    # --------------------------------------------------------------- sampling
    def forward(self,
                inputs: dict,
                data_samples: Optional[list] = None,
                mode: Optional[str] = None) -> List[DataSample]:
        """Sample images.

        Args:
            inputs: Options: ``num_batches`` (1), ``seed`` (0) of the first
                image, and other arguments of :meth:`sample`.
            data_samples: Unused.
            mode: Unused.

        Returns:
            One data sample per image, with ``fake_img``, float (3, H, W) in
            [0, 255] in BGR order.

        Raises:
            TypeError: ``inputs`` is not a dict.
            ValueError: See :meth:`sample`.
        """
        if not isinstance(inputs, dict):
            raise TypeError('Argument `inputs` of PatchDiffusion must be a '
                            f'dict of options, but got '
                            f'{type(inputs).__name__}.')
        options = dict(inputs)
        seed = options.pop('seed', 0)
        images = [
            self.sample(seed=seed + i, **options)
            for i in range(options.pop('num_batches', 1))
        ]
        return [
            DataSample(fake_img=(image[0].flip(0).clamp(-1, 1) + 1) * 127.5)
            for image in images
        ]

    @torch.no_grad()
    def sample(self,
               size: Optional[Size] = None,
               seed: int = 0,
               positions: Optional[Sequence[Positions]] = None,
               known: Optional[Sequence[Optional[KnownPixels]]] = None,
               guide: Optional[Tensor] = None,
               matches: Optional[Tensor] = None,
               start_stage: int = 0,
               noise: Optional[Callable[[int], Tensor]] = None,
               start_sigma: float = 1) -> Tensor:
        """Sample an image.

        Args:
            size: (H, W) in pixels; by default that of the photograph.
            seed: Seed of the noise, which is a function of coordinates.
            positions: Positions of the places at each scale; by default those
                of the encoding at this size.
            known: Known pixels at each scale; None for none.
            guide: Image (1, 3, H', W') of any size that the first scale
                starts from; by default noise only. At the coarsest scale it
                is just the start, at other ones it is the image of the
                previous scale.
            matches: Pixels of the photograph where the first scale searches
                first, int64 (2, H, W) at its size; by default everywhere.
            start_stage: Index of the first scale.
            noise: Returns the noise (1, 3, H, W) of a scale, in place of the
                seed's.
            start_sigma: Noise level at the start of the coarsest scale.

        Returns:
            (1, 3, H, W) in about [-1, 1].

        Raises:
            ValueError: The size is too small for the patches, or the model
                has no photograph.
        """
        sizes = self.stage_sizes(size)
        image: Any = guide
        for stage in range(start_stage, len(sizes)):
            given: Any = known[stage] if known else None
            if matches is not None and stage > start_stage:
                matches = self.finer_matches(stage, matches, sizes[stage])
            window = _window(sizes[stage], given, self.patch_size)
            if window is None:
                image = given.image
                continue
            rows, cols = (range(x.start, x.stop) for x in window)
            if image is not None:
                image = _enlarged(image, sizes[stage], rows, cols)
            fresh = self.noise(seed, stage, rows, cols) if noise is None \
                else noise(stage)[(..., *window)]
            part, part_matches = self.draw(
                stage,
                fresh,
                image,
                _crop(matches, window),
                self.prior(stage, positions, sizes, rows, cols,
                           stage if guide is not None else stage - start_stage,
                           given),
                given and KnownPixels(
                    _crop(given.image, window), _crop(given.mask, window)),
                is_first=stage == start_stage and (guide is None
                                                   or stage == 0),
                start_sigma=start_sigma)
            image = _paste(part, window, given and given.image, sizes[stage])
            matches = _paste(part_matches, window, matches, sizes[stage])
        return image

    def stage_sizes(self, size: Optional[Size] = None) -> List[Size]:
        """Sizes of all scales of an image.

        Args:
            size: (H, W) in pixels; by default that of the photograph.

        Raises:
            ValueError: The size is too small for the patches.
        """
        sizes = [level.size for level in self.levels]
        if size is None:
            return sizes
        sizes = resized_pyramid(sizes, size)
        least = [
            math.ceil((self.patch_size - .5) * full / first)
            for full, first in zip(self.levels[-1].size, self.levels[0].size)
        ]
        if any(a < b for a, b in zip(sizes[0], (self.patch_size, ) * 2)):
            raise ValueError(
                f'Argument `size` must be at least {least[0]} x {least[1]} '
                '(height x width) for this photograph, so that a patch fits '
                f'into the coarsest scale, but got {size[0]} x {size[1]}.')
        return sizes

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

    # -------------------------------------------------------------- positions
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
        # Positions beyond the photograph are those of its border.
        last = torch.tensor(level.grid)[:, None, None] - 1. + half
        told = told.clamp(min=torch.full_like(last, half), max=last)
        grid = torch.stack(
            torch.meshgrid(
                *[torch.arange(n) + float(half) for n in level.grid],
                indexing='ij'))
        queries, keys = (
            position_features(self.encoding, x, level.size,
                              self.levels[0].size) for x in (told, grid))
        queries, keys = queries.permute(1, 2, 0), keys.flatten(1).t()
        # -|e(q) - e(p_i)|^2 / (2 tau^2) is, up to a constant per place, the
        # product of e(q) / tau^2 and e(p_i), plus a bias per patch.
        scale = (spread * min(self.levels[0].size))**-2
        bias = -scale / 2 * keys.square().sum(1)
        queries = scale * queries
        if known is not None and known.holes is not None \
                and known.taken is not None:
            taken = dilate(known.taken.cpu(), _SHY)[half:-half, half:-half]
            if taken.float().mean() < _MOST:  # enough patches are left
                holes = known.holes[inner[0].start:inner[0].stop,
                                    inner[1].start:inner[1].stop].cpu()
                queries = torch.cat((queries, holes[..., None].float()), 2)
                keys = torch.cat(
                    (keys, -_NEVER * taken.reshape(-1, 1).float()), 1)
        return PatchPrior(
            queries.to(self.device), keys.to(self.device),
            bias.to(self.device))


def _window(size: Size, known: Optional[KnownPixels],
            margin: int) -> Optional[Tuple[slice, slice]]:
    """Window to compute for the unknown pixels; None if there are none."""
    if known is None:
        return slice(0, size[0]), slice(0, size[1])
    return bounding_window(~known.mask[0, 0], margin)


def _enlarged(image: Tensor, size: Size, rows: range, cols: range) -> Tensor:
    """A window of a resized image."""
    _, _, height, width = image.shape
    return upsample_window(
        lambda rows, cols: image[..., rows.start:rows.stop, cols.start:cols.
                                 stop], (height, width), size, rows, cols,
        False)


def _crop(x: Optional[Tensor], window: Tuple[slice, slice]) -> Any:
    return None if x is None else x[(..., *window)]


def _paste(part: Optional[Tensor], window: Tuple[slice, slice],
           whole: Optional[Tensor], size: Size) -> Optional[Tensor]:
    """Paste a window (..., h, w) into a map of a size; zeros by default."""
    if part is None or tuple(part.shape[-2:]) == tuple(size):
        return part
    if whole is None:
        whole = part.new_zeros(*part.shape[:-2], *size)
    whole = whole.clone()
    whole[(..., *window)] = part
    return whole


def _resize(image: Tensor, size: Size) -> Tensor:
    """Resize an image (1, 3, H, W), with antialiasing."""
    if tuple(image.shape[2:]) == tuple(size):
        return image
    return F.interpolate(
        image, size, mode='bicubic', antialias=True, align_corners=False)


def _check_arguments(spread: Sequence[float], patch_size: int, min_size: int,
                     search: str, search_radius: int, num_components: int,
                     window_std: float) -> None:
    if not spread or min(spread) <= 0:
        raise ValueError('Argument `spread` must be above 0 (infinite for no '
                         f'positions), but got {list(spread)}.')
    if patch_size < 3 or patch_size % 2 == 0:
        raise ValueError('Argument `patch_size` must be odd and at least 3, '
                         f'but got {patch_size}.')
    if min_size < patch_size + 2:
        raise ValueError('Argument `min_size` must be at least `patch_size` '
                         f'+ 2, but got {min_size} and {patch_size}.')
    if search not in SEARCHES:
        raise ValueError(f'Argument `search` must be one of {SEARCHES}, but '
                         f'got {search!r}.')
    for name, value in (('search_radius', search_radius),
                        ('num_components', num_components)):
        if value < 1:
            raise ValueError(f'Argument `{name}` must be at least 1, but got '
                             f'{value}.')
    if not 0.5 <= window_std <= 4:
        raise ValueError('Argument `window_std` must be from 0.5 to 4, but '
                         f'got {window_std}.')


def _check_photograph(image: Tensor) -> None:
    if image.dtype != torch.uint8 or image.dim() != 3 or len(image) != 3:
        raise ValueError('The photograph of a checkpoint must be uint8 (3, H, '
                         f'W), but is {image.dtype} {tuple(image.shape)}.')


def _check_sigmas(name: str, sigmas: Sequence[float]) -> None:
    if not sigmas or not 0 <= min(sigmas) <= max(sigmas) <= 1 or any(
            a <= b for a, b in zip(sigmas, sigmas[1:])):
        raise ValueError(f'Argument `{name}` must decrease, from at most 1 to '
                         f'at least 0, but got {list(sigmas)}.')
