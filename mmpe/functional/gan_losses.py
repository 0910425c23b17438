"""Losses and regularisers of StyleGAN2 as pure functions."""
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
    """Non-saturating logistic loss, ``mean(softplus(-scores))`` for real.

    Args:
        scores: Output of the discriminator, any shape.
        is_real: Whether the scores should say 'real': for real images in the
            step of the discriminator, for fakes in that of the generator.

    Returns:
        Float32 scalar, not negative.
    """
    scores = at_least_float32(scores)
    return F.softplus(-scores if is_real else scores).mean()


def relativistic_loss(scores: Tensor, others: Tensor) -> Tensor:
    """Relativistic pairing loss, ``mean(softplus(others - scores))``.

    Each score is to exceed that of its partner (Huang et al., "The GAN is
    dead; long live the GAN!", NeurIPS 2024).

    Args:
        scores: Of real images in the step of the discriminator, of fakes in
            that of the generator; any shape.
        others: Of as many images of the other kind.

    Returns:
        Float32 scalar, not negative.
    """
    return F.softplus(
        at_least_float32(others) - at_least_float32(scores)).mean()


def input_gradient(scores: Tensor, images: Tensor) -> Tensor:
    """Gradient of summed scores with respect to the images, with a graph.

    Args:
        scores: (N, 1), computed from ``images``.
        images: (N, C, H, W) that require a gradient.

    Returns:
        Float32, of the shape of ``images``.
    """
    gradient, = torch.autograd.grad(
        scores.sum(), images, create_graph=True, retain_graph=True)
    return at_least_float32(gradient)


def r1_penalty(gradient: Tensor, norm_mode: str = 'HWC') -> Tensor:
    """Squared norm of the gradient at real images (R1).

    Args:
        gradient: (N, C, H, W), see :func:`input_gradient`.
        norm_mode: 'HWC' for one norm per image, 'pixel' for one per pixel.

    Returns:
        Scalar: the mean over images (and pixels).

    Raises:
        ValueError: ``norm_mode`` is neither.
    """
    squares = gradient.square()
    if norm_mode == 'HWC':
        return squares.sum() / len(gradient)
    if norm_mode == 'pixel':
        return squares.sum(dim=1).mean()
    raise ValueError("Argument `norm_mode` must be 'HWC' or 'pixel', but got "
                     f'{norm_mode!r}.')


def path_lengths(images: Tensor, latents: Tensor) -> Tensor:
    """Length of the generator's Jacobian in a random direction of images.

    Analyzing and Improving the Image Quality of StyleGAN, Sec. 3.2.

    Args:
        images: (N, C, H, W), computed from ``latents``.
        latents: Style codes per layer, (N, L, C).

    Returns:
        Float32 (N, ), not negative.
    """
    height, width = images.shape[-2:]
    direction = torch.randn_like(images) / (height * width)**0.5
    gradient, = torch.autograd.grad((images * direction).sum(),
                                    latents,
                                    create_graph=True,
                                    retain_graph=True)
    gradient = at_least_float32(gradient)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


def path_length_penalty(lengths: Tensor,
                        mean: Tensor,
                        decay: float = 0.01) -> Tuple[Tensor, Tensor]:
    """Squared distance of path lengths from their running mean.

    Args:
        lengths: (N, ), see :func:`path_lengths`.
        mean: Running mean, scalar.
        decay: How far the running mean moves towards this batch.

    Returns:
        The penalty and the moved running mean, without a graph.
    """
    mean = mean + decay * (lengths.mean() - mean)
    return (lengths - mean).square().mean(), mean.detach()
