"""How a scale of SinGAN is trained: the losses of its two networks.

An objective is a class in ``MODELS`` with two methods, ``disc_losses(model)``
and ``gen_losses(model)``, which yield names and losses one after the other.
Each loss is propagated back before the next one is asked for, so each needs a
graph of its own. ``disc_losses`` is asked once in every iteration, before
``gen_losses``, which is asked in each update of the generator.

Nothing of an objective is in the state dict, so it has no parameters, and
what it keeps between its calls must follow from the model, whose
``curr_step`` counts iterations. :class:`~mmpe.models.singan.SinGAN` says what
a model offers.
"""
from typing import TYPE_CHECKING, Iterator, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.wgan_gp import gradient_penalty
from mmpe.registry import MODELS
from mmpe.utils.compiling import eagerly

if TYPE_CHECKING:
    from .singan import SinGAN

__all__ = ['Losses', 'WholeImages']

# Names and losses, computed one by one.
Losses = Iterator[Tuple[str, Tensor]]


@MODELS.register_module()
class WholeImages:
    r"""WGAN-GP and a reconstruction, over whole images (SinGAN, Sec. 3.2).

    .. math:: \min_{G_n}\max_{D_n}
        \mathcal{L}_{adv}(G_n, D_n) + \alpha\mathcal{L}_{rec}(G_n)

    Args:
        gradient_penalty_weight: Weight of WGAN-GP's penalty.
        reconstruction_weight: Weight :math:`\alpha` of the mean squared error
            between the photograph and its reconstruction.
    """

    def __init__(self,
                 gradient_penalty_weight: float = 0.1,
                 reconstruction_weight: float = 10) -> None:
        self.gradient_penalty_weight = gradient_penalty_weight
        self.reconstruction_weight = reconstruction_weight

    def disc_losses(self, model: 'SinGAN') -> Losses:
        """Wasserstein loss with gradient penalty (SinGAN, Sec. 3.2).

        Args:
            model: The model, at the scale that is trained.

        Yields:
            Name and loss.
        """
        with torch.no_grad():
            fake = model.random_image()
        yield 'loss_disc_fake', model.scores(fake).mean()
        yield 'loss_disc_real', -model.scores(model.real).mean()
        with eagerly(model.current_discriminator):
            penalty = gradient_penalty(model.scores, model.real, fake)
        yield 'loss_gp', self.gradient_penalty_weight * penalty

    def gen_losses(self, model: 'SinGAN') -> Losses:
        """Adversarial and reconstruction loss (SinGAN, Sec. 3.2).

        Args:
            model: The model, at the scale that is trained.

        Yields:
            Name and loss.
        """
        yield 'loss_gen', -model.scores(model.random_image()).mean()
        yield 'loss_mse', self.reconstruction_weight * F.mse_loss(
            model.reconstruction(), model.real)
