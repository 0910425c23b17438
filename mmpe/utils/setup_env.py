"""Registration of mmpe's modules."""
import datetime

from mmengine.registry import DefaultScope


def register_all_modules(init_default_scope: bool = True) -> None:
    """Make mmpe's models, datasets, hooks and metrics known by name.

    Each registry imports what it holds when it is first asked for a type, so
    that nobody waits for parts he does not use.

    Args:
        init_default_scope: Also make ``mmpe`` the default scope, in which
            type names without a scope are looked up.
    """
    import mmpe.registry  # noqa: F401  (needs the host bridge to be in place)
    scope = DefaultScope.get_current_instance()
    if init_default_scope and (scope is None or scope.scope_name != 'mmpe'):
        # An instance is made once per name, so each switch takes a new one.
        DefaultScope.get_instance(
            f'mmpe-{datetime.datetime.now()}', scope_name='mmpe')
