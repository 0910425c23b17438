"""Objectives: the losses with which a scale of SinGAN is trained.

An objective is a class in ``MODELS`` with two methods, ``disc_losses(model)``
and ``gen_losses(model)``, which yield names and losses one by one. Each loss
is back-propagated before the next one is requested, so each needs its own
graph. ``disc_losses`` runs once per iteration, before ``gen_losses``, which
runs in each update of the generator. An optional method ``check(model)`` is
called before training. ``kind(model)``, required for CUDA graphs, returns a
hashable key; iterations with the same key must launch the same kernels with
the same numbers, apart from the contents of the model's tensors. Override it
whenever you override one of the losses.

Objectives are not in the state dict: they have no parameters, and what they
keep between calls must follow from the model, whose ``curr_step`` counts
iterations. :class:`.SinGANScales` says what a model offers.
"""
from typing import TYPE_CHECKING, Any, Hashable, Iterator, Optional, Tuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from mmpe.functional.wgan_gp import gradient_penalty
from mmpe.registry import MODELS, build_from
from mmpe.utils.compiling import eagerly
from .cell_move import CellMove

if TYPE_CHECKING:
    from .singan import SinGAN

__all__ = ['CellMove', 'EditedLayouts', 'Losses', 'WholeImages']

# Names and losses, computed one by one.
Losses = Iterator[Tuple[str, Tensor]]


@MODELS.register_module()
class WholeImages:
    r"""WGAN-GP and reconstruction, over whole images (SinGAN, Training).

    .. math:: \min_{G_n}\max_{D_n}
        \mathcal{L}_{adv}(G_n, D_n) + \alpha\mathcal{L}_{rec}(G_n)

    Args:
        gradient_penalty_weight: Weight of WGAN-GP's penalty.
        reconstruction_weight: Weight :math:`\alpha` of the mean squared error
            between the photograph and its reconstruction.
        penalty_interval: Iterations between two gradient penalties. The
            weight is multiplied by it, which keeps the mean penalty (lazy
            regularisation, StyleGAN2, Sec. 3.1).
        reuse_images: Train the generator on the image that the discriminator
            was just trained on, instead of a new one. Needs
            ``generator_steps=1`` and ``discriminator_steps=1``.

    Raises:
        ValueError: ``penalty_interval`` is below 1.
    """

    def __init__(self,
                 gradient_penalty_weight: float = 0.1,
                 reconstruction_weight: float = 10,
                 penalty_interval: int = 1,
                 reuse_images: bool = False) -> None:
        if penalty_interval < 1:
            raise ValueError('Argument `penalty_interval` must be at least 1, '
                             f'but got {penalty_interval}.')
        self.gradient_penalty_weight = gradient_penalty_weight
        self.reconstruction_weight = reconstruction_weight
        self.penalty_interval = penalty_interval
        self.reuse_images = reuse_images
        self._image: Optional[Tensor] = None

    def check(self, model: 'SinGAN') -> None:
        """Check that a model can be trained with this objective.

        Args:
            model: The model, with its photograph.

        Raises:
            ValueError: The model does not fit.
        """
        steps = (model.generator_steps, model.discriminator_steps)
        if self.reuse_images and steps != (1, 1):
            raise ValueError(
                '`reuse_images` needs generator_steps=1 and '
                f'discriminator_steps=1, but got {steps[0]} and {steps[1]}.')

    def kind(self, model: 'SinGAN') -> Hashable:
        """Key of iterations that launch the same kernels; see the module."""
        return self._is_penalised(model)

    def disc_losses(self, model: 'SinGAN') -> Losses:
        """Wasserstein loss with gradient penalty (WGAN-GP, Eq. 3).

        Args:
            model: The model, at the scale that is trained.

        Yields:
            Name and loss.
        """
        with torch.set_grad_enabled(self.reuse_images):
            fake = self.random_image(model)
        if self.reuse_images:
            self._image, fake = fake, fake.detach()
        # E D(fake) - E D(real): a Wasserstein critic, averaged over patches.
        yield 'loss_disc_fake', model.scores(fake).mean()
        yield 'loss_disc_real', -model.scores(model.real).mean()
        if self._is_penalised(model):
            with eagerly(model.current_discriminator):
                penalty = gradient_penalty(model.scores, model.real, fake)
            weight = self.gradient_penalty_weight * self.penalty_interval
            yield 'loss_gp', weight * penalty

    def gen_losses(self, model: 'SinGAN') -> Losses:
        """Adversarial and reconstruction loss (SinGAN, Training).

        Args:
            model: The model, at the scale that is trained.

        Yields:
            Name and loss.
        """
        image, self._image = self._image, None
        if image is None:
            image = self.random_image(model)
        yield 'loss_gen', -model.scores(image).mean()
        del image  # frees its graph
        yield 'loss_mse', self.reconstruction_weight * self.error(model)

    def random_image(self, model: 'SinGAN') -> Tensor:
        """The fake image (1, 3, H, W) for the discriminator."""
        return model.random_image()

    def error(self, model: 'SinGAN') -> Tensor:
        r"""Mean squared error of the reconstruction.

        .. math:: \mathcal{L}_{rec} = \lVert G_n(0,
            (\tilde x^{rec}_{n+1})\uparrow^r) - x_n\rVert^2

        (SinGAN, Training), as a mean over pixels.
        """
        return F.mse_loss(model.reconstruction(), model.real)

    def _is_penalised(self, model: 'SinGAN') -> bool:
        return model.curr_step % self.penalty_interval == 0


