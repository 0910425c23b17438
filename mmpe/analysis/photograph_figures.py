"""Figures of a model of one photograph, from its pictures."""
from functools import partial
from typing import Callable, Dict, List, NamedTuple, Optional, Union

import numpy as np

from mmpe.evaluation import single_image
from mmpe.evaluation.perceptual import (AlexNetLPIPS, EffLite0SIFIDFeatures,
                                        SIFIDFeatures, sifid)

__all__ = ['BETTER', 'Figures', 'Pictures', 'Step', 'make_steps']

# Which values are better, by the start of the figure's name.
BETTER = {
    'reconstruction LPIPS': 'lower',
    'reconstruction': 'higher',
    'diversity': 'higher',
    'layout': 'higher',
    'SWD': 'lower',
    'new patches': '0 = copies',
    'coverage': 'higher',
    'moved part steps': 'lower',
    'moved part': 'higher',
    'SIFID': 'lower',
    'seconds': 'lower',
    'sample LPIPS': 'higher'
}

Figures = Dict[str, float]


class Pictures(NamedTuple):
    """What a model is judged by.

    Args:
        photograph: uint8 (H, W, 3) in RGB order.
        reconstruction: The model's version of it, likewise.
        samples: Random images, likewise.
        figures: Figures measured while drawing.
    """

    photograph: np.ndarray
    reconstruction: np.ndarray
    samples: List[np.ndarray]
    figures: Dict[str, float] = {}


Step = Callable[[Pictures], Figures]


def make_steps(inception_path: Optional[str] = None,
               lpips_path: Optional[str] = None) -> List[Step]:
    """Load the feature networks that are available.

    Args:
        inception_path: File of the Inception network, for SIFID.
        lpips_path: File of the LPIPS network.

    Returns:
        Functions that compute figures from :class:`Pictures`.

    Raises:
        OSError, ValueError: A file cannot be read.
    """
    steps = [
        _reconstruction, _variety, _swd, _patches, *_efficientnet_steps()
    ]
    if inception_path:
        network = SIFIDFeatures(inception_path)
        steps.append(partial(_features, 'SIFID', network))
    if lpips_path:
        steps.append(partial(_lpips, AlexNetLPIPS(lpips_path)))
    return steps


def _efficientnet_steps() -> List[Step]:
    """SIFID in EfficientNet-Lite0, if its weights are installed."""
    name, network = 'SIFID-EffLite0', EffLite0SIFIDFeatures
    try:
        return [partial(_features, name, network())]
    except FileNotFoundError:
        print(f'{name} is skipped: {network.file_name} is missing'
              f'{network.hint}.')
        return []


def _reconstruction(pictures: Pictures) -> Figures:
    """PSNR and SSIM."""
    figures = single_image.reconstruction(pictures.reconstruction,
                                          pictures.photograph)
    return {f'reconstruction {name}': x for name, x in figures.items()}


def _variety(pictures: Pictures) -> Figures:
    """Diversity of the samples, and how well they keep the layout."""
    photograph, samples = pictures.photograph, pictures.samples
    layout = [single_image.layout_correlation(x, photograph) for x in samples]
    return dict(
        diversity=single_image.diversity(samples, photograph),
        layout=float(np.mean(layout)))


def _swd(pictures: Pictures) -> Figures:
    """Sliced Wasserstein distances at each level."""
    figures = single_image.patch_swd(pictures.samples, pictures.photograph)
    return {f'SWD {name}': x for name, x in figures.items()}


def _patches(pictures: Pictures) -> Figures:
    """Novelty and coverage of patches."""
    matches = single_image.nearest_patches(pictures.samples,
                                           pictures.photograph)
    return {
        **{f'new patches {name}': x.distance for name, x in matches.items()},
        **{f'coverage {name}': x.coverage for name, x in matches.items()}
    }


def _features(name: str, network: Union[SIFIDFeatures, EffLite0SIFIDFeatures],
              pictures: Pictures) -> Figures:
    """SIFID in the features of a network."""
    return {name: sifid(pictures.samples, pictures.photograph, network)}


def _lpips(network: AlexNetLPIPS, pictures: Pictures) -> Figures:
    """LPIPS of the reconstruction, and between samples."""
    return {
        'reconstruction LPIPS':
        network.distance(pictures.reconstruction, pictures.photograph),
        'sample LPIPS':
        network.diversity(pictures.samples)
    }
