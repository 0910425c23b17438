"""The scales of a SinGAN in training, one after the other."""
from typing import Any, Callable, List, Optional

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine.dist import all_reduce_params
from torch import Tensor

from mmpe.utils.wrappers import unwrap
from .sampling import SinGANSampling

__all__ = ['SinGANScales']


class SinGANScales(SinGANSampling):
    """Starts and finishes scales, and offers the current one to objectives.

    An objective computes the losses. It can use the current scale
    ``curr_stage`` and the iterations done at it, ``curr_step``; :attr:`real`,
    :meth:`random_image`, :meth:`reconstruction` (which starts from
    ``recon_input``) and :meth:`scores`; and, for the networks without their
    wrappers, :attr:`current_generator` and :attr:`current_discriminator`.

    Args:
        args: Further arguments of :class:`.SinGANState`.
        iters_per_scale: Rounds of training at each scale.
        noise_weight_init: As for :class:`~mmpe.models.singan.SinGAN`.
        kwargs: Further arguments of :class:`.SinGANState`.

    Raises:
        ValueError: ``iters_per_scale`` is below 1.
    """

    objective: Any

    def __init__(self, *args, iters_per_scale: int, noise_weight_init: float,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not iters_per_scale >= 1:
            raise ValueError('Argument `iters_per_scale` must be at least 1, '
                             f'but got {iters_per_scale}.')
        self.iters_per_scale = iters_per_scale
        self.noise_weight_init = noise_weight_init

        # Derived from state and iteration; rebuilt in every process.
        self.curr_step = 0
        self.recon_input: Optional[Tensor] = None
        self._data_is_checked = False
        self._active_stage = -1

    def set_extra_state(self, state: dict) -> None:
        """Restore the state and drop what was derived from the old one."""
        super().set_extra_state(state)
        self._data_is_checked = False
        self._deactivate()

    def _apply(self, fn: Callable, *args, **kwargs) -> 'SinGANScales':
        """Move the weights and drop what was derived from them."""
        super()._apply(fn, *args, **kwargs)
        self._deactivate()
        return self

    def train(self, mode: bool = True) -> 'SinGANScales':
        """Set the mode, unless it is already set.

        Training loops call this before each iteration, and at the small
        scales visiting all modules takes a tenth of an iteration.
        """
        parts = (self, self.generator, self.discriminator)
        if any(part is not None and part.training != mode for part in parts):
            super().train(mode)
        return self

    @property
    def iters_of_scale(self) -> int:
        """Number of iterations at each scale."""
        return self.iters_per_scale * self.discriminator_steps

    # ------------------------------------------------------- start and finish
    def _check_data(self, data: dict, is_start: bool) -> None:
        """Take over the pyramid, or check it against the checkpoint's."""
        inputs = self.data_preprocessor(data, True)['inputs']
        reals = [
            inputs[f'real_scale{i}']
            for i in range(sum('real_scale' in key for key in inputs))
        ]
        if len(reals) != self.num_scales + 1:
            raise ValueError(
                f'The photograph gives {len(reals)} scales, so `num_scales` '
                f'(counted from zero) must be {len(reals) - 1}, but got '
                f'{self.num_scales}. Set `model.num_scales={len(reals) - 1}`, '
                'or None to have it computed.')
        if is_start:
            self.reals = reals
            self.noise_weights = [1.0]
            self.construct_fixed_noises()
        elif not _same_images(self.reals, reals):
            raise ValueError(
                'The checkpoint was trained on another photograph, or at '
                'other sizes, than the dataset gives: set `data_root`, '
                '`min_size`, `max_size`, `scale_factor_init` and `doubling` '
                'to the values of that training.')
        self._check_objective()
        self._data_is_checked = True

    def _check_objective(self) -> None:
        check = getattr(self.objective, 'check', None)
        if check:
            check(self)

    def _start_scale(self, stage: int) -> None:
        """Initialise the networks of a scale with the previous scale's.

        Each scale starts from the weights of the previous one if the shapes
        match, that is except where the channels double.
        """
        if stage > self.num_scales:
            raise ValueError(
                f'All {self.num_scales + 1} scales have been trained: '
                '`train_cfg.max_iters` must be at most '
                f'{(self.num_scales + 1) * self.iters_of_scale}.')
        self._inner_generator.check_and_load_prev_weight(stage)
        unwrap(self.discriminator).check_and_load_prev_weight(stage)
        if self.with_ema_gen:
            self.generator_ema.module.blocks[stage].load_state_dict(
                self._inner_generator.blocks[stage].state_dict())
        self.curr_stage = stage
        self._deactivate()

    def _deactivate(self) -> None:
        """Drop what was derived from the weights."""
        self._active_stage = -1

    def _activate(self, stage: int) -> None:
        """Freeze earlier scales and cache their reconstruction."""
        generator = self._inner_generator
        generator.freeze_before(stage)
        self.recon_input = self._refined(stage) if stage > 0 else None
        self._active_stage = stage

    def _refined(self, stage: int) -> Tensor:
        """Input image of a scale when reconstructing the photograph.

        Computed with gradients enabled, as ``no_grad`` would change the
        rounding of the frozen scales (see ``blocks.py``).
        """
        return self._inner_generator.recon_input(
            self.fixed_noises, self.noise_weights, stage).detach()

    def _average_statistics(self) -> None:
        """Average BatchNorm's running statistics over processes."""
        all_reduce_params([
            buffer
            for network in (self.current_generator, self.current_discriminator)
            for buffer in network.buffers() if buffer.is_floating_point()
        ], op='mean')

    def _finish_scale(self) -> None:
        """Set the standard deviation of the next scale's noise.

        Proportional to the root mean square error between the photograph and
        the upsampled reconstruction, which indicates the amount of detail to
        be added at that scale (SinGAN, Training).
        """
        stage = self.curr_stage + 1
        self._inner_generator.freeze_before(stage)
        error = F.mse_loss(self._before(stage), self.reals[stage])
        self.noise_weights.append(self.noise_weight_init *
                                  error.sqrt().item())

    def _before(self, stage: int) -> Tensor:
        """The previous scale's reconstruction, at the size of this scale.

        Nearest-neighbour, as in MMagic, unlike the generator's bicubic.
        """
        image = self._generate(
            self._inner_generator,
            self.fixed_noises,
            'recon',
            curr_scale=stage - 1).detach()
        return F.interpolate(image, self.reals[stage].shape[-2:])

    # ------------------------------------------------ interface of objectives
    @property
    def real(self) -> Tensor:
        """The photograph (1, 3, H, W) at the current scale, in [-1, 1]."""
        return self.reals[self.curr_stage]

    @property
    def current_generator(self) -> nn.Module:
        """The current scale's stack of convolutions in the generator."""
        return self._inner_generator.blocks[self.curr_stage]

    @property
    def current_discriminator(self) -> nn.Module:
        """The discriminator of the current scale."""
        return unwrap(self.discriminator).blocks[self.curr_stage]

    def random_image(self, **kwargs) -> Tensor:
        """Sample images at the current scale, with gradients.

        Args:
            kwargs: Further arguments of the generator's ``forward``, such as
                ``num_batches`` (1) or ``position_codes``.

        Returns:
            (N, 3, H, W), in about [-1, 1].
        """
        return self._generate(
            self.generator,
            self.fixed_noises,
            'rand',
            curr_scale=self.curr_stage,
            **kwargs)

    def reconstruction(self, **kwargs) -> Tensor:
        """Reconstruct the photograph at the current scale, (1, 3, H, W).

        Starts from ``recon_input``, the frozen scales' reconstruction at the
        size of this scale (None at the first scale).

        Args:
            kwargs: Changes from the first scale on, as for
                :meth:`random_image`; with any, all scales are run.
        """
        if kwargs:
            return self._generate(
                self.generator,
                self.fixed_noises,
                'recon',
                curr_scale=self.curr_stage,
                **kwargs)
        return self._generate(
            self.generator,
            self.fixed_noises,
            'recon',
            input_sample=self.recon_input,
            curr_scale=self.curr_stage,
            start_scale=self.curr_stage)

    def scores(self, images: Tensor) -> Tensor:
        """Scores of the current discriminator, larger for real patches.

        Args:
            images: (N, 3, H, W), in about [-1, 1].

        Returns:
            (N, 1, H', W'), differentiable.
        """
        return self.discriminator(images, self.curr_stage)


def _same_images(first: List[Tensor], second: List[Tensor]) -> bool:
    return len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, atol=1e-3)
        for a, b in zip(first, second))
