"""Registries of mmpe: children (scope ``mmpe``) of MMagic's.

A config with ``default_scope = 'mmpe'`` finds our types first, then MMagic's,
then mmengine's.
"""
from typing import Any

from mmagic import registry as mmagic
from mmengine.registry import Registry

__all__ = [
    'DATASETS', 'DATA_SAMPLERS', 'EVALUATORS', 'HOOKS', 'LOG_PROCESSORS',
    'LOOPS', 'METRICS', 'MODELS', 'MODEL_WRAPPERS', 'OPTIMIZERS',
    'OPTIM_WRAPPERS', 'OPTIM_WRAPPER_CONSTRUCTORS', 'PARAM_SCHEDULERS',
    'RUNNERS', 'RUNNER_CONSTRUCTORS', 'TASK_UTILS', 'TRANSFORMS',
    'VISBACKENDS', 'VISUALIZERS', 'WEIGHT_INITIALIZERS', 'build_from'
]


def _child(parent: Registry, location: str) -> Registry:
    """A child registry, which imports ``location`` when it is first used.

    It also imports the parent's locations: mmengine searches a parent without
    importing its locations first.
    """
    registry = Registry(
        parent.name,
        parent=parent,
        scope='mmpe',
        locations=[*parent._locations, location])
    # mmengine only finds the scope of `mmpe.X` among children of the root.
    parent.parent._add_child(registry)
    return registry


RUNNERS = _child(mmagic.RUNNERS, 'mmpe.engine')
RUNNER_CONSTRUCTORS = _child(mmagic.RUNNER_CONSTRUCTORS, 'mmpe.engine')
LOOPS = _child(mmagic.LOOPS, 'mmpe.engine')
HOOKS = _child(mmagic.HOOKS, 'mmpe.engine')
LOG_PROCESSORS = _child(mmagic.LOG_PROCESSORS, 'mmpe.engine')
OPTIMIZERS = _child(mmagic.OPTIMIZERS, 'mmpe.engine')
OPTIM_WRAPPERS = _child(mmagic.OPTIM_WRAPPERS, 'mmpe.engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child(mmagic.OPTIM_WRAPPER_CONSTRUCTORS,
                                    'mmpe.engine')
PARAM_SCHEDULERS = _child(mmagic.PARAM_SCHEDULERS, 'mmpe.engine')
DATASETS = _child(mmagic.DATASETS, 'mmpe.datasets')
DATA_SAMPLERS = _child(mmagic.DATA_SAMPLERS, 'mmpe.datasets')
TRANSFORMS = _child(mmagic.TRANSFORMS, 'mmpe.datasets')
MODELS = _child(mmagic.MODELS, 'mmpe.models')
MODEL_WRAPPERS = _child(mmagic.MODEL_WRAPPERS, 'mmpe.engine')
WEIGHT_INITIALIZERS = _child(mmagic.WEIGHT_INITIALIZERS, 'mmpe.models')
TASK_UTILS = _child(mmagic.TASK_UTILS, 'mmpe.models')
METRICS = _child(mmagic.METRICS, 'mmpe.evaluation')
EVALUATORS = _child(mmagic.EVALUATORS, 'mmpe.evaluation')
VISUALIZERS = _child(mmagic.VISUALIZERS, 'mmpe.engine')
VISBACKENDS = _child(mmagic.VISBACKENDS, 'mmpe.engine')


def build_from(registry: Registry, cfg: dict, **default_args) -> Any:
    """Build an object from a registry of mmpe, in any default scope.

    Args:
        registry: One of the registries above.
        cfg: Config with a ``type``.
        default_args: Default arguments.

    Returns:
        The object.
    """
    return registry.build({'_scope_': 'mmpe', **cfg},
                          default_args=default_args)
