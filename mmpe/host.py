"""Host bridge: makes MMagic 1.2.0 importable on current PyTorch and NumPy.

MMagic imports every one of its editors, and through them diffusers, mediapipe
and compiled mmcv operators, when ``mmagic.models`` is first touched, and it
names an alias that NumPy 2 removed. None of that has to do with GANs. The
bridge is an import hook that acts only on ``mmagic`` modules: while one of
them is executed, stand-ins for the missing pieces are visible; afterwards they
are gone. ``mmagic.models.editors`` becomes an empty package, so that a single
editor is imported when somebody asks for it (``import
mmagic.models.editors.dcgan``).
"""
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from typing import Iterator, Optional, Sequence

__all__ = ['install']

_EDITORS = 'mmagic.models.editors'
# Imported by MMagic at module level for editors mmpe does not use.
_OPTIONAL = ('diffusers', 'face_alignment', 'mediapipe')
_INSTALL_HINT = ('install one of them: `pip install "mmcv-lite>=2,<2.2"` '
                 '(no compiler needed), or a compiled `mmcv>=2,<2.2`')


class _StandIn(types.ModuleType):
    """A module whose every public attribute is a class that refuses to work."""

    __path__: Sequence[str] = ()

    def __getattr__(self, name: str) -> type:
        if name.startswith('__'):
            raise AttributeError(name)

        def refuse(*args, **kwargs):
            raise ImportError(
                f'`{self.__name__}.{name}` is needed here, but '
                f'`{self.__name__}` is not usable in this environment.')

        return type(name, (), {
            '__init__': refuse,
            '__module__': self.__name__
        })


class _Shims(contextlib.AbstractContextManager):
    """Stand-ins that are visible while MMagic modules are executed."""

    def __init__(self) -> None:
        self._depth = 0
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> '_Shims':
        self._depth += 1
        if self._depth == 1:
            self._provide()
        return self

    def __exit__(self, *exc) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._undo.close()

    def _provide(self) -> None:
        import mmcv
        import numpy as np
        if not hasattr(np, 'bool8'):
            np.bool8 = np.bool_
            self._undo.callback(delattr, np, 'bool8')
        if not _mmcv_in_range(mmcv.__version__):
            self._undo.callback(setattr, mmcv, '__version__', mmcv.__version__)
            mmcv.__version__ = '2.1.0'
        names = list(_OPTIONAL)
        if importlib.util.find_spec('mmcv._ext') is None:
            names.append('mmcv._ext')
        for name in names:
            if name not in sys.modules:
                self._stand_in(name)

    def _stand_in(self, name: str) -> None:
        sys.modules[name] = module = _StandIn(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)

        def undo():
            for key in list(sys.modules):
                if isinstance(sys.modules[key], _StandIn) and (
                        key == name or key.startswith(name + '.')):
                    del sys.modules[key]

        self._undo.callback(undo)


class _Loader(importlib.abc.Loader):
    """Executes one MMagic module with the stand-ins in place."""

    def __init__(self, inner: importlib.abc.Loader, shims: _Shims) -> None:
        self._inner = inner
        self._shims = shims

    def __getattr__(self, name: str):
        return getattr(self._inner, name)

    def create_module(self, spec) -> Optional[types.ModuleType]:
        return self._inner.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        with self._shims:
            if module.__name__ == _EDITORS:
                return  # an empty package: editors are imported one by one
            self._inner.exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds MMagic modules and, for MMagic only, the stand-ins' submodules."""

    def __init__(self) -> None:
        self._shims = _Shims()

    def find_spec(self, fullname: str, path=None, target=None):
        root = fullname.split('.')[0]
        if root == 'mmagic':
            spec = importlib.machinery.PathFinder.find_spec(fullname, path)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, self._shims)
            return spec
        if isinstance(sys.modules.get(root), _StandIn):
            return importlib.machinery.ModuleSpec(fullname, _StandInLoader())
        return None


class _StandInLoader(importlib.abc.Loader):

    def create_module(self, spec) -> types.ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def _mmcv_in_range(version: str) -> bool:
    major, minor = (int(part) for part in version.split('.')[:2])
    return (2, 0) <= (major, minor) < (2, 2)


def install() -> None:
    """Make ``import mmagic`` work from here on; does nothing the second time.

    Raises:
        ImportError: MMagic, mmengine or mmcv is not installed.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    for package, hint in (('mmagic', '`pip install mmagic`'),
                          ('mmcv', _INSTALL_HINT)):
        if importlib.util.find_spec(package) is None:
            raise ImportError(f'mmpe needs {package}, which is not '
                              f'installed: {hint}.')
    if 'mmagic.models' in sys.modules:
        return
    sys.meta_path.insert(0, _Finder())
