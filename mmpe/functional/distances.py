"""Distances between sets of images or of their features; torch only.

Every function takes plain tensors and returns plain numbers, so that each of
them can be checked against a slow, independent computation.
"""
import math
from typing import Iterator, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = [
    'feature_statistics', 'frechet_distance', 'kernel_distance',
    'laplacian_pyramid', 'neighbour_radii', 'patch_descriptors',
    'polynomial_mmd', 'precision_recall', 'resize_images', 'self_ssim',
    'sliced_wasserstein_distance', 'ssim'
]

# Neighbours beyond the k-th that are measured again in float64 as well.
_SPARE_NEIGHBOURS = 1
_SSIM_WINDOW = 11
_SSIM_SIGMA = 1.5


def _check_features(name: str, features: Tensor, min_num: int = 1) -> None:
    if features.ndim != 2 or features.dtype not in (torch.float32,
                                                    torch.float64):
        raise ValueError(
            f'Argument `{name}` must be a float32 or float64 tensor of shape '
            f'(N, C), but got {features.dtype} of shape '
            f'{tuple(features.shape)}.')
    if len(features) < min_num:
        raise ValueError(f'Argument `{name}` must hold at least {min_num} '
                         f'samples, but got {len(features)}.')
    # A sum is enough to find them, and needs no second array.
    if not features.sum().isfinite():
        raise ValueError(f'Argument `{name}` must be finite, but holds NaN '
                         'or infinite values.')


def _check_same_width(real: Tensor, fake: Tensor) -> None:
    if real.shape[1] != fake.shape[1]:
        raise ValueError(
            'Arguments `real` and `fake` must have features of one length, '
            f'but got {real.shape[1]} and {fake.shape[1]}.')


def _check_images(name: str, images: Tensor) -> None:
    if images.ndim != 4 or not images.is_floating_point():
        raise ValueError(
            f'Argument `{name}` must be a floating-point tensor of shape '
            f'(N, C, H, W), but got {images.dtype} of shape '
            f'{tuple(images.shape)}.')


def feature_statistics(features: Tensor) -> Tuple[Tensor, Tensor]:
    """Mean and unbiased covariance of a set of features.

    Args:
        features: Float tensor (N, C), at least two samples.

    Returns:
        Float64 mean (C, ) and covariance (C, C).

    Raises:
        ValueError: Wrong shape or dtype, fewer than two samples, NaN.
    """
    _check_features('features', features, min_num=2)
    features = features.double()
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


def _matrix_factor(cov: Tensor) -> Tensor:
    """A matrix ``F`` with ``cov = F F^T`` for a positive semidefinite one."""
    factor, info = torch.linalg.cholesky_ex(cov)
    if info == 0:
        return factor
    # A singular covariance: fewer samples than features, or dead features.
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0).sqrt()


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor,
                     cov2: Tensor) -> float:
    r"""Frechet distance of two Gaussian distributions.

    .. math::
        |\mu_1 - \mu_2|^2 + \mathrm{tr}(C_1) + \mathrm{tr}(C_2)
        - 2\,\mathrm{tr}\big((C_1 C_2)^{1/2}\big)

    The last trace is the sum of the square roots of the eigenvalues of
    :math:`C_1 C_2`. With :math:`C_1 = F F^T` these are the eigenvalues of the
    symmetric :math:`F^T C_2 F`, which are real and cheap to compute; the
    square root of the product itself is neither formed nor needed. Singular
    covariances are handled without an offset.

    Args:
        mean1, mean2: Means (C, ).
        cov1, cov2: Covariances (C, C).

    Returns:
        The squared distance, at least 0 up to rounding.

    Raises:
        ValueError: Shapes do not match or values are not finite.
    """
    stats = [mean1, cov1, mean2, cov2]
    num = mean1.numel()
    for name, value, shape in zip(('mean1', 'cov1', 'mean2', 'cov2'), stats,
                                  ((num, ), (num, num)) * 2):
        if tuple(value.shape) != shape:
            raise ValueError(f'Argument `{name}` must have the shape {shape}, '
                             f'but got {tuple(value.shape)}.')
        if not value.isfinite().all():
            raise ValueError(f'Argument `{name}` must be finite, but holds '
                             'NaN or infinite values.')
    mean1, cov1, mean2, cov2 = (value.double() for value in stats)
    factor = _matrix_factor(cov1)
    product = factor.T @ cov2 @ factor
    # eigvalsh reads one triangle; both halves agree up to rounding.
    values = torch.linalg.eigvalsh(product).clamp(min=0)
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace()
    return float(distance - 2 * values.sqrt().sum())


