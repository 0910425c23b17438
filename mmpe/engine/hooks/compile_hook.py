"""Compiled networks."""
import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmpe.registry import HOOKS
from mmpe.utils.wrappers import unwrap

__all__ = ['CompileHook']


@HOOKS.register_module()
class CompileHook(Hook):
    """Compiles the networks of a model before the training, if possible.

    If not, the reason is logged, and the training runs without compilation.
    """

    def before_train(self, runner: Runner) -> None:
        """Compile the networks.

        Args:
            runner: The runner of the training.
        """
        problem = unwrap(runner.model).compile_networks()
        if problem is None:
            print_log('The networks are compiled when they are first used',
                      'current')
        else:
            print_log(f'The networks are not compiled: {problem}', 'current',
                      logging.WARNING)
