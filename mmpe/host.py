"""Host bridge: makes MMagic 1.2.0 importable in current environments.

``import mmagic.models`` imports all of MMagic's editors, and with them
diffusers and compiled mmcv operators. It also uses an alias that NumPy 2
removed, and rejects mmcv 2.2. None of this is needed for GANs. The bridge is
an import hook for a few of MMagic's modules: it provides what they need while
they are executed, and restores everything afterwards. Packages that only parts
of MMagic use (albumentations, click, imageio, lpips, requests) are optional:
those parts raise an error that names the package when they are called.
``mmagic.models.editors`` becomes an empty package, from which single editors
can be imported: ``import mmagic.models.editors.dcgan``.

If MMagic works without help, it is not changed. In both cases, mmengine's
loading of checkpoints is made safe when it is imported, see
:mod:`mmpe.checkpoint`.
"""
import contextlib
import importlib.metadata
import importlib.util
import re
import sys
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from itertools import chain
from types import ModuleType
from typing import (Any, Callable, ContextManager, Dict, Iterable, Iterator,
                    Mapping, Optional, Sequence, Tuple)

__all__ = ['install']

# Makes what a module needs while it is imported.
Help = Callable[[], ContextManager]

_EDITORS = 'mmagic.models.editors'
_CHECKPOINT = 'mmengine.runner.checkpoint'
_NEEDED = {
    'mmcv':
    'run `pip install "mmcv-lite>=2,<2.2"` (no compiler needed), install a '
    'compiled mmcv, or run `pip install onedl-mmcv`, which is maintained',
    'mmengine':
    'run `pip install mmengine`, or `pip install onedl-mmengine`, which is '
    'maintained',
    'mmagic':
    'run `pip install --no-deps mmagic==1.2.0`',
}
# MMagic 1.2.0 works with these: lowest version, and first that breaks it.
_WORKING = {
    'diffusers': ((0, 23), (0, 27)),
    'mmcv': ((2, 0), (2, 2)),
    'numpy': ((1, 0), (2, 0)),
    'transformers': ((4, 27), (5, 0)),
}
# Packages that MMagic's modules import but mmpe does not need.
_OPTIONAL = {
    'mmagic.datasets.transforms.albu_function': ('albumentations', ),
    'mmagic.evaluation.metrics.ppl': ('lpips', ),
    'mmagic.utils.io_utils': ('click', 'requests', 'requests.exceptions'),
    'mmagic.visualization.vis_backend': ('imageio', ),
}


def install() -> None:
    """Make ``import mmagic`` work; does nothing when called again.

    Raises:
        ImportError: MMagic, mmcv or mmengine is not installed.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    for package, remedy in _NEEDED.items():
        if not _is_installed(package):
            raise ImportError(
                f'mmpe requires {package}, which is not installed: {remedy}.')
    if _CHECKPOINT in sys.modules:
        _install_safe_loading()
    stand_aside = 'mmagic.models' in sys.modules or _mmagic_works()
    sys.meta_path.insert(0, _Finder(stand_aside))


def _mmagic_works() -> bool:
    """Whether MMagic should work without help; imports nothing."""
    return _has_compiled_ops() and all(
        low <= _version(name) < high
        for name, (low, high) in _WORKING.items()) and all(
            map(_is_installed, chain(*_OPTIONAL.values())))


def _has_compiled_ops() -> bool:
    mmcv = importlib.util.find_spec('mmcv')
    return mmcv is not None and PathFinder.find_spec(
        'mmcv._ext', mmcv.submodule_search_locations) is not None


def _is_installed(module: str) -> bool:
    """Whether the top-level package of a module is installed."""
    return importlib.util.find_spec(module.partition('.')[0]) is not None


def _version(package: str) -> Tuple[int, ...]:
    """Version of a package, (0, ) if it is not installed."""
    for name in (package, f'{package}-lite', f'onedl-{package}'):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return _numbers(importlib.metadata.version(name))
    return (0, )


def _numbers(version: str) -> Tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r'\d+', version)[:2])


class _Finder(MetaPathFinder):
    """Finds the modules that need help."""

    def __init__(self, stand_aside: bool) -> None:
        self.helps: Dict[str, Help] = {_CHECKPOINT: _safe_loading}
        if not stand_aside:
            self.helps.update(_HELPS)

    def find_spec(self,
                  fullname: str,
                  path: Optional[Sequence[str]] = None,
                  target: Optional[ModuleType] = None) -> Optional[ModuleSpec]:
        """Give modules that need help a loader that provides it."""
        parent = fullname.rpartition('.')[0]
        help_ = self.helps.get(fullname) or self.helps.get(f'{parent}.*')
        if help_ is None:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path, help_)
        return spec


class _Loader(SourceFileLoader):
    """Executes a module in a context."""

    def __init__(self, name: str, path: str, help_: Help) -> None:
        super().__init__(name, path)
        self._help = help_

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, unless it is the package of all editors."""
        with self._help():
            if module.__name__ != _EDITORS:
                super().exec_module(module)


@contextlib.contextmanager
def _safe_loading() -> Iterator[None]:
    yield
    _install_safe_loading()


def _install_safe_loading() -> None:
    from . import checkpoint
    checkpoint.install()


@contextlib.contextmanager
def _newer_mmcv_accepted() -> Iterator[None]:
    import mmcv
    version = mmcv.__version__
    if _numbers(version) >= _WORKING['mmcv'][1]:
        mmcv.__version__ = '2.1.0'
    try:
        yield
    finally:
        mmcv.__version__ = version


@contextlib.contextmanager
def _numpy_1_alias() -> Iterator[None]:
    if _version('numpy') < (2, 0):
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
                               if not _is_installed(name)))
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
    if _has_compiled_ops():
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
_HELPS: Dict[str, Help] = {
    'mmagic': _newer_mmcv_accepted,
    'mmagic.utils.img_utils': _with_torchvision_later,
    'mmagic.utils.trans_utils': _numpy_1_alias,
    'mmagic.datasets.transforms.generate_assistant': _without_face_alignment,
    'mmagic.models.archs': _without_diffusers,
    'mmagic.models.diffusion_schedulers': _without_diffusers,
    'mmagic.models.losses.perceptual_loss': _with_torchvision_later,
    _EDITORS: contextlib.nullcontext,
    'mmcv.ops.fused_bias_leakyrelu': _known_devices,
    f'{_EDITORS}.*': _without_compiled_ops,
    **{
        name: partial(_without, packages)
        for name, packages in _OPTIONAL.items()
    },
}