def _polynomial_kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1)**3


def polynomial_mmd(real: Tensor, fake: Tensor) -> float:
    r"""Unbiased squared MMD with the kernel :math:`(x^T y / C + 1)^3`.

    Args:
        real, fake: Features (N, C) and (M, C), at least two samples each.

    Returns:
        The estimate; it may be slightly negative for equal distributions.

    Raises:
        ValueError: Wrong shape or dtype, too few samples, NaN.
    """
    _check_features('real', real, min_num=2)
    _check_features('fake', fake, min_num=2)
    _check_same_width(real, fake)
    real, fake = real.double(), fake.double()

    def within(x: Tensor) -> Tensor:
        kernel = _polynomial_kernel(x, x)
        return (kernel.sum() - kernel.trace()) / (len(x) * (len(x) - 1))

    cross = _polynomial_kernel(real, fake).mean()
    return float(within(real) + within(fake) - 2 * cross)


def kernel_distance(real: Tensor,
                    fake: Tensor,
                    num_subsets: int = 100,
                    subset_size: int = 1000,
                    seed: int = 0) -> Tuple[float, float]:
    """Kernel distance (KID): mean and deviation of MMD over random subsets.

    Args:
        real, fake: Features (N, C) and (M, C).
        num_subsets: Number of subsets.
        subset_size: Samples drawn from each set, without replacement.
        seed: Seed of the draw.

    Returns:
        Mean and (population) standard deviation over the subsets.

    Raises:
        ValueError: Wrong shape or dtype, sets smaller than a subset, NaN.
    """
    if num_subsets < 1:
        raise ValueError('Argument `num_subsets` must be at least 1, but got '
                         f'{num_subsets}.')
    if subset_size < 2:
        raise ValueError('Argument `subset_size` must be at least 2, but got '
                         f'{subset_size}.')
    _check_features('real', real, min_num=subset_size)
    _check_features('fake', fake, min_num=subset_size)
    generator = torch.Generator().manual_seed(seed)

    def draw(x: Tensor) -> Tensor:
        index = torch.randperm(len(x), generator=generator)[:subset_size]
        return x[index.to(x.device)]

    values = torch.tensor(
        [polynomial_mmd(draw(real), draw(fake)) for _ in range(num_subsets)],
        dtype=torch.float64)
    return float(values.mean()), float(values.std(unbiased=False))


def _tiles(num: int, tile: int) -> Iterator[slice]:
    for start in range(0, num, tile):
        yield slice(start, min(start + tile, num))


class _Points:
    """Features in tiles, with the squared norms of their rows.

    Where the centre is far away, compared with the spread, it is subtracted:
    that changes no distance, but keeps the norms, and with them the
    cancellation in `_squared_distances`, small.
    """

    def __init__(self, features: Tensor, centre: Optional[Tensor],
                 tile_size: int) -> None:
        self.features = features
        self.centre = centre
        self.norms = torch.cat([
            self._rows(rows).square().sum(dim=1)
            for rows in _tiles(len(features), tile_size)
        ])

    def _rows(self, rows: slice) -> Tensor:
        if self.centre is None:
            return self.features[rows]
        return self.features[rows] - self.centre

    def __getitem__(self, rows: slice) -> Tuple[Tensor, Tensor]:
        return self._rows(rows), self.norms[rows]


