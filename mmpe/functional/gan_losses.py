"""Losses and regularisers of StyleGAN2."""
from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .dtypes import at_least_float32

__all__ = [
    'input_gradient', 'logistic_loss', 'path_length_penalty', 'path_lengths',
    'r1_penalty', 'relativistic_loss'
]


def logistic_loss(scores: Tensor, is_real: bool) -> Tensor:
    """Non-saturating logistic loss (Goodfellow et al., NeurIPS 2014).

    ``mean(softplus(-scores))`` for the target 'real', that is
    ``-log(sigmoid(scores))``; ``mean(softplus(scores))`` for 'fake'.

    Args:
        scores: Output of the discriminator, any shape.
        is_real: Whether the target is 'real': true for real images in the
            discriminator's step and for fakes in the generator's.

    Returns:
        Float32 scalar, not negative.
    """
    scores = at_least_float32(scores)
    return F.softplus(-scores if is_real else scores).mean()


def relativistic_loss(scores: Tensor, others: Tensor) -> Tensor:
    """Relativistic pairing loss, ``mean(softplus(others - scores))``.

    Each score is pushed above its partner's (Huang et al., "The GAN is dead;
    long live the GAN! A Modern GAN Baseline", NeurIPS 2024).

    Args:
        scores: Scores of real images in the discriminator's step, of fakes in
            the generator's; any shape.
        others: Scores of the same number of images of the other kind.

    Returns:
        Float32 scalar, not negative.
    """
    return F.softplus(
        at_least_float32(others) - at_least_float32(scores)).mean()


def input_gradient(scores: Tensor, images: Tensor) -> Tensor:
    """Gradient of the scores with respect to their images, with a graph.

    Args:
        scores: (N, 1), computed from ``images``.
        images: (N, C, H, W), which require a gradient.

    Returns:
        Float32, in the shape of ``images``.
    """
    # The sum gives each image the gradient of its own score, as scores depend
    # on other images through the minibatch standard deviation only.
    gradient, = torch.autograd.grad(
        scores.sum(), images, create_graph=True, retain_graph=True)
    return at_least_float32(gradient)


def r1_penalty(gradient: Tensor, norm_mode: str = 'HWC') -> Tensor:
    r"""Squared gradient norm at real images (R1).

    .. math:: E_x\,\lVert\nabla_x D(x)\rVert^2

    Mescheder et al., "Which Training Methods for GANs do actually Converge?"
    (ICML 2018), Sec. 4.1. The factor :math:`\gamma / 2` is left to the
    caller.

    Args:
        gradient: (N, C, H, W), see :func:`input_gradient`.
        norm_mode: 'HWC' for one norm per image (as in the paper), 'pixel' for
            one per pixel.

    Returns:
        Scalar: the mean over images (and pixels).

    Raises:
        ValueError: ``norm_mode`` is unknown.
    """
    squares = gradient.square()
    if norm_mode == 'HWC':
        return squares.sum() / len(gradient)
    if norm_mode == 'pixel':
        return squares.sum(dim=1).mean()
    raise ValueError("Argument `norm_mode` must be 'HWC' or 'pixel', but got "
                     f'{norm_mode!r}.')


def path_lengths(images: Tensor, latents: Tensor) -> Tensor:
    r"""Length of the generator's Jacobian along a random image.

    .. math:: \lVert J_w^T y\rVert_2, \quad J_w^T y = \nabla_w (g(w)\cdot y)

    Analyzing and Improving the Image Quality of StyleGAN, Sec. 3.2.

    Args:
        images: (N, C, H, W), computed from ``latents``.
        latents: Style codes per layer, (N, L, C).

    Returns:
        Float32 (N, ), not negative.
    """
    height, width = images.shape[-2:]
    # y ~ N(0, 1), scaled to make lengths independent of the resolution.
    direction = torch.randn_like(images) / (height * width)**0.5
    gradient, = torch.autograd.grad((images * direction).sum(),
                                    latents,
                                    create_graph=True,
                                    retain_graph=True)
    gradient = at_least_float32(gradient)  # [N, L, C]
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()  # [N]


def path_length_penalty(lengths: Tensor,
                        mean: Tensor,
                        decay: float = 0.01) -> Tuple[Tensor, Tensor]:
    r"""Path length penalty (StyleGAN2, Eq. 4).

    .. math:: E_{w, y}\,(\lVert J_w^T y\rVert_2 - a)^2

    with the running mean a of the lengths, this batch included.

    Args:
        lengths: (N, ), see :func:`path_lengths`.
        mean: Running mean, scalar.
        decay: Weight of this batch in the running mean.

    Returns:
        The penalty, and the updated running mean without a graph.
    """
    mean = mean + decay * (lengths.mean() - mean)
    return (lengths - mean).square().mean(), mean.detach()
