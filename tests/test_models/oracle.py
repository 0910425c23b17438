"""MMagic's classes and rows, as what ours are compared with."""
import importlib

import pytest
import torch
import torch.nn.functional as F

from mmpe.registry import MODELS, build_from
from tools.benchmarking.networks import (  # noqa: F401
    CONFIGS, EDITORS, mmagic_class, row_model)

ROWS = sorted(
    path.stem for path in CONFIGS.glob('*.py') if 'stylegan2' in path.stem)


def largest_scale(model):
    return max(model.get('train_settings', {}).get('multi_input_scales', [0]))


def upfirdn2d(x, kernel, up=1, down=1, padding=0):
    """Insert zeros, pad, convolve, decimate: one step after the other."""
    num, channels, height, width = x.shape
    pad = (padding, ) * 2 if isinstance(padding, int) else tuple(padding)
    pad = pad if len(pad) == 4 else pad * 2
    spread = x.new_zeros(num, channels, height * up, width * up)
    spread[:, :, ::up, ::up] = x
    spread = F.pad(spread, pad)
    spread = spread.reshape(-1, 1, *spread.shape[2:])
    out = F.conv2d(spread, kernel.flip(0, 1)[None, None])
    return out.reshape(num, channels, *out.shape[2:])[:, :, ::down, ::down]


@pytest.fixture
def float64(monkeypatch):
    """Lets everything, MMagic's networks too, compute in float64.

    In float32 the gradient of a network with a million leaky ReLUs differs
    by more than 1e-4 from its true value, in MMagic's classes as in ours: a
    rounding error suffices to bring one of them to the other side of zero.
    """
    for module in ('stylegan1.stylegan1_modules',
                   'stylegan2.stylegan2_modules'):
        module = importlib.import_module(f'{EDITORS}.{module}')
        monkeypatch.setattr(module, 'upfirdn2d', upfirdn2d)
    monkeypatch.setattr(torch, 'float32', torch.float64)
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(previous)


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
    ours = build_from(MODELS, dict(config, width=width))
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
