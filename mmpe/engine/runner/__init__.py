"""Loops and logs."""
from .singan_loop import (SinGANLogProcessor, SinGANTrainLoop,
                          fit_to_photograph)

__all__ = ['SinGANLogProcessor', 'SinGANTrainLoop', 'fit_to_photograph']
