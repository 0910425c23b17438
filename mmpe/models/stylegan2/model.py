"""StyleGAN2: losses, regularisers and style mixing on MMagic's BaseGAN."""
from typing import Any, Dict, Optional, Sequence, Union

import torch
from mmagic.structures import DataSample
from mmengine import MessageHub
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from mmpe.functional.gan_losses import (input_gradient, logistic_loss,
                                        path_length_penalty, path_lengths,
                                        r1_penalty, relativistic_loss)
from mmpe.models.base_gan import BaseGAN
from mmpe.registry import MODELS, build_from
from mmpe.utils.compiling import compile_networks, eagerly
from mmpe.utils.wrappers import unwrap
from .discriminator import BaseStyleDiscriminator

__all__ = ['StyleGAN2', 'current_iteration']

ModelType = Union[dict, nn.Module]

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


@MODELS.register_module()
class StyleGAN2(BaseGAN):
    """Analyzing and Improving the Image Quality of StyleGAN (CVPR 2020).

    Non-saturating logistic loss with lazy regularisation (StyleGAN2, Sec.
    3.1): R1 every ``r1_interval`` iterations of the discriminator, the path
    length penalty every ``g_reg_interval`` updates of the generator. As an
    alternative, the loss of R3GAN (NeurIPS 2024): relativistic pairing with
    R1 and R2, the same penalty on generated images.

    Args:
        generator: Generator, or its config.
        discriminator: Discriminator, or its config; None to sample only.
        data_preprocessor: Data preprocessor, or its config.
        generator_steps: Consecutive updates of the generator.
        discriminator_steps: Consecutive updates of the discriminator.
        ema_config: Config of the generator's moving average; None disables
            it.
        loss_config: Settings of the losses, with their defaults:
            ``r1_loss_weight`` 80, ``r1_interval`` 16, ``norm_mode`` 'pixel'
            (or 'HWC'), ``g_reg_interval`` 4, ``g_reg_weight`` 8,
            ``pl_batch_shrink`` 2 (the batch size is divided by it for the
            path length), ``adversarial`` 'logistic' (or 'relativistic') and
            ``r2_loss_weight`` 0 (no R2).
        augmentation: Augmentation of the discriminator's inputs, see
            :mod:`mmpe.models.augmentation`, or its config; None for none.

    Raises:
        ValueError: ``loss_config`` has an unknown key or an invalid value.
    """

    def __init__(self,
                 generator: ModelType,
                 discriminator: Optional[ModelType] = None,
                 data_preprocessor: Optional[ModelType] = None,
                 generator_steps: int = 1,
                 discriminator_steps: int = 1,
                 ema_config: Optional[dict] = None,
                 loss_config: Optional[dict] = None,
                 augmentation: Optional[ModelType] = None) -> None:
        loss_config = _checked_losses(loss_config or {})
        generator = _built(generator)
        if discriminator is not None:
            discriminator = _built(discriminator)
        super().__init__(
            generator,
            discriminator,
            _built(data_preprocessor or {}, type='DataPreprocessor'),
            generator_steps,
            discriminator_steps,
            ema_config=ema_config,
            loss_config=loss_config)
        self.register_buffer('mean_path_length', torch.tensor(0.))
        self.augmentation: Any = (None if augmentation is None else
                                  _built(augmentation))
        self._iters_per_gen_update = discriminator_steps

    # --- hooks for multi-scale training -------------------------------------

    def sample_kwargs(self, iteration: int) -> dict:
        """Arguments of the generator in both steps of an iteration."""
        return {}

    def path_length_kwargs(self, iteration: int) -> dict:
        """Arguments of the generator for the path length penalty."""
        return {}

    def match_reals(self, images: Tensor, sample_kwargs: dict) -> Tensor:
        """Real images (N, C, H, W) at the size of the generator's images."""
        return images

    # --- training -----------------------------------------------------------

    def compile_networks(self) -> Optional[str]:
        """Compile both networks, except for R1 and the path length penalty.

        Returns:
            None, or one line that says why they are not compiled.
        """

        def trial(generator: nn.Module, discriminator: nn.Module) -> Tensor:
            return discriminator(generator(None, num_batches=1))

        return compile_networks(
            [unwrap(self.generator), unwrap(self.discriminator)], trial)

    def train_step(self, data: dict,
                   optim_wrapper: OptimWrapperDict) -> Dict[str, Tensor]:
        """Update the discriminator and, when it is due, the generator.

        Args:
            data: Batch from the data loader.
            optim_wrapper: Optimisers of generator and discriminator.

        Returns:
            Scalars to log.
        """
        # With gradient accumulation the generator is not updated in every
        # iteration, and `g_reg_interval` counts updates.
        self._iters_per_gen_update = (
            self.discriminator_steps *
            optim_wrapper['discriminator']._accumulative_counts)
        return super().train_step(data, optim_wrapper)

    def train_discriminator(self, inputs: Union[dict, Tensor],
                            data_samples: DataSample,
                            optimizer_wrapper: OptimWrapper
                            ) -> Dict[str, Tensor]:
        """Update the discriminator once.

        Args:
            inputs: Unused.
            data_samples: Stacked samples, with real images in ``gt_img``.
            optimizer_wrapper: The discriminator's optimiser.

        Returns:
            Scalars to log.
        """
        iteration = current_iteration()
        sample_kwargs = self.sample_kwargs(iteration)
        reals = self.match_reals(data_samples.gt_img, sample_kwargs)
        with torch.no_grad():
            # Without a noise tensor, the generator mixes styles. Deviation:
            # MMagic passes one, which disables style mixing in training.
            fakes = self.generator(
                None, num_batches=len(reals), **sample_kwargs)
        loss, log_vars = self.parse_losses(
            self.disc_loss(fakes, reals, iteration))
        optimizer_wrapper.update_params(loss)
        return log_vars

    def train_generator(self, inputs: Union[dict, Tensor],
                        data_samples: DataSample,
                        optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Update the generator once.

        Args:
            inputs: Unused.
            data_samples: Stacked samples, with real images in ``gt_img``; the
                logistic loss uses their number only.
            optimizer_wrapper: The generator's optimiser.

        Returns:
            Scalars to log.
        """
        iteration, more = current_iteration(), {}
        if self.loss_config['adversarial'] == 'relativistic':
            more['reals'] = self.match_reals(data_samples.gt_img,
                                             self.sample_kwargs(iteration))
        loss, log_vars = self.parse_losses(
            self.gen_loss(len(data_samples.gt_img), iteration, **more))
        optimizer_wrapper.update_params(loss)
        return log_vars

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

    def shown(self, images: Tensor, iteration: int) -> Tensor:
        """What the discriminator sees of images (N, C, H, W).

        The images, after the augmentation if there is one.
        """
        return images if self.augmentation is None else (
            self.augmentation(images))

    def _scores(self, *batches: Tensor) -> Sequence[Tensor]:
        """Scores of each batch (N, C, H, W), in one call if supported."""
        if isinstance(unwrap(self.discriminator), BaseStyleDiscriminator):
            return self.discriminator(
                torch.cat(batches),
                num_batches=len(batches)).chunk(len(batches))
        return [self.discriminator(images) for images in batches]

    def gen_loss(self,
                 num: int,
                 iteration: int,
                 reals: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """Losses of the generator.

        Args:
            num: Number of images.
            iteration: Index of the iteration, which decides whether the path
                length penalty is due.
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
        update = iteration // self._iters_per_gen_update
        if update % self.loss_config['g_reg_interval'] == 0:
            losses['loss_path_regular'] = self.path_length_loss(num, iteration)
        return losses

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


def _built(part: ModelType, **default_args) -> nn.Module:
    """Build a part of the model from its config; return a module as is."""
    if isinstance(part, nn.Module):
        return part
    return build_from(MODELS, part, **default_args)


def _checked_losses(config: dict) -> dict:
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


def current_iteration() -> int:
    """Index of the current iteration, counted from 0."""
    return MessageHub.get_current_instance().get_info('iter')
