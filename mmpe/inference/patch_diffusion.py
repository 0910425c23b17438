"""Sampling from the patches of a photograph, without training."""
import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import mmcv
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.noise import coordinate_noise
from mmpe.functional.patch_diffusion import vote
from mmpe.functional.upsample import upsample
from mmpe.models.patch_diffusion import PatchDiffusion, PhotographLevel
from mmpe.models.patch_diffusion.known import (known_pyramid, match_tone,
                                               pixels_at)
from .inputs import check_rgb
from .layout import LayoutEdit, PositionMap
from .patch_plan import Plan
from .patch_tiles import PatchScales, own_places, to_pixels
from .photograph import PhotographSampler
from .tiling import Scales

__all__ = ['PatchSampler']

Size = Tuple[int, int]
# A hole is drawn from the finest scale at which it is at most this wide (in
# cells), and the photograph has at most this many patches.
_HOLE, _HOLE_PATCHES = 17, 4000
# Super-resolution: side of the patches, search radius, and standard deviation
# of the noise of a seed.
_EXAMPLE, _EXAMPLE_RADIUS, _EXAMPLE_NOISE = 5, 2, 0.03
# Animation: movement as a fraction of the short side, and independent points
# per axis, both at the coarsest scale.
_SWAY, _SWAY_POINTS = 0.015, 4
# Factor of each step of super-resolution.
_EXAMPLE_STEP = 1.6
# Noise level from which the photograph at another size is drawn.
_RESIZE_SIGMA = 0.6


