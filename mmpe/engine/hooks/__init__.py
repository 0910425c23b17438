"""Hooks."""
from .checkpoint_hook import CheckpointHook
from .singan_hooks import (SinGANProgressHook, SinGANTimerHook,
                           SinGANVisualizationHook)

__all__ = [
    'CheckpointHook', 'SinGANProgressHook', 'SinGANTimerHook',
    'SinGANVisualizationHook'
]
