"""Former name of :mod:`mmpe.evaluation.efficientnet_lite_distances`."""
from .efficientnet_lite_distances import *  # noqa: F403
