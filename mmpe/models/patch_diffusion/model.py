"""Closed-form diffusion from one photograph, with explicit positions."""
import math
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import torch
from mmagic.structures import DataSample
from torch import Tensor

from mmpe.functional.upsample import upsample_window
from mmpe.registry import MODELS, build_from
from .known import KnownPixels, bounding_window
from .scales import PatchDiffusionScales, Positions

__all__ = ['PatchDiffusion']

Size = Tuple[int, int]
SEARCHES = ('local', 'exact')
# Noise levels of the coarsest scale by default.
_SIGMAS = tuple(1 - i / 9 for i in range(10))


@MODELS.register_module()
class PatchDiffusion(PatchDiffusionScales):
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


def _check_sigmas(name: str, sigmas: Sequence[float]) -> None:
    if not sigmas or not 0 <= min(sigmas) <= max(sigmas) <= 1 or any(
            a <= b for a, b in zip(sigmas, sigmas[1:])):
        raise ValueError(f'Argument `{name}` must decrease, from at most 1 to '
                         f'at least 0, but got {list(sigmas)}.')
