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
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Dict, Iterator, Optional, Sequence

from .helps import EDITORS, HELPS, Help
from .installed import is_installed, mmagic_works

__all__ = ['install']

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


def install() -> None:
    """Make ``import mmagic`` work; does nothing when called again.

    Raises:
        ImportError: MMagic, mmcv or mmengine is not installed.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    for package, remedy in _NEEDED.items():
        if not is_installed(package):
            raise ImportError(
                f'mmpe requires {package}, which is not installed: {remedy}.')
    if _CHECKPOINT in sys.modules:
        _install_safe_loading()
    stand_aside = 'mmagic.models' in sys.modules or mmagic_works()
    sys.meta_path.insert(0, _Finder(stand_aside))


class _Finder(MetaPathFinder):
    """Finds the modules that need help."""

    def __init__(self, stand_aside: bool) -> None:
        self.helps: Dict[str, Help] = {_CHECKPOINT: _safe_loading}
        if not stand_aside:
            self.helps.update(HELPS)

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
            if module.__name__ != EDITORS:
                super().exec_module(module)


@contextlib.contextmanager
def _safe_loading() -> Iterator[None]:
    yield
    _install_safe_loading()


def _install_safe_loading() -> None:
    from mmpe import checkpoint
    checkpoint.install()
