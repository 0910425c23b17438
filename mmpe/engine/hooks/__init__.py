"""Hooks."""
from .checkpoint_hook import CheckpointHook
from .compile_hook import CompileHook
from .image_hooks import CheckHook, ResultsHook, SampleSheetHook
from .singan_hooks import SinGANPreviewHook, SinGANVisualizationHook
from .singan_time_hooks import (SinGANEstimateHook, SinGANProgressHook,
                                SinGANTimerHook)

__all__ = [
    'CheckHook', 'CheckpointHook', 'CompileHook', 'ResultsHook',
    'SampleSheetHook', 'SinGANEstimateHook', 'SinGANPreviewHook',
    'SinGANProgressHook', 'SinGANTimerHook', 'SinGANVisualizationHook'
]
