"""Positional encoding as spatial inductive bias in GANs, for MMagic."""
from . import host
from .version import __version__, version_info

host.install()

__all__ = ['__version__', 'version_info']
