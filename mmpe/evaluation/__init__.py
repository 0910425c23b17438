"""Metrics of generated images, at the sizes a model can draw."""
# The registry falls back on MMagic's metrics only after this import.
import mmagic.evaluation

from .consistency import CrossScaleConsistency
from .efficientnet_lite_distances import EffLite0Distances
from .evaluator import MultiScaleEvaluator, results_table
from .inception import FrechetInceptionDistance, KernelInceptionDistance
from .precision_recall import PrecisionAndRecall
from .scales import EvaluationScale, evaluation_scales, evaluation_sizes
from .sliced_wasserstein import SlicedWassersteinDistance

__all__ = [
    'CrossScaleConsistency', 'EffLite0Distances', 'EvaluationScale',
    'FrechetInceptionDistance', 'KernelInceptionDistance',
    'MultiScaleEvaluator', 'PrecisionAndRecall', 'SlicedWassersteinDistance',
    'evaluation_scales', 'evaluation_sizes', 'results_table'
]