def _centre(features: Tensor) -> Optional[Tensor]:
    """The mean of features, or None where it is not worth subtracting."""
    mean = features.mean(dim=0)
    spread = torch.linalg.vector_norm(features).square() / len(features)
    return mean if mean.square().sum() > 0.75 * spread else None


def _squared_distances(x: Tuple[Tensor, Tensor],
                       y: Tuple[Tensor, Tensor]) -> Tensor:
    """Squared distances (N, M) of two tiles by the binomial formula."""
    product = torch.addmm(y[1], x[0], y[0].T, alpha=-2)
    return product.add_(x[1][:, None])


def neighbour_radii(features: Tensor,
                    k: int = 3,
                    tile_size: int = 1024) -> Tensor:
    """Squared distance of every sample to its k-th nearest other sample.

    The distance matrix is walked through in square tiles of its upper
    triangle, with the smallest distances of every row kept on the way, so
    that at most one tile exists at a time. The nearest candidates are then
    measured again in float64, so that the result is free of the cancellation
    in the matrix product.

    Args:
        features: Features (N, C), more than ``k``.
        k: Rank of the neighbour; the sample itself does not count.
        tile_size: Side of a tile.

    Returns:
        Float64 squared radii (N, ).

    Raises:
        ValueError: Wrong shape or dtype, ``k`` or ``tile_size`` below 1, too
            few samples, NaN.
    """
    if k < 1 or tile_size < 1:
        raise ValueError('Arguments `k` and `tile_size` must be at least 1, '
                         f'but got {k} and {tile_size}.')
    _check_features('features', features, min_num=k + 1)
    num = len(features)
    num_kept = min(k + _SPARE_NEIGHBOURS, num - 1)
    nearest = features.new_full((num, num_kept), math.inf)
    index = torch.zeros_like(nearest, dtype=torch.long)

    def update(rows: slice, columns: slice, distances: Tensor) -> None:
        ids = torch.arange(
            columns.start, columns.stop, device=features.device)
        kept = min(num_kept, distances.shape[1])
        values, places = distances.topk(kept, largest=False)
        values = torch.cat([nearest[rows], values], dim=1)
        ids = torch.cat([index[rows], ids[places]], dim=1)
        nearest[rows], places = values.topk(num_kept, largest=False)
        index[rows] = ids.gather(1, places)

    points = _Points(features, _centre(features), tile_size)
    tiles = list(_tiles(num, tile_size))
    for i, rows in enumerate(tiles):
        x = points[rows]
        for columns in tiles[i:]:
            distances = _squared_distances(x, points[columns])
            if rows == columns:
                distances.fill_diagonal_(math.inf)
            else:
                update(columns, rows, distances.T.contiguous())
            update(rows, columns, distances)
    return _remeasured(features, index, k)


def _remeasured(features: Tensor, index: Tensor, k: int) -> Tensor:
    """The k-th smallest float64 distance to the candidates in ``index``."""
    radii = torch.empty(
        len(features), dtype=torch.float64, device=features.device)
    for rows in _tiles(len(features), 32):  # small enough for a cache
        difference = features[index[rows]].double()
        difference -= features[rows, None].double()
        distances = difference.square_().sum(dim=-1)
        radii[rows] = distances.kthvalue(k, dim=1).values
    return radii


def _share_inside(depth: Tensor, probes: _Points, manifold: _Points,
                  radii: Tensor, tile_size: int) -> float:
    """Share of probes inside a manifold, given how deep they lie in it."""
    # What rounding can do to a squared distance computed by matrix product.
    width, dtype = probes.features.shape[1], probes.features.dtype
    eps = 4 * math.sqrt(width) * torch.finfo(dtype).eps
    bound = eps * (probes.norms.sqrt() + manifold.norms.max().sqrt())**2
    inside = depth > bound
    unsure = ~inside & (depth >= -bound)
    if not unsure.any():
        return float(inside.double().mean())
    probes = _Points(probes.features[unsure], probes.centre, tile_size)
    inside[unsure] = _inside_exactly(probes, manifold, radii, bound[unsure],
                                     tile_size)
    return float(inside.double().mean())