class PatchSampler(PhotographSampler):
    """Draws images from the patches of a photograph.

    Moved parts keep their pixels. With a seed, everything else is drawn anew;
    without a seed, everything else keeps its pixels, too, and only cuts and
    holes are drawn.

    Args:
        model: A :class:`~mmpe.models.PatchDiffusion` with a photograph.
    """

    model: PatchDiffusion

    @property
    def last_scale(self) -> int:
        """Index of the finest scale."""
        return len(self.model.pyramid_sizes) - 1

    @property
    def has_positions(self) -> bool:
        """Whether the model has explicit positions."""
        return self.model.encoding is not None

    @property
    def photograph(self) -> np.ndarray:
        """The photograph at the model's size."""
        return self.model.photograph.permute(1, 2, 0).cpu().numpy().copy()

    def check_size(self, size: Optional[Size]) -> None:
        """See :meth:`.PhotographSampler.check_size`."""
        self.model.stage_sizes(size)

    def reconstruct(self) -> np.ndarray:
        """The photograph itself."""
        return self.photograph

    def _sample(self, seeds: Sequence[int], size: Optional[Size],
                start_scale: int, growth: Optional[str]) -> List[np.ndarray]:
        options: Dict[str, Any] = dict(size=size)
        if growth is not None:
            options['positions'] = self.position_maps(size, growth)
        if start_scale > 0:
            options.update(self._photograph_at(start_scale, size))
        return [
            self._image(self.model.sample(seed=seed, **options))
            for seed in seeds
        ]

    def _scales(self, size: Optional[Size], seed: int, start_scale: int,
                growth: Optional[str]) -> Scales:
        positions = None if growth is None else self.position_maps(
            size, growth)
        return PatchScales(self.model, size or self.size, seed, start_scale,
                           positions)

    def _layout(self, edits: Sequence[LayoutEdit], size: Optional[Size],
                growth: Optional[str], seed: Optional[int]) -> np.ndarray:
        growth = growth or self._own_growth()
        maps = self.position_maps(size, growth, edits)
        own = self.position_maps(size, growth)[-1]
        plan = Plan(maps[-1], own, self.size, self.model.device)
        options = dict(size=size, seed=seed or 0, positions=maps)
        photograph = self.model.levels[-1].image
        image = pixels_at(photograph, plan.told)
        if plan.part.any():
            # Match the tone of the part to its new surroundings.
            around = pixels_at(photograph, plan.own)
            if seed is not None:
                around = self._draw_plan(image, plan, seed, options)
            image = match_tone(image, plan.part & plan.clean, around,
                               plan.left & ~plan.part & ~plan.rim)
        return self._image(self._draw_plan(image, plan, seed, options))

    def _draw_plan(self, image: Tensor, plan: Plan, seed: Optional[int],
                   options: Dict[str, Any]) -> Tensor:
        """Draw the pixels that a plan does not determine."""
        rigid, clean = plan.clean & plan.is_rigid, plan.clean
        if seed is not None:
            rigid, clean = rigid & plan.part, clean & plan.part
        sizes = self.model.stage_sizes(options['size'])
        if seed is None and not rigid.any():
            guide = F.interpolate(image, sizes[0], mode='area')
            return self.model.sample(
                guide=guide, start_sigma=_RESIZE_SIGMA, **options)
        if not clean.any() and not plan.holes.any():
            return self.model.sample(**options)
        # Do not redraw what was moved away: in holes, or anywhere.
        holes = plan.holes if seed is None else ~plan.part
        start = self._first_stage(rigid if seed is None else None, sizes)
        scales = [level.size for level in self.model.levels]
        known = known_pyramid(image, rigid[None, None], sizes, holes,
                              plan.taken, scales)
        # Scaled parts are only given to the first scale.
        first = slice(start, start + 1)
        known[first] = known_pyramid(image, clean[None, None], sizes[first],
                                     holes, plan.taken, scales[first])
        return self.model.sample(known=known, start_stage=start, **options)

    def position_maps(self,
                      size: Optional[Size] = None,
                      growth: Optional[str] = None,
                      edits: Sequence[LayoutEdit] = ()
                      ) -> List[PositionMap]:
        """Positions of the cells of each scale.

        Args:
            size, growth, edits: As for :meth:`layout`; margins and edges of
                edits are 4 and 1 pixels wide by default.

        Returns:
            The positions of each scale.

        Raises:
            ValueError: The model has no explicit positions, or see
                :class:`.PositionMap`.
        """
        own = self._own_growth()
        sizes = self.model.stage_sizes(size)
        return [
            PositionMap(sizes[-1], cells, level.size, growth or own, edits, 1)
            for cells, level in zip(sizes, self.model.levels)
        ]

    # ----------------------------------------------------------------- details
    def _own_growth(self) -> str:
        encoding: Any = self.model.encoding
        if encoding is None:
            raise ValueError('This model has no explicit positions: use a '
                             'config with `positions` (CSG or SPE).')
        return encoding.growth

    def _first_stage(self, kept: Optional[Tensor],
                     sizes: Sequence[Size]) -> int:
        """First scale to draw, so that a patch covers the largest hole."""
        if kept is None:
            return 0
        holes = np.pad((~kept).cpu().numpy().astype(np.uint8), 1)
        width = 2 * float(cv2.distanceTransform(holes, cv2.DIST_L2, 5).max())
        start = 0
        for stage, (size, level) in enumerate(zip(sizes, self.model.levels)):
            if width * size[0] / sizes[-1][0] > _HOLE or \
                    level.grid[0] * level.grid[1] > _HOLE_PATCHES:
                break
            start = stage
        return start

    def _photograph_at(self, start_scale: int,
                       size: Optional[Size] = None) -> Dict[str, Any]:
        """Options to start from the photograph, at a scale of at least 1."""
        image = self.model.levels[start_scale - 1].image
        matches = self.model.finer_matches(
            start_scale, own_places(image.shape[2:]),
            self.model.stage_sizes(size)[start_scale])
        return dict(guide=image, matches=matches, start_stage=start_scale)

    def _inject(self, image: np.ndarray, start_scale: int,
                seed: Optional[int], size: Size) -> np.ndarray:
        sizes = self.model.stage_sizes(size)
        image = mmcv.imresize(image, size[::-1])
        before = mmcv.imresize(
            image, sizes[start_scale - 1][::-1], interpolation='area')
        return self._image(
            self.model.sample(
                size,
                guide=self._tensor(before),
                start_stage=start_scale,
                **self._noise_options(seed, sizes)))

    def _enlarge(self, image: Tensor, size: Size,
                 seed: Optional[int]) -> Tensor:
        """Add the detail that similar patches lose when they are blurred.

        Patches of the enlarged image are searched, near each place, in the
        image blurred by the same factor (Freedman and Fattal, "Image and Video
        Upscaling from Local Self-Examples", TOG 2011).
        """
        old = image.shape[2], image.shape[3]
        reduced = tuple(
            max(1, round(a * a / b)) for a, b in zip(old, size))
        blurred = upsample(
            F.interpolate(image, reduced, mode='area'),
            old,
            align_corners=False)
        examples = PhotographLevel(blurred, _EXAMPLE, 3 * _EXAMPLE**2,
                                   self.model.window_std)
        guide = upsample(image, size, align_corners=False)
        query = guide
        if seed is not None:
            windows = [range(length) for length in size]
            noise = self.model.noise(seed, self.last_scale, *windows)
            query = guide + _EXAMPLE_NOISE * noise
        places = [((torch.arange(new) + .5) * (length / new) - .5).round()
                  for length, new in zip(old, size)]
        matches = torch.stack(torch.meshgrid(*places, indexing='ij')).long()
        _, matches = examples.estimate_nearby(
            query, 0, None, matches.to(image.device), _EXAMPLE_RADIUS)
        lost = F.pad((image - blurred)[0].permute(1, 2, 0), (0, 1))
        return guide + vote(lost.contiguous(), matches, self.model.window_std)

    def super_resolution_steps(self, factor: float) -> int:
        """Number of times that detail is added."""
        return max(1, round(math.log(factor) / math.log(_EXAMPLE_STEP)))

    def _noise_options(self, seed: Optional[int],
                       sizes: Sequence[Size]) -> Dict[str, Any]:
        if seed is not None:
            return dict(seed=seed)
        return dict(
            noise=lambda stage: torch.zeros(
                1, 3, *sizes[stage], device=self.model.device))

    def _center(self) -> List[Tensor]:
        return [torch.zeros_like(x) for x in self._noise(0)]

    def _noise(self, seed: int) -> List[Tensor]:
        """Control points of a field of displacements, for each scale."""
        return [
            coordinate_noise(seed, stage, 2, *[range(_SWAY_POINTS << stage)] *
                             2)[None] for stage in range(self.last_scale + 1)
        ]

    def _frame(self, noises: List[Tensor], start_scale: int) -> np.ndarray:
        """The photograph with smoothly swaying positions."""
        sway = _SWAY / 2**start_scale * min(self.size)
        field = F.interpolate(
            noises[start_scale], self.size, mode='bicubic',
            align_corners=True)[0]
        return self._image(
            pixels_at(self.model.levels[-1].image,
                      own_places(self.size) + sway * field))

    def _tensor(self, image: np.ndarray) -> Tensor:
        check_rgb(image)
        pixels = torch.from_numpy(image.astype(np.float32))
        return (pixels.permute(2, 0, 1)[None] / 127.5 - 1).to(
            self.model.device)

    def _image(self, batch: Tensor) -> np.ndarray:
        return to_pixels(batch)
