"""One scale of a photograph, with cached data for searching its patches."""
from functools import cached_property
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.patch_diffusion import (PatchPrior, all_patches,
                                             corners_to_matches, matched_steps,
                                             matches_to_corners,
                                             nearest_corners, posterior_mean,
                                             principal_patches,
                                             screened_poisson, vote)

__all__ = ['PhotographLevel']

Estimate = Tuple[Tensor, Optional[Tensor]]


class PhotographLevel:
    """The photograph at one scale, as the data of a denoiser.

    Args:
        image: The photograph, (1, 3, H, W) in [-1, 1].
        patch_size: Side P of the patches, odd.
        num_components: Number of principal components for comparing patches
            in a local search.
        std: Standard deviation in pixels of the window that averages
            overlapping patches.
    """

    def __init__(self, image: Tensor, patch_size: int, num_components: int,
                 std: float) -> None:
        self.image = image
        self.patch_size = patch_size
        self.num_components = num_components
        self.std = std
        _, _, height, width = image.shape
        self.size = height, width
        self.grid = height - patch_size + 1, width - patch_size + 1

    @cached_property
    def _patches(self) -> Tensor:
        return all_patches(self.image, self.patch_size)

    @cached_property
    def _basis(self) -> Tensor:
        basis = principal_patches(self.image, self.patch_size,
                                  self.num_components)
        return basis.contiguous(memory_format=torch.channels_last)

    @cached_property
    def _keys(self) -> Tensor:
        """Projected patches and their squared norms, (H', W', K + 1)."""
        keys = self._project(self.image)
        return torch.cat((keys, keys.square().sum(2, keepdim=True)), 2)

    @cached_property
    def _pixels(self) -> Tensor:
        return F.pad(self.image[0].permute(1, 2, 0), (0, 1)).contiguous()

    def estimate(self,
                 image: Tensor,
                 sigma: float,
                 prior: Optional[PatchPrior],
                 want_matches: bool = True) -> Estimate:
        """Denoise an image with the mean over all patches.

        Args:
            image: (1, 3, H, W).
            sigma: Noise level, from 0 to 1.
            prior: Log prior of the patches at each place.
            want_matches: Return the matches.

        Returns:
            The estimate, and the matches (2, H, W) of the most probable
            patches, or None.
        """
        estimate, best = posterior_mean(image, self._patches, self.patch_size,
                                        sigma, self.std, prior, want_matches)
        if best is None:
            return estimate, None
        num_cols = self.grid[1]
        corners = torch.stack((best // num_cols, best % num_cols))
        return estimate, corners_to_matches(corners, self.patch_size)

    def estimate_nearby(self, image: Tensor, sigma: float,
                        prior: Optional[PatchPrior],
                        matches: Optional[Tensor],
                        radius: int) -> Tuple[Tensor, Tensor]:
        """Denoise an image with the most probable patch near an expected one.

        An approximation of :meth:`estimate`: among large patches, one has
        nearly all the weight.

        Args:
            image, sigma, prior: As for :meth:`estimate`.
            matches: Expected pixels of the photograph, (2, H, W); None to
                search everywhere.
            radius: Radius of the search in pixels.

        Returns:
            The estimate and the matches (2, H, W).
        """
        alpha = 1 - sigma
        queries, keys = self._project(image), self._keys
        ones = queries.new_ones(*queries.shape[:2], 1)
        # Logits times sigma^2, to keep them finite at sigma 0.
        parts = [alpha * queries, -alpha**2 / 2 * ones]
        if prior is not None:
            parts += [sigma**2 * prior.queries, sigma**2 * ones]
            keys = torch.cat((keys, prior.keys.view(*self.grid, -1),
                              prior.bias.view(*self.grid, 1)), 2)
        corners = None
        if matches is not None:
            corners = matches_to_corners(matches, self.patch_size)
        corners = nearest_corners(
            torch.cat(parts, 2), keys, corners, radius)
        matches = corners_to_matches(corners, self.patch_size)
        return vote(self._pixels, matches, self.std), matches

    def level_tones(self, image: Tensor, matches: Tensor, mask: Tensor,
                    limit: float, weight: float) -> Tensor:
        """Remove steps of brightness between the patches of an image.

        Args:
            image: (1, 3, H, W).
            matches: Matches of the image, (2, H, W).
            mask: bool (1, 1, H, W), true where the image may change.
            limit: See :func:`.matched_steps`.
            weight: See :func:`.screened_poisson`.

        Returns:
            (1, 3, H, W).
        """
        steps = matched_steps(self._pixels, matches, image, limit)
        return screened_poisson(image, *steps, mask, weight)

    def _project(self, image: Tensor) -> Tensor:
        """Principal components of all patches, (H', W', K)."""
        image = image.contiguous(memory_format=torch.channels_last)
        return F.conv2d(image, self._basis)[0].permute(1, 2, 0).contiguous()
