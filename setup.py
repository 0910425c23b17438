"""Packaging of mmpe."""
import os
import runpy
import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.egg_info import egg_info

ROOT = Path(__file__).resolve().parent
EXTRAS = ('dask', 'demo', 'efficientnet', 'export', 'lite', 'lpips', 'mmagic',
          'onedl', 'tensorboard', 'tests')
# What `mim` and the tools find beside the installed code, in `mmpe/.mim`.
MIM_ITEMS = ('configs', 'demo', 'tools', 'model-index.yml')


def read_requirements(name: str) -> list:
    """Requirements of one file, without comments."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


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
setup(
    cmdclass=dict(egg_info=EggInfo),
    name='mmpe',
    version=runpy.run_path(str(ROOT / 'mmpe' / 'version.py'))['__version__'],
    description='Positional encoding as spatial inductive bias in GANs, '
    'for MMagic',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['mmpe', 'mmpe.*']),
    include_package_data=True,
    python_requires='>=3.9',
    install_requires=read_requirements('runtime'),
    extras_require={name: read_requirements(name)
                    for name in EXTRAS},
    classifiers=[
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Image Processing',
    ],
    zip_safe=False)
