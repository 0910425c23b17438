"""Positional encoding as spatial inductive bias in GANs, for MMagic."""
from . import host
from .version import __version__, version_info

host.install()

from . import utils  # noqa: E402  (needs the bridge)

__all__ = ['__version__', 'utils', 'version_info']
