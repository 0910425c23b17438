"""MMagic's classes and rows, as what ours are compared with."""
import importlib
import inspect
import re
from pathlib import Path

import mmagic
import torch
from mmengine import Config

from mmpe.registry import MODELS

EDITORS = 'mmagic.models.editors'
CONFIGS = Path(mmagic.__file__).parent.joinpath(
    '.mim', 'configs', 'positional_encoding_in_gans')
ROWS = sorted(
    path.stem for path in CONFIGS.glob('*.py') if 'stylegan2' in path.stem)
MODULES = {
    'StyleGANv2Generator': ('stylegan2.stylegan2_generator',
                            'StyleGAN2Generator'),
    'StyleGAN2Discriminator': ('stylegan2.stylegan2_discriminator',
                               'StyleGAN2Discriminator'),
    'MSStyleGANv2Generator': ('mspie.mspie_stylegan2_generator',
                              'MSStyleGANv2Generator'),
    'MSStyleGAN2Discriminator': ('mspie.mspie_stylegan2_discriminator',
                                 'MSStyleGAN2Discriminator'),
}


def row_model(row):
    """The model's config of a row in MMagic."""
    return Config.fromfile(CONFIGS / f'{row}.py').model


def largest_scale(model):
    return max(model.get('train_settings', {}).get('multi_input_scales', [0]))


def mmagic_class(name, width=1.):
    """A class of MMagic, with its channel counts multiplied by `width`."""
    module, name = MODULES[name]
    module = importlib.import_module(f'{EDITORS}.{module}')
    source = inspect.getsource(getattr(module, name))
    source = re.sub(r'@MODELS.*\n', '', source)
    source = re.sub(r'(\d+): (\d+(?: \* channel_multiplier)?),',
                    rf'\1: int(\2 * {width}),', source)
    # `inspect` needs no file, but relative imports need the package.
    namespace = dict(vars(module))
    exec(source, namespace)
    return namespace[name]


def build_pair(config, width=1.):
    """Ours and MMagic's network of a config, with the same weights."""
    config = dict(config)
    encoding = config.get('head_pos_encoding')
    if encoding and 'embedding_dim' in encoding:
        config['head_pos_encoding'] = dict(
            encoding, embedding_dim=int(encoding['embedding_dim'] * width))
    if 'style_channels' in config:
        config['style_channels'] = int(config['style_channels'] * width)
    torch.manual_seed(0)
    with MODELS.switch_scope_and_registry('mmpe') as registry:
        ours = registry.build(dict(config, width=width))
    kwargs = {key: value for key, value in config.items() if key != 'type'}
    theirs = mmagic_class(config['type'], width)(**kwargs)
    # Biases and noise weights start at zero, where they could hide errors.
    for param in ours.parameters():
        if param.abs().max() == 0:
            torch.nn.init.normal_(param, std=0.3)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def shapes(module):
    return {key: tuple(value.shape)
            for key, value in module.state_dict().items()}


def assert_close(actual, expected, rtol=1e-4):
    """Equal up to `rtol` of the largest expected value."""
    assert actual.shape == expected.shape
    torch.testing.assert_close(
        actual, expected, rtol=0, atol=rtol * float(expected.abs().max()))
