"""Packaging of mmpe: the files of `mim`; setup.cfg has the metadata."""
import os
import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.egg_info import egg_info

ROOT = Path(__file__).resolve().parent
# Copied to `mmpe/.mim` in the installed package, for `mim` and the tools.
MIM_ITEMS = ('configs', 'demo', 'tools', 'model-index.yml')


def add_mim_items() -> None:
    """Put configs, demos and tools where the installed package keeps them.

    A development install links to them, so that an edit shows at once; every
    other build copies them.
    """
    develop = bool({'develop', 'editable_wheel'} & set(sys.argv))
    folder = ROOT / 'mmpe' / '.mim'
    folder.mkdir(exist_ok=True)
    for name in MIM_ITEMS:
        source, target = ROOT / name, folder / name
        if not source.exists():
            continue
        if target.is_symlink() or target.is_file():
            target.unlink()
        elif target.is_dir():
            shutil.rmtree(target)
        if develop:
            target.symlink_to(os.path.relpath(source, folder))
        elif source.is_dir():
            shutil.copytree(
                source, target, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(source, target)


class EggInfo(egg_info):
    """Tells openmim where the code of a development install is.

    openmim expects a package beside its metadata, which a development install
    keeps elsewhere. It joins that folder with the first line of
    ``top_level.txt``, and an absolute path replaces what it is joined to.
    """

    def run(self) -> None:
        """Write the metadata."""
        super().run()
        if 'editable_wheel' in sys.argv:
            names = Path(self.egg_info, 'top_level.txt')
            names.write_text(f'{ROOT / "mmpe"}\nmmpe\n', encoding='utf-8')


add_mim_items()
setup(cmdclass=dict(egg_info=EggInfo))
