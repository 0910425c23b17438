"""Help for MMagic's modules while they are imported."""
import contextlib
import importlib
import sys
from functools import partial
from types import ModuleType
from typing import (Any, Callable, ContextManager, Dict, Iterable, Iterator,
                    Mapping)

from .installed import (OPTIONAL, WORKING, has_compiled_ops, is_installed,
                        numbers, version)

__all__ = ['EDITORS', 'HELPS']

# Makes what a module needs while it is imported.
Help = Callable[[], ContextManager]

EDITORS = 'mmagic.models.editors'


@contextlib.contextmanager
def _newer_mmcv_accepted() -> Iterator[None]:
    import mmcv
    own_version = mmcv.__version__
    if numbers(own_version) >= WORKING['mmcv'][1]:
        mmcv.__version__ = '2.1.0'
    try:
        yield
    finally:
        mmcv.__version__ = own_version


@contextlib.contextmanager
def _numpy_1_alias() -> Iterator[None]:
    if version('numpy') < (2, 0):
        yield
        return
    numpy: Any = importlib.import_module('numpy')
    numpy.bool8 = numpy.bool_
    try:
        yield
    finally:
        del numpy.bool8


@contextlib.contextmanager
def _modules(stand_ins: Mapping[str, Any]) -> Iterator[None]:
    """Replace modules and their submodules for a while; None hides one."""
    prefixes = tuple(f'{name}.' for name in stand_ins)

    def pop() -> Dict[str, ModuleType]:
        return {
            name: sys.modules.pop(name)
            for name in list(sys.modules) if f'{name}.'.startswith(prefixes)
        }

    replaced = pop()
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        pop()
        sys.modules.update(replaced)


def _empty_modules(*names: str) -> Dict[str, Any]:
    """Empty modules, each an attribute of its parent."""
    modules = {name: ModuleType(name) for name in names}
    for name, module in modules.items():
        parent, _, child = name.rpartition('.')
        if parent:
            setattr(modules[parent], child, module)
    return modules


def _without_diffusers() -> ContextManager:
    """Stand-in for the parts of diffusers that all editors import."""
    modules = _empty_modules('diffusers', 'diffusers.models',
                             'diffusers.models.attention',
                             'diffusers.pipelines', 'diffusers.schedulers')
    attention = modules['diffusers.models.attention']
    attention.BasicTransformerBlock = type('BasicTransformerBlock', (), {})
    return _modules(modules)


def _without(names: Iterable[str]) -> ContextManager:
    """Stand-ins for modules of packages that are not installed."""
    modules = _empty_modules(*(name for name in names
                               if not is_installed(name)))
    for name, module in modules.items():
        module.__getattr__ = partial(_not_installed, name)
    return _modules(modules)


def _not_installed(module: str, name: str) -> type:
    """Stand-in for a name of a missing package; fails when called.

    It is an exception class, so that it can be used in ``except``.
    """
    if name.startswith('__'):
        raise AttributeError(name)

    def call(cls: type, *args, **kwargs) -> None:
        package = module.partition('.')[0]
        raise ImportError(
            f'`{module}.{name}` requires the package {package!r}, which is '
            f'not installed: run `pip install {package}`, or `pip install '
            "'mmpe[mmagic]'` for all packages that MMagic uses.")

    return type(name, (Exception, ), dict(__new__=call))


def _without_face_alignment() -> ContextManager:
    return _modules({'face_alignment': None})


def _without_compiled_ops() -> ContextManager:
    """Stand-in for mmcv's operators; many also exist in plain torch."""
    if has_compiled_ops():
        return contextlib.nullcontext()

    def missing(name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def operator(*args, **kwargs):
            raise ImportError(f'`{name}` is one of the compiled operators of '
                              'mmcv, which are not installed.')

        return operator

    operators: Any = ModuleType('mmcv._ext')
    operators.__getattr__ = missing
    return _modules({'mmcv._ext': operators})


@contextlib.contextmanager
def _known_devices() -> Iterator[None]:
    """Add ``is_musa = False`` to tensors, permanently.

    onedl-mmcv reads this attribute when operators are called, not when it is
    imported.
    """
    import torch
    if not hasattr(torch.Tensor, 'is_musa'):
        torch.Tensor.is_musa = False  # type: ignore[attr-defined]
    yield


def _with_torchvision_later() -> ContextManager:
    """Import torchvision, which takes a second, only when it is called."""
    if 'torchvision' in sys.modules:
        return contextlib.nullcontext()
    modules = _empty_modules('torchvision', 'torchvision.models',
                             'torchvision.models.vgg', 'torchvision.utils')

    def later(module: str, name: str) -> Callable:
        if name.startswith('__'):
            raise AttributeError(name)

        def function(*args, **kwargs):
            real = importlib.import_module(module)
            return getattr(real, name)(*args, **kwargs)

        return function

    for module in ('torchvision.models.vgg', 'torchvision.utils'):
        modules[module].__getattr__ = partial(later, module)
    return _modules(modules)


# Help for each module while it is imported, including its submodules; `.*`
# matches direct children.
HELPS: Dict[str, Help] = {
    'mmagic': _newer_mmcv_accepted,
    'mmagic.utils.img_utils': _with_torchvision_later,
    'mmagic.utils.trans_utils': _numpy_1_alias,
    'mmagic.datasets.transforms.generate_assistant': _without_face_alignment,
    'mmagic.models.archs': _without_diffusers,
    'mmagic.models.diffusion_schedulers': _without_diffusers,
    'mmagic.models.losses.perceptual_loss': _with_torchvision_later,
    EDITORS: contextlib.nullcontext,
    'mmcv.ops.fused_bias_leakyrelu': _known_devices,
    f'{EDITORS}.*': _without_compiled_ops,
    **{
        name: partial(_without, packages)
        for name, packages in OPTIONAL.items()
    },
}
