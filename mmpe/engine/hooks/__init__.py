"""Hooks."""
from .checkpoint_hook import CheckpointHook
from .singan_hooks import SinGANTimerHook, SinGANVisualizationHook

__all__ = ['CheckpointHook', 'SinGANTimerHook', 'SinGANVisualizationHook']
