"""Hooks, loops and optimisers."""
import mmagic.engine  # noqa: F401
import mmagic.visualization  # noqa: F401

from .distributed import *  # noqa: F401, F403
from .finite import NotFiniteError
from .hooks import *  # noqa: F401, F403
from .optimizers import *  # noqa: F401, F403
from .runner import *  # noqa: F401, F403
