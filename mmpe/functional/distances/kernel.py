"""Kernel distance (squared MMD) between two sets of features (KID)."""
from typing import Tuple

import torch
from torch import Tensor

from ._checks import check_features, check_same_width

__all__ = ['kernel_distance', 'polynomial_mmd']


def _polynomial_kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1)**3


def polynomial_mmd(real: Tensor, fake: Tensor) -> float:
    r"""Unbiased squared MMD with the kernel :math:`(x^T y / C + 1)^3`.

    The estimator of Gretton et al., "A Kernel Two-Sample Test" (JMLR 2012);
    the kernel of Binkowski et al., "Demystifying MMD GANs" (ICLR 2018).

    Args:
        real, fake: Features (N, C) and (M, C), at least two samples each.

    Returns:
        The estimate, which can be slightly negative for equal distributions.

    Raises:
        ValueError: Wrong shape or dtype, too few samples, NaN.
    """
    check_features('real', real, min_num=2)
    check_features('fake', fake, min_num=2)
    check_same_width(real, fake)
    real, fake = real.double(), fake.double()

    def within(x: Tensor) -> Tensor:
        # Without the diagonal, which would bias the estimate.
        kernel = _polynomial_kernel(x, x)  # [N, N]
        return (kernel.sum() - kernel.trace()) / (len(x) * (len(x) - 1))

    cross = _polynomial_kernel(real, fake).mean()
    return float(within(real) + within(fake) - 2 * cross)


def kernel_distance(real: Tensor,
                    fake: Tensor,
                    num_subsets: int = 100,
                    subset_size: int = 1000,
                    seed: int = 0) -> Tuple[float, float]:
    """Kernel distance (KID): mean and deviation of the MMD over subsets.

    Args:
        real, fake: Features (N, C) and (M, C).
        num_subsets: Number of subsets.
        subset_size: Samples drawn from each set, without replacement.
        seed: Random seed.

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
    check_features('real', real, min_num=subset_size)
    check_features('fake', fake, min_num=subset_size)
    if subset_size == len(real) == len(fake):
        num_subsets = 1  # all subsets are equal
    generator = torch.Generator().manual_seed(seed)

    def draw(x: Tensor) -> Tensor:
        index = torch.randperm(len(x), generator=generator)[:subset_size]
        return x[index.to(x.device)]

    values = torch.tensor(
        [polynomial_mmd(draw(real), draw(fake)) for _ in range(num_subsets)],
        dtype=torch.float64)
    return float(values.mean()), float(values.std(unbiased=False))
