"""Hooks that break a training, hold it or end it."""
import os
import signal
import time

from mmengine.hooks import Hook

from mmpe.registry import HOOKS


@HOOKS.register_module()
class BreakHook(Hook):
    """Lets weights explode, until there were some rollbacks."""

    def __init__(self, at, times):
        self.at, self.times = at, times

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        done = runner.message_hub.get_info('rollbacks', 0)
        if runner.iter >= self.at and done < self.times:
            for wrapper in runner.optim_wrapper.optim_wrappers.values():
                for group in wrapper.param_groups:
                    group['lr'] = group['initial_lr'] = 1e6


@HOOKS.register_module()
class WaitHook(Hook):
    """Waits for a file after some iterations."""

    def __init__(self, file):
        self.file = file

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        while runner.iter >= 6 and not os.path.exists(self.file):
            time.sleep(0.05)


@HOOKS.register_module()
class SignalHook(Hook):
    """Sends SIGTERM to this very process in an iteration."""

    def __init__(self, at):
        self.at = at

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.at:
            os.kill(os.getpid(), signal.SIGTERM)
