"""Levelling the tones of neighbouring patches and parts."""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ['matched_steps', 'membrane', 'screened_poisson']

# Elements in a block of weights, to fit into caches.
_BLOCK_WEIGHTS = 2**22


def matched_steps(pixels: Tensor, matches: Tensor, image: Tensor,
                  limit: float) -> Tuple[Tensor, Tensor]:
    """Differences between neighbouring pixels according to their matches.

    Neighbouring patches may differ in brightness, which leaves a step in the
    image that neither of them has. Large steps are edges of objects and are
    kept.

    Args:
        pixels: Photograph (h, w, 4), as for :func:`vote`.
        matches: Rows and columns in it, int64 (2, H, W).
        image: Image drawn with these matches, (1, 3, H, W).
        limit: Largest step that counts as a difference of brightness.

    Returns:
        Steps down (1, 3, H - 1, W) and right (1, 3, H, W - 1).
    """
    last = torch.tensor(pixels.shape[:2], device=pixels.device)
    last = (last - 1)[:, None, None]

    def colours(places: Tensor) -> Tensor:
        y, x = places.clamp(min=torch.zeros_like(last), max=last)
        return pixels[y, x].permute(2, 0, 1)[None, :3]

    here = colours(matches)
    steps = []
    for axis in (0, 1):
        dim = axis + 2
        offset = torch.zeros_like(last)
        offset[axis] = 1
        size = image.shape[dim] - 1
        ahead = (colours(matches + offset) - here).narrow(dim, 0, size)
        behind = (here - colours(matches - offset)).narrow(dim, 1, size)
        step = (ahead + behind) / 2
        drawn = image.diff(dim=dim)
        off = (step - drawn).abs().amax(1, keepdim=True)
        steps.append(torch.where(off < limit, step, drawn))
    return steps[0], steps[1]


def screened_poisson(image: Tensor,
                     down: Tensor,
                     right: Tensor,
                     mask: Tensor,
                     weight: float,
                     num_iters: int = 100) -> Tensor:
    r"""Image with given gradients, close to given colours.

    .. math:: \min_u \lVert\nabla u - g\rVert^2 + \lambda\lVert u - f\rVert^2

    The screened Poisson equation (Bhat et al., "Fourier Analysis of the 2D
    Screened Poisson Equation for Gradient Domain Problems", ECCV 2008),
    solved by conjugate gradients.

    Args:
        image: Colours f, (1, 3, H, W); unchanged outside of the mask.
        down: Vertical steps of g, (1, 3, H - 1, W).
        right: Horizontal steps of g, (1, 3, H, W - 1).
        mask: bool (1, 1, H, W), true where the image may change.
        weight: Weight :math:`\lambda` of the colours; steps are levelled over
            about ``weight ** -0.5`` pixels.
        num_iters: Maximum number of iterations.

    Returns:
        (1, 3, H, W).
    """
    free = mask.to(image)

    def gradient(down: Tensor, right: Tensor, colour: Tensor) -> Tensor:
        result = weight * colour
        result = result + F.pad(down, (0, 0, 1, 0)) - F.pad(
            down, (0, 0, 0, 1))
        return free * (result + F.pad(right, (1, 0)) - F.pad(right, (0, 1)))

    def apply(x: Tensor) -> Tensor:
        return gradient(x.diff(dim=2), x.diff(dim=3), x)

    # Solve A change = residual, where A is the operator on the free pixels.
    residual = gradient(down - image.diff(dim=2), right - image.diff(dim=3),
                        torch.zeros_like(image))
    change, direction = torch.zeros_like(image), residual
    energy = residual.square().sum()
    target = 1e-6 * energy
    for _ in range(num_iters):
        if energy <= target:
            break
        product = apply(direction)
        step = energy / (direction * product).sum()
        change = change + step * direction
        residual = residual - step * product
        previous, energy = energy, residual.square().sum()
        direction = residual + energy / previous * direction
    return image + change


def membrane(values: Tensor, is_known: Tensor, is_wanted: Tensor,
             reach: float) -> Tensor:
    """Interpolate values from known pixels smoothly to wanted ones.

    Weights are inverse cubes of distances, which approximates the harmonic
    interpolation of gradient-domain blending (as mean value coordinates do,
    Farbman et al., SIGGRAPH 2009) without solving equations. Values fade out
    far from all known pixels.

    Args:
        values: (C, H, W).
        is_known: bool (H, W), true where values are known.
        is_wanted: bool (H, W), true where values are wanted.
        reach: Distance in pixels from a straight line of known pixels at
            which values have fallen to a half; may be infinite.

    Returns:
        (C, H, W): interpolated where wanted, elsewhere 0; all 0 without any
        known pixel.
    """
    result = torch.zeros_like(values)
    known, wanted = is_known.nonzero().float(), is_wanted.nonzero().float()
    if not len(known) or not len(wanted):
        return result
    sources = values[:, is_known]
    step = max(1, _BLOCK_WEIGHTS // len(known))
    parts = []
    for start in range(0, len(wanted), step):
        weights = torch.cdist(wanted[start:start + step],
                              known).clamp_(min=.5).pow_(-3)
        # The weights of a straight line of pixels at distance r sum to 2/r^2.
        weights /= weights.sum(1, keepdim=True) + 2 / reach**2
        parts.append(sources @ weights.t())
    result[:, is_wanted] = torch.cat(parts, 1)
    return result
