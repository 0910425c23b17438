"""Checks of .dev_scripts/check_gpu.py, a module per group."""
from . import equal, modes, rows, speed, waiting
from .core import Group

__all__ = ['GROUPS']

# In order of importance; the limits are in seconds on an H100.
GROUPS = [
    Group('equal', 'Equal to the CPU, and to MMagic on the same GPU', 90,
          equal.checks),
    Group('rows', 'Every row at full width', 115, rows.checks),
    Group('modes', 'Ways to train', 75, modes.checks),
    Group('waiting', 'No waiting', 40, waiting.checks),
    Group('speed', 'Speed', 160, speed.checks)
]
