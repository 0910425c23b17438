"""What all GANs have in common."""
from mmagic.models.base_models import BaseGAN as Base

from mmpe.registry import MODELS, build_from
from mmpe.utils.wrappers import unwrap

__all__ = ['BaseGAN']


class BaseGAN(Base):
    """MMagic's, with our moving average.

    Args:
        args, kwargs: As for MMagic's.
    """

    def _init_ema_model(self, ema_config: dict) -> None:
        """Make the moving average of the generator."""
        self.ema_start = ema_config.pop('start_iter', 0)
        self.generator_ema = build_from(
            MODELS,
            ema_config,
            type='ExponentialMovingAverage',
            model=unwrap(self.generator))
