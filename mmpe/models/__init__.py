"""Models: MS-PIE StyleGAN2 and SinGAN with positional encodings."""
# The registry falls back on MMagic's models only after this import.
import mmagic.models

from .augmentation import *  # noqa: F403
from .data_preprocessor import *  # noqa: F403
from .layers import *  # noqa: F403
from .moving_average import *  # noqa: F403
from .mspie import *  # noqa: F403
from .patch_diffusion import *  # noqa: F403
from .singan import *  # noqa: F403
from .stylegan2 import *  # noqa: F403
