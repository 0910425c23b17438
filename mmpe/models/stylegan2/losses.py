"""Losses of StyleGAN2's training, and when they are due."""
from typing import Any, Dict, Optional, Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmpe.functional.gan_losses import (input_gradient, logistic_loss,
                                        path_length_penalty, path_lengths,
                                        r1_penalty, relativistic_loss)
from mmpe.models.base_gan import BaseGAN
from mmpe.utils.compiling import eagerly
from mmpe.utils.wrappers import unwrap
from .discriminator import BaseStyleDiscriminator

__all__ = ['StyleGAN2Losses', 'checked_losses']

_LOSS_DEFAULTS = dict(
    adversarial='logistic',
    r1_loss_weight=80.,
    r2_loss_weight=0.,
    r1_interval=16,
    norm_mode='pixel',
    g_reg_interval=4,
    g_reg_weight=8.,
    pl_batch_shrink=2)
# Keys of MMagic that need an abandoned library (apex) or have no effect.
_IGNORED_LOSS_KEYS = ('r1_use_apex_amp', 'scale_r1_loss',
                      'g_reg_use_apex_amp')


class StyleGAN2Losses(BaseGAN):
    """Losses of both networks, with lazy regularisation.

    Attributes:
        loss_config: Result of :func:`checked_losses`.
        augmentation: Augmentation of the discriminator's inputs, or None.
        mean_path_length: Running mean of path lengths, a scalar.
    """

    augmentation: Any
    mean_path_length: Tensor
    # Number of iterations for each update of the generator.
    _iters_per_gen_update: int

    # --- for subclasses -----------------------------------------------------

    def sample_kwargs(self, iteration: int) -> dict:
        """Arguments of the generator in both steps of an iteration."""
        return {}

    def path_length_kwargs(self, iteration: int) -> dict:
        """Arguments of the generator for the path length penalty."""
        return {}

    def shown(self, images: Tensor, iteration: int) -> Tensor:
        """What the discriminator sees of images (N, C, H, W).

        The images, after the augmentation if there is one.
        """
        return images if self.augmentation is None else (
            self.augmentation(images))

    # --- discriminator ------------------------------------------------------

    def disc_loss(self, fakes: Tensor, reals: Tensor,
                  iteration: int) -> Dict[str, Tensor]:
        """Losses of the discriminator.

        Args:
            fakes: Generated images (N, C, H, W).
            reals: Real images (N, C, H, W).
            iteration: Index of the iteration, which decides whether R1 is
                due.

        Returns:
            Scalars by name.
        """
        with_penalties = iteration % self.loss_config['r1_interval'] == 0
        with_r2 = with_penalties and self.loss_config['r2_loss_weight'] > 0
        if with_penalties:
            # The same scores serve all terms. Penalties are taken with
            # respect to the images before augmentation.
            reals = reals.detach().requires_grad_()
            fakes = fakes.detach().requires_grad_(with_r2)
            with eagerly(self.discriminator):
                real_scores = self.discriminator(self.shown(reals, iteration))
                fake_scores = self.discriminator(self.shown(fakes, iteration))
        else:
            fake_scores, real_scores = self._scores(
                self.shown(fakes, iteration), self.shown(reals, iteration))
        signs_of = real_scores
        if self.loss_config['adversarial'] == 'relativistic':
            losses = dict(loss_disc=relativistic_loss(real_scores,
                                                      fake_scores))
            # Only differences of scores are trained.
            signs_of = real_scores - fake_scores
        else:
            losses = dict(
                loss_disc_fake=logistic_loss(fake_scores, False),
                loss_disc_real=logistic_loss(real_scores, True))
        if self.augmentation is not None:
            losses['augmentation'] = self.augmentation.probability.clone()
            self.augmentation.observe(signs_of, iteration)
        if with_penalties:
            losses['loss_r1_gp'] = self._penalty('r1', real_scores, reals)
        if with_r2:
            losses['loss_r2_gp'] = self._penalty('r2', fake_scores, fakes)
        return losses

    def _penalty(self, name: str, scores: Tensor, images: Tensor) -> Tensor:
        """Weighted penalty on the gradient of scores at images.

        Weights include the interval of lazy regularisation: 80 every 16
        iterations stands for gamma / 2 = 5 in each (StyleGAN2, Sec. 3.1).
        """
        penalty = r1_penalty(
            input_gradient(scores, images), self.loss_config['norm_mode'])
        return penalty * self.loss_config[f'{name}_loss_weight']

    def _scores(self, *batches: Tensor) -> Sequence[Tensor]:
        """Scores of each batch (N, C, H, W), in one call if supported."""
        if isinstance(unwrap(self.discriminator), BaseStyleDiscriminator):
            return self.discriminator(
                torch.cat(batches),
                num_batches=len(batches)).chunk(len(batches))
        return [self.discriminator(images) for images in batches]

    # --- generator ----------------------------------------------------------

    def gen_loss(self,
                 num: int,
                 iteration: int,
                 reals: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """Losses of the generator, with :meth:`lazy_losses`.

        Args:
            num: Number of images.
            iteration: Index of the iteration.
            reals: Real images (num, C, H, W), for the relativistic loss only.

        Returns:
            Scalars by name.
        """
        fakes = self.generator(
            None, num_batches=num, **self.sample_kwargs(iteration))
        if reals is None:
            scores = self.discriminator(self.shown(fakes, iteration))
            losses = dict(loss_gen=logistic_loss(scores, True))
        else:
            losses = dict(
                loss_gen=relativistic_loss(*self._scores(
                    self.shown(fakes, iteration),
                    self.shown(reals, iteration))))
        losses.update(self.lazy_losses(num, iteration))
        return losses

    def lazy_losses(self, num: int, iteration: int) -> Dict[str, Tensor]:
        """Losses of the generator that only some of its updates need.

        Args:
            num: Number of images.
            iteration: Index of the iteration.

        Returns:
            Scalars by name, of the losses that are due.
        """
        if self.gen_update(iteration) % self.loss_config['g_reg_interval']:
            return {}
        return dict(loss_path_regular=self.path_length_loss(num, iteration))

    def gen_update(self, iteration: int) -> int:
        """Index of the generator's update in an iteration."""
        return iteration // self._iters_per_gen_update

    def path_length_loss(self, num: int, iteration: int) -> Tensor:
        """Weighted path length penalty (StyleGAN2, Eq. 4).

        Updates the running mean of path lengths.

        Args:
            num: Batch size, divided by ``pl_batch_shrink``.
            iteration: Index of the iteration.

        Returns:
            Scalar.
        """
        with eagerly(self.generator):
            outputs = self.generator(
                None,
                num_batches=max(1, num // self.loss_config['pl_batch_shrink']),
                return_latents=True,
                **self.path_length_kwargs(iteration))
        lengths = path_lengths(outputs['fake_img'], outputs['latent'])  # [N]
        penalty, mean = path_length_penalty(lengths, self.mean_path_length)
        # All ranks share one mean, as the checkpoint holds one.
        all_reduce(mean, op='mean')
        self.mean_path_length.copy_(mean)
        return penalty * self.loss_config['g_reg_weight']


def checked_losses(config: dict) -> dict:
    """Complete settings of the losses."""
    config = {
        key: value for key, value in config.items()
        if key not in _IGNORED_LOSS_KEYS
    }
    unknown = set(config) - set(_LOSS_DEFAULTS)
    if unknown:
        raise ValueError('Argument `loss_config` must have keys from '
                         f'{sorted(_LOSS_DEFAULTS)}, but got '
                         f'{sorted(unknown)}.')
    config = {**_LOSS_DEFAULTS, **config}
    if config['adversarial'] not in ('logistic', 'relativistic'):
        raise ValueError("Argument `adversarial` of `loss_config` must be "
                         "'logistic' or 'relativistic', but got "
                         f"{config['adversarial']!r}.")
    for key in ('r1_interval', 'g_reg_interval', 'pl_batch_shrink'):
        if not (isinstance(config[key], int) and config[key] > 0):
            raise ValueError(f'Argument `{key}` of `loss_config` must be a '
                             f'positive integer, but got {config[key]!r}.')
    return config
