"""Effect of explicit positions in patch diffusion, without any padding."""
from typing import Any, Dict, Optional, Tuple

import numpy as np
from mmengine.config import Config

from mmpe.evaluation.single_image import (layout_correlation, nearest_patches,
                                          patch_swd)
from mmpe.inference import load
from mmpe.utils.files import PathLike

__all__ = ['SPREADS', 'measure_patches']

# Standard deviations of the position prior, as fractions of the short side.
SPREADS = (0.03, 0.06, 0.1, 0.2, 0.4, 0.8)
_CODES = dict(
    CSG=dict(type='CSG'), SPE=dict(type='SPE', embedding_dim=4))
Figures = Dict[str, float]
_MAX_SIZE = 112
_SAMPLES = 8


def measure_patches(photograph: PathLike, seed: int
                    ) -> Tuple[Dict[str, Figures], Dict[str, np.ndarray]]:
    """Measure patch diffusion of a photograph at several spreads.

    Args:
        photograph: Path of the photograph.
        seed: Random seed.

    Returns:
        Figures by encoding and spread ('none' without positions): ``layout``,
        mean correlation with the photograph; ``swd``, mean over levels; and
        ``coverage`` at full size. And two samples of each, uint8 RGB
        (2, H, W, 3).

    Raises:
        FileNotFoundError: The photograph does not exist.
        ValueError: The photograph cannot be read, or is too small.
    """
    figures, pictures = {}, {}
    runs = [('none', None, None)] + [(f'{code} {spread}', code, spread)
                                     for code in _CODES for spread in SPREADS]
    for name, code, spread in runs:
        figures[name], pictures[name] = _sampled(photograph, code, spread,
                                                 seed)
    return figures, pictures


def _sampled(photograph: PathLike, code: Optional[str],
             spread: Optional[float], seed: int) -> Tuple[Figures, np.ndarray]:
    model = dict(type='PatchDiffusion', positions=code and _CODES[code])
    if spread is not None:
        model['spread'] = [spread, float('inf')]
    sampler: Any = load(
        Config(dict(model=model)), photograph, max_size=_MAX_SIZE)
    # Samples of different seeds do not overlap.
    images = sampler.sample(_SAMPLES, None, seed * _SAMPLES)
    real = sampler.photograph
    layout = [layout_correlation(image, real) for image in images]
    swd = patch_swd(images, real)
    coverage = nearest_patches(images, real)
    return dict(
        layout=float(np.mean(layout)),
        swd=float(np.mean(list(swd.values()))),
        coverage=float(coverage['1/1'].coverage)), np.stack(images[:2])
