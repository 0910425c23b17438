"""Loops and logs."""
from .image_loop import ImageTrainLoop
from .singan_loop import (SinGANLogProcessor, SinGANTrainLoop,
                          fit_to_photograph)

__all__ = [
    'ImageTrainLoop', 'SinGANLogProcessor', 'SinGANTrainLoop',
    'fit_to_photograph'
]
