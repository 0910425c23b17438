"""Hooks, loops and optimisers."""
import mmagic.engine
import mmagic.visualization

from .distributed import *  # noqa: F403
from .finite import NotFiniteError
from .hooks import *  # noqa: F403
from .optimizers import *  # noqa: F403
from .runner import *  # noqa: F403
