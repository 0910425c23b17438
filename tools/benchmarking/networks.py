"""MMagic's classes and configs."""
import importlib
import inspect
import re
from pathlib import Path

import mmagic
from mmengine.config import Config, ConfigDict

__all__ = ['CONFIGS', 'EDITORS', 'mmagic_class', 'row_model']

EDITORS = 'mmagic.models.editors'
CONFIGS = Path(mmagic.__file__).parent.joinpath(
    '.mim', 'configs', 'positional_encoding_in_gans')
_MODULES = {
    'StyleGANv2Generator': ('stylegan2.stylegan2_generator',
                            'StyleGAN2Generator'),
    'StyleGAN2Discriminator': ('stylegan2.stylegan2_discriminator',
                               'StyleGAN2Discriminator'),
    'MSStyleGANv2Generator': ('mspie.mspie_stylegan2_generator',
                              'MSStyleGANv2Generator'),
    'MSStyleGAN2Discriminator': ('mspie.mspie_stylegan2_discriminator',
                                 'MSStyleGAN2Discriminator'),
}


def row_model(row: str) -> ConfigDict:
    """Model config of a row in MMagic."""
    return Config.fromfile(CONFIGS / f'{row}.py').model


def mmagic_class(name: str, width: float = 1.) -> type:
    """A class of MMagic, with its channel counts multiplied by ``width``.

    Args:
        name: Name of the class in configs.
        width: The multiplier. MMagic has no argument for it, so the numbers
            in the source code are changed.
    """
    module, name = _MODULES[name]
    module = importlib.import_module(f'{EDITORS}.{module}')
    if width == 1:
        return getattr(module, name)
    source = inspect.getsource(getattr(module, name))
    source = re.sub(r'@MODELS.*\n', '', source)
    source = re.sub(r'(\d+): (\d+(?: \* channel_multiplier)?),',
                    rf'\1: int(\2 * {width}),', source)
    # `inspect` needs no file, but relative imports need the package.
    namespace = dict(vars(module))
    exec(source, namespace)
    return namespace[name]
