"""Former name of :mod:`mmpe.evaluation.efficientnet_lite_network`."""
from .efficientnet_lite_network import *  # noqa: F403
