"""Damaged and malicious inputs; see ``.dev_scripts/fuzz.py`` for all of them.

An input is made by its kind from a random generator, as a file or several in
an empty folder, and read as the package reads it. It must end in a result or
in one clear error, in bounded time and memory; what is in it must not run, and
an error must leave nothing behind.
"""
from .harness import LIMITS, MARK, Kind, Outcome, attempt, run, table
from .kinds import KINDS, prepare

__all__ = [
    'KINDS', 'LIMITS', 'MARK', 'Kind', 'Outcome', 'attempt', 'prepare', 'run',
    'table'
]
