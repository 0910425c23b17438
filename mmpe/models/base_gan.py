"""Base class of all GANs."""
from mmagic.models.base_models import BaseGAN as Base

from mmpe.registry import MODELS, build_from
from mmpe.utils.wrappers import unwrap

__all__ = ['BaseGAN']


class BaseGAN(Base):
    """MMagic's ``BaseGAN`` with this package's moving average.

    Args:
        args, kwargs: As for MMagic's ``BaseGAN``.
    """

    def _init_ema_model(self, ema_config: dict) -> None:
        """Build the moving average of the generator."""
        self.ema_start = ema_config.pop('start_iter', 0)
        self.generator_ema = build_from(
            MODELS,
            ema_config,
            type='ExponentialMovingAverage',
            model=unwrap(self.generator))
