r"""Closed-form denoiser whose data are the patches of one photograph.

If the clean patches are those of a photograph, :math:`p_i` at positions
:math:`\pi_i`, the minimum mean square error estimate of a noisy patch
:math:`x = \alpha p + \sigma \epsilon` is their mean with weights

.. math::
    w_i \propto \exp\left(-\frac{|x - \alpha p_i|^2}{2 \sigma^2}
    - \frac{|e(q) - e(\pi_i)|^2}{2 \tau^2}\right),

where the second term is a prior for a place with position :math:`q`, encoded
by :math:`e`. Without the prior this is the denoiser of "Efficient and
Training-Free Single-Image Diffusion Models" (Qiu et al., CVPR 2026).

Images are float (1, 3, H, W). Maps with one value per patch of P x P pixels,
at its top-left corner, have the size (H', W') = (H - P + 1, W - P + 1).
"""
from typing import NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    'PatchPrior', 'all_patches', 'corners_to_matches', 'gaussian_blur',
    'gaussian_kernel', 'matched_steps', 'matches_to_corners', 'membrane',
    'nearest_corners', 'posterior_mean', 'principal_patches',
    'screened_poisson', 'vote'
]

# Elements in a block of logits or candidates, to fit into caches.
_BLOCK_LOGITS = 2**22
_BLOCK_CANDIDATES = 2**20
# Largest number of patches for computing principal components.
_MAX_SAMPLES = 4096
# Smallest noise level; there, a single patch has all the weight.
_SMALLEST_SIGMA = 1e-3


class PatchPrior(NamedTuple):
    """Log prior of a photograph's N patches at each place of an image.

    Computed as ``queries @ keys.T + bias``, up to a constant per place.

    Attributes:
        queries: (H', W', F), one per place.
        keys: (N, F), one per patch.
        bias: (N, ), one per patch.
    """

    queries: Tensor
    keys: Tensor
    bias: Tensor


def all_patches(image: Tensor, patch_size: int) -> Tensor:
    """All patches of an image, row by row.

    Args:
        image: (1, 3, H, W).
        patch_size: Side P of the patches in pixels.

    Returns:
        (H' * W', 3 * P * P).
    """
    return F.unfold(image, patch_size)[0].t().contiguous()


def gaussian_kernel(length: int, std: float) -> Tensor:
    """1-D Gaussian kernel with a sum of 1.

    Args:
        length: Number of taps, odd.
        std: Standard deviation in taps.

    Returns:
        Float32 (length, ).
    """
    taps = torch.arange(length) - (length - 1) / 2
    kernel = torch.exp(-taps.square() / (2 * std**2))
    return kernel / kernel.sum()


def gaussian_blur(image: Tensor, std: float) -> Tensor:
    """Gaussian blur with replicated borders.

    Args:
        image: (N, C, H, W).
        std: Standard deviation in pixels.

    Returns:
        (N, C, H, W).
    """
    radius = max(1, round(2.5 * std))
    kernel = gaussian_kernel(2 * radius + 1, std).to(image)
    channels = image.shape[1]
    padded = F.pad(image, (radius, ) * 4, mode='replicate')
    rows = kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1)
    blurred = F.conv2d(padded, rows, groups=channels)
    return F.conv2d(blurred, rows.transpose(2, 3), groups=channels)


