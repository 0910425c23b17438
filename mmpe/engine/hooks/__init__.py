"""Hooks."""
from .checkpoint_hook import CheckpointHook
from .compile_hook import CompileHook
from .image_hooks import CheckHook, ResultsHook, SampleSheetHook
from .runtime_info_hook import RuntimeInfoHook
from .singan_hooks import SinGANPreviewHook, SinGANVisualizationHook
from .singan_time_hooks import (SinGANEstimateHook, SinGANProgressHook,
                                SinGANTimerHook)
from .termination_hook import Terminated, TerminationHook
from .tracking_hooks import ScaleLossesHook, add_tensorboard

__all__ = [
    'CheckHook', 'CheckpointHook', 'CompileHook', 'ResultsHook',
    'RuntimeInfoHook', 'SampleSheetHook', 'ScaleLossesHook',
    'SinGANEstimateHook', 'SinGANPreviewHook', 'SinGANProgressHook',
    'SinGANTimerHook', 'SinGANVisualizationHook', 'Terminated',
    'TerminationHook', 'add_tensorboard'
]