def _inside_exactly(probes: _Points, manifold: _Points, radii: Tensor,
                    bound: Tensor, tile_size: int) -> Tensor:
    """Whether each probe lies in a ball, pairs in doubt measured in float64.

    No pair may be surely inside, i.e. by more than ``bound``.
    """
    inside = torch.zeros_like(bound, dtype=torch.bool)
    for columns in _tiles(len(radii), tile_size):
        y = manifold[columns]
        for rows in _tiles(len(inside), tile_size):
            depth = radii[columns] - _squared_distances(probes[rows], y)
            doubt = (depth >= -bound[rows, None]) & ~inside[rows, None]
            for pairs in doubt.nonzero().split(1024):
                row, column = pairs.T
                row, column = row + rows.start, column + columns.start
                difference = (probes.features[row].double() -
                              manifold.features[column].double())
                hit = difference.square_().sum(dim=-1) <= radii[column]
                inside[row[hit]] = True
    return inside


def precision_recall(real: Tensor,
                     fake: Tensor,
                     k: int = 3,
                     tile_size: int = 1024) -> Tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al., NeurIPS 2019).

    A manifold is the union of balls around its samples that reach to their
    k-th nearest neighbours. Precision is the share of fakes inside the
    manifold of the reals, recall the share of reals inside that of the fakes;
    a collapsed generator has high precision and low recall.

    Every distance between the sets is computed once, in tiles, and used for
    both figures. Samples whose place is within rounding of a ball's surface
    are decided in float64.

    Args:
        real, fake: Features (N, C) and (M, C), more than ``k`` each.
        k: Rank of the neighbour that sets a radius.
        tile_size: Side of the tiles; no larger block of distances exists.

    Returns:
        Precision and recall, in [0, 1].

    Raises:
        ValueError: Wrong shape or dtype, ``k`` or ``tile_size`` below 1, too
            few samples, NaN.
    """
    _check_features('real', real, min_num=k + 1)
    _check_features('fake', fake, min_num=k + 1)
    _check_same_width(real, fake)
    dtype = torch.promote_types(real.dtype, fake.dtype)
    real, fake = real.to(dtype), fake.to(dtype)
    real_radii = neighbour_radii(real, k, tile_size)
    fake_radii = neighbour_radii(fake, k, tile_size)
    centre = _centre(real)
    reals = _Points(real, centre, tile_size)
    fakes = _Points(fake, centre, tile_size)
    real_depth, fake_depth = _depths(reals, fakes, real_radii.to(dtype),
                                     fake_radii.to(dtype), tile_size)
    return (_share_inside(fake_depth, fakes, reals, real_radii, tile_size),
            _share_inside(real_depth, reals, fakes, fake_radii, tile_size))


def _depths(reals: _Points, fakes: _Points, real_radii: Tensor,
            fake_radii: Tensor, tile_size: int) -> Tuple[Tensor, Tensor]:
    """How deep each sample lies in the other set's ball that holds it best.

    The depth is the squared radius less the squared distance; it is negative
    outside.
    """
    real_depth = torch.full_like(real_radii, -math.inf)
    fake_depth = torch.full_like(fake_radii, -math.inf)
    for rows in _tiles(len(fake_radii), tile_size):
        x = fakes[rows]
        for columns in _tiles(len(real_radii), tile_size):
            distances = _squared_distances(x, reals[columns])
            depth = (real_radii[columns] - distances).amax(dim=1)
            fake_depth[rows] = fake_depth[rows].maximum(depth)
            depth = (fake_radii[rows, None] - distances).amax(dim=0)
            real_depth[columns] = real_depth[columns].maximum(depth)
    return real_depth, fake_depth


def resize_images(images: Tensor, size: Tuple[int, int]) -> Tensor:
    """Resize images for a comparison: bilinear, anti-aliased when shrinking.

    Pixel centres, not corners, are aligned (``align_corners=False``). Where
    the size is right already, the images are returned as they are.

    Args:
        images: Float tensor (N, C, H, W).
        size: Target (H, W).

    Returns:
        Images of the given size, same dtype and range.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(
        images, size=size, mode='bilinear', antialias=True)


