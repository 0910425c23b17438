"""Registration of mmpe's modules."""
import datetime

from mmengine.registry import DefaultScope


def register_all_modules(init_default_scope: bool = True) -> None:
    """Register mmpe's models, datasets, hooks and metrics.

    Each registry imports its modules when it is first used, so that unused
    parts cost no time.

    Args:
        init_default_scope: Whether to make ``mmpe`` the default scope for
            type names without a scope.
    """
    import mmpe.registry  # noqa: F401  (needs the host bridge to be in place)
    scope = DefaultScope.get_current_instance()
    if init_default_scope and (scope is None or scope.scope_name != 'mmpe'):
        # Instances are unique by name, so each switch needs a new one.
        DefaultScope.get_instance(
            f'mmpe-{datetime.datetime.now()}', scope_name='mmpe')
