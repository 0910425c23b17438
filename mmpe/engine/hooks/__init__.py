"""Hooks."""
from .checkpoint_hook import CheckpointHook
from .image_hooks import CheckHook, ResultsHook, SampleSheetHook
from .singan_hooks import (SinGANProgressHook, SinGANTimerHook,
                           SinGANVisualizationHook)

__all__ = [
    'CheckHook', 'CheckpointHook', 'ResultsHook', 'SampleSheetHook',
    'SinGANProgressHook', 'SinGANTimerHook', 'SinGANVisualizationHook'
]