def _gaussian_window(images: Tensor) -> Tensor:
    radius = _SSIM_WINDOW // 2
    x = torch.arange(-radius, radius + 1, device=images.device)
    window = torch.exp(-x.to(images).square() / (2 * _SSIM_SIGMA**2))
    return window / window.sum()


def _local_means(images: Tensor) -> Tensor:
    """Gaussian-weighted means of all whole windows, channel by channel."""
    num, channels, height, width = images.shape
    window = _gaussian_window(images)
    images = images.reshape(num * channels, 1, height, width)
    images = F.conv2d(images, window[None, None, :, None])
    images = F.conv2d(images, window[None, None, None, :])
    return images.reshape(num, channels, *images.shape[-2:])


def ssim(x: Tensor, y: Tensor, data_range: float = 255.) -> Tensor:
    """Structural similarity of pairs of images (Wang et al., 2004).

    Gaussian window of 11 pixels and sigma 1.5, K1 = 0.01, K2 = 0.03, whole
    windows only, each channel by itself, mean over windows and channels.

    Args:
        x, y: Float images (N, C, H, W), at least 11 pixels high and wide.
        data_range: Difference of the largest and the smallest possible value.

    Returns:
        Similarities (N, ) in [-1, 1], in the dtype of the images.

    Raises:
        ValueError: Wrong or different shapes, images too small.
    """
    _check_images('x', x)
    _check_images('y', y)
    if x.shape != y.shape:
        raise ValueError('Arguments `x` and `y` must have one shape, but got '
                         f'{tuple(x.shape)} and {tuple(y.shape)}.')
    if min(x.shape[-2:]) < _SSIM_WINDOW:
        raise ValueError(f'Images must be at least {_SSIM_WINDOW} pixels high '
                         f'and wide, but got {tuple(x.shape[-2:])}.')
    mean_x, mean_y = _local_means(x), _local_means(y)
    var_x = _local_means(x * x) - mean_x**2
    var_y = _local_means(y * y) - mean_y**2
    cov = _local_means(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * data_range)**2, (0.03 * data_range)**2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * cov + c2) / (var_x + var_y + c2)
    return (luminance * structure).mean(dim=(1, 2, 3))


def self_ssim(x: Tensor, y: Tensor, data_range: float = 255.) -> Tensor:
    """Similarity of images of one latent that were drawn at two sizes.

    Both are resized to their common size, the smaller height and the smaller
    width of the two, and compared with :func:`ssim` (SelfSSIM; Ntavelis et
    al., "Arbitrary-Scale Image Synthesis", CVPR 2022).

    Args:
        x, y: Float images (N, C, H, W) and (N, C, H', W').
        data_range: Difference of the largest and the smallest possible value.

    Returns:
        Similarities (N, ) in [-1, 1].

    Raises:
        ValueError: Wrong shapes, images too small.
    """
    _check_images('x', x)
    _check_images('y', y)
    size = (min(x.shape[2], y.shape[2]), min(x.shape[3], y.shape[3]))
    return ssim(resize_images(x, size), resize_images(y, size), data_range)


def _binomial_blur(images: Tensor, gain: float = 1.) -> Tensor:
    """Convolution with the outer product of [1, 4, 6, 4, 1] / 16."""
    channels = images.shape[1]
    row = images.new_tensor([1., 4., 6., 4., 1.]) / 16
    kernel = (gain * torch.outer(row, row)).expand(channels, 1, 5, 5)
    return F.conv2d(
        F.pad(images, (2, 2, 2, 2), mode='reflect'), kernel, groups=channels)


