"""Registration of mmpe's modules."""
import datetime
import importlib

from mmengine.registry import DefaultScope


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register mmpe's models, datasets, hooks and metrics.

    Args:
        init_default_scope: Also make ``mmpe`` the default scope, in which
            type names without a scope are looked up.
    """
    for name in ('datasets', 'engine', 'evaluation', 'models'):
        importlib.import_module(f'mmpe.{name}')
    if init_default_scope:
        _set_default_scope()


def _set_default_scope() -> None:
    scope = DefaultScope.get_current_instance()
    if scope is None or scope.scope_name != 'mmpe':
        # An instance is made once per name, so each switch takes a new one.
        DefaultScope.get_instance(
            f'mmpe-{datetime.datetime.now()}', scope_name='mmpe')
