"""StyleGAN2: a training iteration on MMagic's BaseGAN."""
from typing import Dict, Optional, Union

import torch
from mmagic.structures import DataSample
from mmengine import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from mmpe.registry import MODELS, build_from
from mmpe.utils.compiling import compile_networks
from mmpe.utils.wrappers import unwrap
from .losses import StyleGAN2Losses, checked_losses

__all__ = ['StyleGAN2', 'current_iteration']

ModelType = Union[dict, nn.Module]


@MODELS.register_module()
class StyleGAN2(StyleGAN2Losses):
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
        loss_config: Settings of the losses, with their defaults:
            ``r1_loss_weight`` 80, ``r1_interval`` 16, ``norm_mode`` 'pixel'
            (or 'HWC'), ``g_reg_interval`` 4, ``g_reg_weight`` 8,
            ``pl_batch_shrink`` 2 (the batch size is divided by it for the
            path length), ``adversarial`` 'logistic' (or 'relativistic') and
            ``r2_loss_weight`` 0 (no R2).
        augmentation: Augmentation of the discriminator's inputs, see
            :mod:`mmpe.models.augmentation`, or its config; None for none.
        kwargs: As for MMagic's ``BaseGAN``: ``generator_steps`` and
            ``discriminator_steps``, consecutive updates of a network (1), and
            ``ema_config``, for the generator's moving average (None: none).

    Raises:
        ValueError: ``loss_config`` has an unknown key or an invalid value.
    """

    def __init__(self,
                 generator: ModelType,
                 discriminator: Optional[ModelType] = None,
                 data_preprocessor: Optional[ModelType] = None,
                 *,
                 loss_config: Optional[dict] = None,
                 augmentation: Optional[ModelType] = None,
                 **kwargs) -> None:
        loss_config = checked_losses(loss_config or {})
        generator = _built(generator)
        if discriminator is not None:
            discriminator = _built(discriminator)
        super().__init__(
            generator,
            discriminator,
            _built(data_preprocessor or {}, type='DataPreprocessor'),
            loss_config=loss_config,
            **kwargs)
        self.register_buffer('mean_path_length', torch.tensor(0.))
        self.augmentation = (None if augmentation is None else
                             _built(augmentation))
        self._iters_per_gen_update = self.discriminator_steps

    # --- for subclasses -----------------------------------------------------

    def match_reals(self, images: Tensor, sample_kwargs: dict) -> Tensor:
        """Real images (N, C, H, W) at the size of the generator's images."""
        return images

    def more_to_log(self, iteration: int) -> Dict[str, Tensor]:
        """What an iteration logs besides its losses, scalars by name."""
        return {}

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
        log_vars.update(self.more_to_log(iteration))
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


def _built(part: ModelType, **default_args) -> nn.Module:
    """Build a part of the model from its config; return a module as is."""
    if isinstance(part, nn.Module):
        return part
    return build_from(MODELS, part, **default_args)


def current_iteration() -> int:
    """Index of the current iteration, counted from 0."""
    return MessageHub.get_current_instance().get_info('iter')