def _expand(images: Tensor, size: Tuple[int, int]) -> Tensor:
    """Zeros between the pixels, then the blur with four times its weight."""
    spread = images.new_zeros(*images.shape[:2], *size)
    spread[..., ::2, ::2] = images
    return _binomial_blur(spread, gain=4.)


def laplacian_pyramid(images: Tensor, num_levels: int) -> List[Tensor]:
    """Laplacian pyramid (Burt & Adelson, 1983), reflecting borders.

    Args:
        images: Float tensor (N, C, H, W).
        num_levels: Number of levels; each is half as large as the last.

    Returns:
        ``num_levels`` tensors, finest first; the last one is a low-pass
        image, the others are what the next smaller one lacks.

    Raises:
        ValueError: Wrong shape, no level, or a level below 3 pixels.
    """
    _check_images('images', images)
    smallest = min(images.shape[-2:]) / 2**(num_levels - 1)
    if num_levels < 1 or smallest < 3:
        raise ValueError(
            'Argument `num_levels` must be at least 1 and leave 3 pixels at '
            f'the last level, but got {num_levels} for images of '
            f'{tuple(images.shape[-2:])}.')
    levels = []
    for _ in range(num_levels - 1):
        smaller = _binomial_blur(images)[..., ::2, ::2]
        levels.append(images - _expand(smaller, images.shape[-2:]))
        images = smaller
    return [*levels, images]


def patch_descriptors(images: Tensor,
                      patch_size: int = 7,
                      num_patches: int = 128,
                      generator: Optional[torch.Generator] = None) -> Tensor:
    """Square patches at uniformly random places of every image.

    Args:
        images: Float tensor (N, C, H, W).
        patch_size: Side of a patch in pixels.
        num_patches: Patches per image.
        generator: Source of the places, on the CPU.

    Returns:
        Patches (N, num_patches, C, patch_size, patch_size).

    Raises:
        ValueError: Wrong shape or images smaller than a patch.
    """
    _check_images('images', images)
    num, _, height, width = images.shape
    if min(height, width) < patch_size:
        raise ValueError(f'Images must be at least {patch_size} pixels high '
                         f'and wide, but got {(height, width)}.')

    def places(extent: int) -> Tensor:
        start = torch.randint(
            extent - patch_size + 1, (num, num_patches, 1),
            generator=generator)
        return (start + torch.arange(patch_size)).to(images.device)

    y, x = places(height)[..., :, None], places(width)[..., None, :]
    n = torch.arange(num, device=images.device)[:, None, None, None]
    # [NPYX] with the channels, indexed by a slice, at the end: [NPYXC]
    return images[n, :, y, x].permute(0, 1, 4, 2, 3)


def sliced_wasserstein_distance(x: Tensor,
                                y: Tensor,
                                num_projections: int = 512,
                                seed: int = 0) -> float:
    """Mean 1-Wasserstein distance of random one-dimensional projections.

    Args:
        x, y: Samples (N, C), equally many.
        num_projections: Number of directions, uniform on the sphere.
        seed: Seed of the directions.

    Returns:
        The distance, 0 for equal sets.

    Raises:
        ValueError: Wrong or different shapes, NaN, no projection.
    """
    _check_features('x', x)
    _check_features('y', y)
    if x.shape != y.shape:
        raise ValueError('Arguments `x` and `y` must have one shape, but got '
                         f'{tuple(x.shape)} and {tuple(y.shape)}.')
    if num_projections < 1:
        raise ValueError('Argument `num_projections` must be at least 1, but '
                         f'got {num_projections}.')
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(num_projections, x.shape[1], generator=generator)
    directions = F.normalize(directions, dim=1).to(x)
    # A few directions at a time: sorted projections are as long as the data.
    distances = [((x @ d.T).sort(dim=0).values -
                  (y @ d.T).sort(dim=0).values).abs().mean(dim=0)
                 for d in directions.split(32)]
    return float(torch.cat(distances).mean())
