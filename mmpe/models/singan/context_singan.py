"""SinGAN with explicit positions as its only spatial cue."""
from typing import Any, Dict, Optional

import torch
from mmengine.dist import all_reduce
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmpe.registry import MODELS
from .context_sampling import ContextSampling, check_carry

__all__ = ['ContextSinGAN']


@MODELS.register_module()
class ContextSinGAN(ContextSampling):
    r"""SinGAN with a :class:`SinGANContextGenerator`.

    A random image varies its positions as well as its noise: each cell gets
    the position of a nearby one,

    .. math:: p'(c) = p(c) + \sigma\,(g * z)(c),

    where a Gaussian window :math:`g` smooths the noise :math:`z`, so that
    whole parts move. The reconstruction has :math:`z = 0`.

    The noises :math:`z^*_n` that reconstruct the photograph are zero at
    SinGAN's finer scales (SinGAN, Training). Here they are learned: after
    each update of the generator, each takes a step against the gradient of
    the reconstruction error and is normalised to a mean square of one. So
    details are carried by noise, not by the weights alone, which are few for
    a large image. The noises follow the positions: a random image has

    .. math:: z_n = a\,z^*_n(p') + \sqrt{1 - a^2}\,\epsilon_n,

    so that moved parts keep their details. Beyond the photograph the noise is
    new.

    Args:
        args: Arguments of :class:`SinGAN`, in its order.
        jitter: Standard deviation :math:`\sigma` of the shift of a position,
            in cells of the first scale; 0 disables it.
        jitter_width: Standard deviation of the Gaussian window in cells.
        noise_rate: Root mean square of a step of the learned noises, decayed
            with the generator's learning rate; 0 keeps SinGAN's zeros.
        carry: Fraction :math:`a` of the photograph's noise in that of a
            random image, from 0 to 1.
        growth: How the grid of positions changes with the size, see
            :func:`mmpe.functional.grids.axis_positions`; by default the
            encoding's own.
        kwargs: Further arguments of :class:`SinGAN`.

    Raises:
        ValueError: ``jitter`` or ``noise_rate`` is negative,
            ``jitter_width`` is not above 0, or ``carry`` is not from 0 to 1.
    """

    def __init__(self,
                 *args,
                 jitter: float = 0.7,
                 jitter_width: float = 14,
                 noise_rate: float = 0.05,
                 carry: float = 1,
                 growth: Optional[str] = None,
                 **kwargs) -> None:
        if min(jitter, noise_rate) < 0 or jitter_width <= 0:
            raise ValueError(
                'Arguments `jitter`, `noise_rate` and `jitter_width` must be '
                'at least 0, 0 and above 0, but got '
                f'{jitter}, {noise_rate} and {jitter_width}.')
        check_carry(carry)
        super().__init__(
            *args,
            jitter=jitter,
            jitter_width=jitter_width,
            carry=carry,
            growth=growth,
            **kwargs)
        self.noise_rate = noise_rate

    def _fixed_noise(self, stage: int, real: Tensor) -> Tensor:
        border = 2 * self._inner_generator.border(stage)
        size = [length + border for length in real.shape[-2:]]
        if stage > 0 and not self.noise_rate:
            return torch.zeros(1, 3, *size).to(real)
        noise = torch.randn(1, 3, *size).to(real)
        return self.still(noise) if stage == 0 else _unit(noise)

    def train_generator(
            self, inputs: dict, data_samples: Optional[list],
            optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """As in :class:`SinGAN`; also updates the scale's learned noise."""
        if self.curr_stage == 0 or not self.noise_rate:
            return super().train_generator(inputs, data_samples,
                                           optimizer_wrapper)
        noise = self.fixed_noises[self.curr_stage].requires_grad_()
        log_vars = super().train_generator(inputs, data_samples,
                                           optimizer_wrapper)
        # z <- unit(z - rate unit(dL_rec / dz)), with the decay of the
        # generator's learning rate.
        group = optimizer_wrapper.param_groups[0]
        rate = group['lr'] / group.get('initial_lr', group['lr'])
        step: Any = noise.grad
        noise.grad = None
        all_reduce(step, 'mean')
        noise.requires_grad_(False)
        # In place, as a CUDA graph holds its address.
        noise.copy_(_unit(noise - self.noise_rate * rate * _unit(step)))
        return log_vars

    def _refined(self, stage: int) -> Tensor:
        return self._inner_generator.recon_input(
            self.fixed_noises, self.noise_weights, stage,
            self.codes(self._own_positions(self.fixed_noises[0])[None])).detach()

    def _before(self, stage: int) -> Tensor:
        # The resized image, without the context of this scale.
        image = self._refined(stage)
        height, width = self.reals[stage].shape[-2:]
        border = (image.shape[-1] - width) // 2
        return image[..., border:border + height, border:border + width]


def _unit(x: Tensor) -> Tensor:
    """Normalise to a mean square of one."""
    return x / x.square().mean().sqrt().clamp(min=1e-12)
