"""Training loops and log processors."""
from .image_loop import ImageTrainLoop
from .singan_loop import (SinGANLogProcessor, SinGANTrainLoop,
                          fit_to_photograph)
from .train_loop import TrainLoop

__all__ = [
    'ImageTrainLoop', 'SinGANLogProcessor', 'SinGANTrainLoop',
    'TrainLoop', 'fit_to_photograph'
]