@MODELS.register_module()
class EditedLayouts(WholeImages):
    """Trains on layouts in which a part has moved, too.

    A box of the first scale's grid, positions and noise, is copied to another
    place. The discriminator sees random images of such layouts, which teaches
    the generator to keep parts whole side by side. The reconstruction must
    match the photograph inside and outside of the moved box; the seam is left
    to the discriminator. For a :class:`~mmpe.models.singan.ContextSinGAN`.

    Args:
        probability: Probability of editing a layout, from 0 to 1;
            independent for random images and reconstructions. It is a
            function of scale and iteration, so that it is known in advance.
        seam: Width of the seam on both sides of the box's edge, in cells of
            the first scale.
        kwargs: Further arguments of :class:`WholeImages`.

    Raises:
        ValueError: ``probability`` is not from 0 to 1.
    """

    def __init__(self,
                 probability: float = 0.5,
                 seam: float = 0.5,
                 **kwargs) -> None:
        if not 0 <= probability <= 1:
            raise ValueError('Argument `probability` must be from 0 to 1, but '
                             f'got {probability}.')
        super().__init__(**kwargs)
        self.probability = probability
        self.seam = seam

    def check(self, model: 'SinGAN') -> None:
        """As in :class:`WholeImages`; sizes must double, too."""
        super().check(model)
        sizes = [tuple(real.shape[-2:]) for real in model.reals]
        if any((2 * old[0], 2 * old[1]) != new
               for old, new in zip(sizes, sizes[1:])):
            raise ValueError(
                'EditedLayouts needs images whose sizes double from scale to '
                f'scale, but got {sizes}: set `doubling=True` of the dataset.')
        if model.position_grid()[1] == 0:
            raise ValueError('EditedLayouts needs a ContextSinGAN, but got '
                             f'a {type(model).__name__}.')

    def kind(self, model: 'SinGAN') -> Hashable:
        """As in :class:`WholeImages`, plus what is edited."""
        return super().kind(model), self._is_edited(model)

    def random_image(self, model: 'SinGAN') -> Tensor:
        """The fake image (1, 3, H, W) for the discriminator."""
        in_image, _ = self._is_edited(model)
        return model.random_image(edit=self._move(model) if in_image else None)

    def error(self, model: 'SinGAN') -> Tensor:
        """Mean squared error of the reconstruction outside of the seam."""
        _, in_reconstruction = self._is_edited(model)
        if not in_reconstruction:
            return super().error(model)
        move = self._move(model)
        scale = 2**model.curr_stage
        target = move(model.real, scale=scale)
        counts = move.beside_seam(model.real, scale, round(self.seam * scale))
        error = (model.reconstruction(edit=move) - target).square()
        return (error * counts).mean()

    def _is_edited(self, model: 'SinGAN') -> Tuple[bool, bool]:
        """Whether random images and whether reconstructions are edited."""
        draws = np.random.default_rng((model.curr_stage, model.curr_step))
        return tuple(draws.random(2) < self.probability)

    def _move(self, model: 'SinGAN') -> CellMove:
        return CellMove.random(model.pyramid_sizes[0], model.device)


def build_objective(cfg: Optional[dict], **weights) -> Any:
    """Build an objective.

    Args:
        cfg: Its config; :class:`WholeImages` by default.
        weights: Weights of losses; None for the objective's own.

    Raises:
        TypeError: The objective has no such argument.
        ValueError: The objective adds to the state dict.
    """
    given = {
        name: weight
        for name, weight in weights.items() if weight is not None
    }
    objective = build_from(MODELS, cfg or {}, type='WholeImages', **given)
    if isinstance(objective, nn.Module) and objective.state_dict():
        raise ValueError('An objective must not add to the state dict, '
                         f'but {type(objective).__name__} adds '
                         f'{sorted(objective.state_dict())}.')
    return objective
