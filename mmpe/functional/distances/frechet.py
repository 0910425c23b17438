"""Frechet distance between Gaussian fits of two sets of features (FID)."""
from typing import Tuple

import torch
from torch import Tensor

from ._checks import check_features

__all__ = ['feature_statistics', 'frechet_distance']


def feature_statistics(features: Tensor) -> Tuple[Tensor, Tensor]:
    """Mean and unbiased covariance of a set of features.

    Args:
        features: Float tensor (N, C), at least two samples.

    Returns:
        Float64 mean (C, ) and covariance (C, C).

    Raises:
        ValueError: Wrong shape or dtype, fewer than two samples, NaN.
    """
    check_features('features', features, min_num=2)
    features = features.double()
    mean = features.mean(dim=0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


def _matrix_factor(cov: Tensor) -> Tensor:
    """A matrix ``F`` with ``F F^T = cov``, positive semidefinite."""
    factor, info = torch.linalg.cholesky_ex(cov)
    if info == 0:
        return factor
    # A singular covariance: fewer samples than features, or dead features.
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0).sqrt()


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor,
                     cov2: Tensor) -> float:
    r"""Frechet distance between two Gaussian distributions.

    .. math::
        |\mu_1 - \mu_2|^2 + \mathrm{tr}(C_1) + \mathrm{tr}(C_2)
        - 2\,\mathrm{tr}\big((C_1 C_2)^{1/2}\big)

    Dowson and Landau (1982); used for FID by Heusel et al. (NeurIPS 2017).

    The last trace is the sum of the square roots of the eigenvalues of
    :math:`C_1 C_2`. With :math:`C_1 = F F^T` these are the eigenvalues of the
    symmetric :math:`F^T C_2 F`, which are real and cheap to compute, so the
    matrix square root is never formed. Singular covariances need no offset.

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
            raise ValueError(f'Argument `{name}` must be finite, but got NaN '
                             'or infinite values.')
    mean1, cov1, mean2, cov2 = (value.double() for value in stats)
    factor = _matrix_factor(cov1)
    product = factor.T @ cov2 @ factor  # [C, C], symmetric up to rounding
    # eigvalsh reads one triangle only.
    values = torch.linalg.eigvalsh(product).clamp(min=0)
    distance = (mean1 - mean2).square().sum() + cov1.trace() + cov2.trace()
    return float(distance - 2 * values.sqrt().sum())