def posterior_mean(image: Tensor,
                   patches: Tensor,
                   patch_size: int,
                   sigma: float,
                   std: float,
                   prior: Optional[PatchPrior] = None,
                   want_best: bool = True
                   ) -> Tuple[Tensor, Optional[Tensor]]:
    r"""Posterior mean of the clean image, over all patches.

    The image is :math:`(1 - \sigma) y + \sigma \epsilon`, the interpolation
    of flow matching. Estimates of overlapping patches are averaged with a
    Gaussian window.

    Args:
        image: Noisy image (1, 3, H, W).
        patches: Patches of the photograph, (N, 3 * P * P).
        patch_size: Side P of the patches.
        sigma: Noise level, from 0 to 1.
        std: Standard deviation of the window in pixels.
        prior: Log prior of the patches; uniform by default.
        want_best: Return the most probable patches. If False, GPUs compute
            the mean with ``scaled_dot_product_attention``.

    Returns:
        The estimate (1, 3, H, W), and the index (H', W') of the most probable
        patch at each place, or None.
    """
    height, width = image.shape[2:]
    num_rows, num_cols = height - patch_size + 1, width - patch_size + 1
    sigma = max(sigma, _SMALLEST_SIGMA)
    # -|x - a p|^2 / (2 s^2) = a / s^2 x p - a^2 / (2 s^2) |p|^2 + const(x),
    # with a = 1 - s: logits are a product with the patches, plus a bias.
    factor = (1 - sigma) / sigma**2
    bias = patches.square().sum(1) * (-(1 - sigma) * factor / 2)
    if prior is not None:
        bias = bias + prior.bias
    window = gaussian_kernel(patch_size, std).to(image)
    weights = torch.outer(window, window).expand(3, -1, -1).reshape(-1, 1)
    total, norm = torch.zeros_like(image), torch.zeros_like(image[:, :1])
    best = []
    rows = max(1, _BLOCK_LOGITS // (len(patches) * num_cols))
    for top in range(0, num_rows, rows):
        bottom = min(top + rows, num_rows) + patch_size - 1
        block = image[:, :, top:bottom]
        queries = F.unfold(block, patch_size)[0].t() * factor  # [H'W', 3PP]
        features = None
        if prior is not None:
            features = prior.queries[top:top + rows].flatten(0, 1)
        if image.is_cuda and not want_best:
            values = _attend_fused(queries, features, patches, prior, bias)
        else:
            values, index = _attend(queries, features, patches, prior, bias)
            best.append(index)
        size = (bottom - top, width)
        # Weighted sum of overlapping patches, and of their weights.
        total[:, :, top:bottom] += F.fold(values.t()[None] * weights, size,
                                          patch_size)
        ones = weights[-patch_size**2:].expand(-1, len(values))[None]
        norm[:, :, top:bottom] += F.fold(ones, size, patch_size)
    if not want_best:
        return total / norm, None
    return total / norm, torch.cat(best).view(num_rows, num_cols)


def _attend(queries: Tensor, features: Optional[Tensor], patches: Tensor,
            prior: Optional[PatchPrior],
            bias: Tensor) -> Tuple[Tensor, Tensor]:
    """Weighted means of all patches, and the patches of largest weight."""
    logits = torch.addmm(bias, queries, patches.t())  # [H'W', N]
    if prior is not None and features is not None:
        logits.addmm_(features, prior.keys.t())
    index = logits.argmax(1)
    return logits.softmax(1) @ patches, index


def _attend_fused(queries: Tensor, features: Optional[Tensor],
                  patches: Tensor, prior: Optional[PatchPrior],
                  bias: Tensor) -> Tensor:
    """The means only; bias and prior become additional features."""
    all_queries = [queries, queries.new_ones(len(queries), 1)]
    all_keys = [patches, bias[:, None]]
    if prior is not None and features is not None:
        all_queries.append(features)
        all_keys.append(prior.keys)
    mean = F.scaled_dot_product_attention(
        torch.cat(all_queries, 1)[None, None],
        torch.cat(all_keys, 1)[None, None],
        patches[None, None],
        scale=1.)
    return mean[0, 0]


def principal_patches(image: Tensor, patch_size: int, num: int) -> Tensor:
    """Principal components of the patches of an image.

    Args:
        image: (1, 3, H, W).
        patch_size: Side P of the patches.
        num: Number K of components, at most 3 * P * P.

    Returns:
        Orthonormal filters (K, 3, P, P); convolving an image with them
        projects all its patches.
    """
    windows = image[0].unfold(1, patch_size, 1).unfold(
        2, patch_size, 1)  # [3, H', W', P, P]
    num_rows, num_cols = windows.shape[1:3]
    # Patches overlap, so a sample is enough.
    count = num_rows * num_cols
    step = max(1, count // _MAX_SAMPLES)
    # A step that divides the width would miss whole columns.
    while step > 1 and num_cols % step == 0:
        step -= 1
    index = torch.arange(0, count, step, device=image.device)
    samples = windows[:, index // num_cols, index % num_cols]
    samples = samples.transpose(0, 1).flatten(1)
    samples = samples - samples.mean(0)
    # Eigenvalues ascend, so the last vectors are the principal ones.
    vectors = torch.linalg.eigh(samples.t() @ samples)[1]  # [3PP, 3PP]
    vectors = vectors[:, -min(num, vectors.shape[1]):].t()
    return vectors.reshape(-1, 3, patch_size, patch_size)


def nearest_corners(queries: Tensor, table: Tensor, corners: Optional[Tensor],
                    radius: int) -> Tensor:
    """Patch with the largest logit at each place, near an expected one.

    Args:
        queries: (H', W', F); a logit is the product of a query and a key.
        table: Keys (h', w', F), one per patch of the photograph.
        corners: Expected patches (2, H', W'), rows and columns of ``table``;
            None to search all patches.
        radius: The search window has a side of 2 * radius + 1.

    Returns:
        Rows and columns of the patches, int64 (2, H', W').
    """
    num_rows, num_cols, width = table.shape
    keys, flat = table.view(-1, width), queries.reshape(-1, width)
    best = torch.empty(len(flat), dtype=torch.int64, device=queries.device)
    if corners is None:
        step = max(1, _BLOCK_LOGITS // len(keys))
        for start in range(0, len(flat), step):
            logits = flat[start:start + step] @ keys.t()
            best[start:start + step] = logits.argmax(1)
    else:
        offsets = torch.arange(-radius, radius + 1, device=queries.device)
        rows, cols = corners.flatten(1)[..., None]
        step = max(1, _BLOCK_CANDIDATES // (width * len(offsets)**2))
        for start in range(0, len(flat), step):
            part = slice(start, start + step)
            row = (rows[part] + offsets).clamp_(0, num_rows - 1)
            col = (cols[part] + offsets).clamp_(0, num_cols - 1)
            index = (row[:, :, None] * num_cols + col[:, None]).flatten(
                1)  # [places, (2 radius + 1)^2]
            found = keys.index_select(0, index.flatten())
            found = found.view(*index.shape, width)
            logits = (found * flat[part, None]).sum(2)
            best[part] = index.gather(1, logits.argmax(1, keepdim=True))[:, 0]
    best = best.view(queries.shape[:2])
    return torch.stack((best.div(num_cols, rounding_mode='floor'),
                        best % num_cols))


def corners_to_matches(corners: Tensor, patch_size: int) -> Tensor:
    """Matched pixel of the photograph for each pixel of an image.

    It is the centre of the patch around the pixel; at the border, which has
    no such patch, the centre of the nearest patch plus the offset to it.

    Args:
        corners: Corners of the matched patches, int64 (2, H', W').
        patch_size: Side P of the patches, odd.

    Returns:
        Rows and columns of pixels, int64 (2, H, W).
    """
    half = patch_size // 2
    axes = [torch.arange(n + 2 * half) for n in corners.shape[1:]]
    inner = [
        axis.clamp(half, n + half - 1)
        for axis, n in zip(axes, corners.shape[1:])
    ]
    beside = torch.stack(
        torch.meshgrid(*[a - b for a, b in zip(axes, inner)], indexing='ij'))
    rows, cols = (x.to(corners.device) - half for x in inner)
    return corners[:, rows[:, None], cols] + half + beside.to(corners.device)


def matches_to_corners(matches: Tensor, patch_size: int) -> Tensor:
    """Corners of the patches around matched pixels; not clamped.

    Args:
        matches: (2, H, W).
        patch_size: Side P of the patches, odd.

    Returns:
        (2, H', W'), possibly outside of the photograph.
    """
    half = patch_size // 2
    height, width = matches.shape[1:]
    return matches[:, half:height - half, half:width - half] - half


def vote(pixels: Tensor, matches: Tensor, std: float) -> Tensor:
    """Image composed of matched patches, averaged with a Gaussian window.

    Each pixel is the mean of the values that the patches matched to it and to
    its neighbours have there.

    Args:
        pixels: Photograph (h, w, 4) with an unused last channel, so that a
            pixel is one vector.
        matches: Rows and columns in it, int64 (2, H, W).
        std: Standard deviation of the window in pixels.

    Returns:
        (1, 3, H, W).
    """
    height, width = pixels.shape[:2]
    size = matches.shape[1:]
    radius = max(1, round(2 * std))
    kernel = gaussian_kernel(2 * radius + 1, std)
    # Matches beyond the border continue those at the border.
    axes = [torch.arange(-radius, n + radius) for n in size]
    inner = [axis.clamp(0, n - 1) for axis, n in zip(axes, size)]
    beside = torch.stack(
        torch.meshgrid(*[a - b for a, b in zip(axes, inner)], indexing='ij'))
    near = matches[:, inner[0][:, None], inner[1]] + beside.to(matches.device)
    flat = pixels.view(-1, 4)
    total = torch.zeros(
        size[0] * size[1], 4, device=pixels.device, dtype=pixels.dtype)
    for y, weight_y in zip(range(-radius, radius + 1), kernel.tolist()):
        for x, weight_x in zip(range(-radius, radius + 1), kernel.tolist()):
            rows, cols = near[:, radius - y:radius - y + size[0],
                              radius - x:radius - x + size[1]]
            index = (rows + y).clamp_(0, height - 1).mul_(width)
            index += (cols + x).clamp_(0, width - 1)
            total.add_(
                flat.index_select(0, index.flatten()),
                alpha=weight_y * weight_x)
    return total.view(1, *size, 4).permute(0, 3, 1, 2)[:, :3].contiguous()


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
    step = max(1, _BLOCK_LOGITS // len(known))
    parts = []
    for start in range(0, len(wanted), step):
        weights = torch.cdist(wanted[start:start + step],
                              known).clamp_(min=.5).pow_(-3)
        # The weights of a straight line of pixels at distance r sum to 2/r^2.
        weights /= weights.sum(1, keepdim=True) + 2 / reach**2
        parts.append(sources @ weights.t())
    result[:, is_wanted] = torch.cat(parts, 1)
    return result
