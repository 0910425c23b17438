"""What is installed, and whether MMagic works with it."""
import contextlib
import importlib.metadata
import importlib.util
import re
from importlib.machinery import PathFinder
from itertools import chain
from typing import Tuple

__all__ = [
    'OPTIONAL', 'WORKING', 'has_compiled_ops', 'is_installed', 'mmagic_works',
    'numbers', 'version'
]

# MMagic 1.2.0 works with these: lowest version, and first that breaks it.
WORKING = {
    'diffusers': ((0, 23), (0, 27)),
    'mmcv': ((2, 0), (2, 2)),
    'numpy': ((1, 0), (2, 0)),
    'transformers': ((4, 27), (5, 0)),
}
# Packages that MMagic's modules import but mmpe does not need.
OPTIONAL = {
    'mmagic.datasets.transforms.albu_function': ('albumentations', ),
    'mmagic.evaluation.metrics.ppl': ('lpips', ),
    'mmagic.utils.io_utils': ('click', 'requests', 'requests.exceptions'),
    'mmagic.visualization.vis_backend': ('imageio', ),
}


def mmagic_works() -> bool:
    """Whether MMagic should work without help; imports nothing."""
    return has_compiled_ops() and all(
        low <= version(name) < high
        for name, (low, high) in WORKING.items()) and all(
            map(is_installed, chain(*OPTIONAL.values())))


def has_compiled_ops() -> bool:
    """Whether mmcv comes with its compiled operators; imports nothing."""
    mmcv = importlib.util.find_spec('mmcv')
    return mmcv is not None and PathFinder.find_spec(
        'mmcv._ext', mmcv.submodule_search_locations) is not None


def is_installed(module: str) -> bool:
    """Whether the top-level package of a module is installed."""
    return importlib.util.find_spec(module.partition('.')[0]) is not None


def version(package: str) -> Tuple[int, ...]:
    """Version of a package, (0, ) if it is not installed."""
    for name in (package, f'{package}-lite', f'onedl-{package}'):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return numbers(importlib.metadata.version(name))
    return (0, )


def numbers(text: str) -> Tuple[int, ...]:
    """The first two numbers of a version."""
    return tuple(int(part) for part in re.findall(r'\d+', text)[:2])
