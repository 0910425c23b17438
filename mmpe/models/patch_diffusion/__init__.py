"""Training-free diffusion model of a photograph's own patches."""
from .known import KnownPixels
from .level import PhotographLevel
from .model import PatchDiffusion
from .pairs import RandomLayout, TrainingPair, training_pairs

__all__ = [
    'KnownPixels', 'PatchDiffusion', 'PhotographLevel', 'RandomLayout',
    'TrainingPair', 'training_pairs'
]
