"""Helpers for all parts of mmpe."""
from .files import AtomicBackend, atomic_write
from .setup_env import register_all_modules

__all__ = ['AtomicBackend', 'atomic_write', 'register_all_modules']
