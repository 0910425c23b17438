"""Gradient penalty of Wasserstein GANs."""
from typing import Callable

import torch
from torch import Tensor

__all__ = ['gradient_penalty']


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor,
                     fake: Tensor) -> Tensor:
    r"""Gradient penalty between real and fake images (WGAN-GP, Eq. 3).

    .. math:: \mathbb{E}\,(\lVert\nabla_{\tilde x}D(\tilde x)\rVert_2-1)^2,
        \quad \tilde x = \epsilon x + (1-\epsilon)G(z)

    Deviation: the norm is over the channels of each pixel, as in the official
    SinGAN, not over the whole image. The weight is left to the caller.

    Args:
        discriminator: Returns scores of any shape for images (N, C, H, W).
        real: Real images (N, C, H, W).
        fake: Fake images (N, C, H, W).

    Returns:
        Scalar, differentiable in the discriminator's parameters.
    """
    # One epsilon per image. The fake is detached: only D is trained.
    mix = torch.rand(real.shape[0], 1, 1, 1, device=real.device)
    images = (mix * real + (1 - mix) * fake).detach().requires_grad_(True)
    gradient, = torch.autograd.grad(
        discriminator(images).sum(), images, create_graph=True)
    return (gradient.float().norm(2, dim=1) - 1).square().mean()
