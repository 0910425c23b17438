"""Small networks with random weights, to analyse."""
from typing import Any, Callable, Dict, Optional

import torch
from mmengine.registry import DefaultScope
from torch.nn.modules.batchnorm import _BatchNorm

from mmpe.models.mspie.generator import MSStyleGANv2Generator
from mmpe.models.singan.generator import SinGANMSGeneratorPE
from mmpe.models.stylegan2.generator import StyleGAN2Generator
from .subject import BATCH, Subject, of_singan, of_stylegan2, vectors

__all__ = ['ARCHITECTURES', 'untrained']

_STYLES = 64
_SPE = dict(type='SPE', embedding_dim=8)
_SPE_OF_SINGAN = dict(type='SPE', embedding_dim=4)
_CSG = dict(type='CSG')


def _singan(size: int,
            positional_encoding: Optional[Dict[str, Any]] = None) -> Subject:
    sizes = [size // 2, size]
    model: Any = SinGANMSGeneratorPE(
        3, 3, len(sizes) - 1, positional_encoding=positional_encoding)
    shapes = [(3, side, side) for side in sizes]
    if positional_encoding:
        shapes[0] = (model.head_position_encode.num_channels,
                     *shapes[0][1:])
    return of_singan(model, shapes, [1.] + [0.1] * (len(sizes) - 1))


def _mspie(size: int, head: Optional[Dict[str, Any]]) -> Subject:
    return of_stylegan2(
        MSStyleGANv2Generator(
            size, _STYLES, num_mlps=2, width=1 / 16, head_pos_encoding=head))


def _stylegan2(size: int) -> Subject:
    return of_stylegan2(
        StyleGAN2Generator(size, _STYLES, num_mlps=2, width=1 / 16))


def _dcgan(size: int) -> Subject:
    from mmagic.models.editors.dcgan import DCGANGenerator
    model = DCGANGenerator(size, base_channels=128)
    return Subject(model, vectors(model.noise_size), margin=4)


def _pggan(size: int) -> Subject:
    from mmagic.models.editors.pggan import PGGANGenerator
    with DefaultScope.overwrite_default_scope('mmagic'):
        model = PGGANGenerator(
            _STYLES, size, base_channels=1024, max_channels=32)
    return Subject(model, vectors(model.noise_size), margin=5)


# Make a subject with random weights, given the size of the image.
ARCHITECTURES: Dict[str, Callable[[int], Subject]] = {
    'dcgan': _dcgan,
    'pggan': _pggan,
    'stylegan2': _stylegan2,
    'mspie-csg': lambda size: _mspie(size, _CSG),
    'mspie-spe': lambda size: _mspie(size, _SPE),
    'singan': _singan,
    'singan-csg': lambda size: _singan(size, _CSG),
    'singan-spe': lambda size: _singan(size, _SPE_OF_SINGAN),
}


def untrained(name: str, size: int, seed: int) -> Subject:
    """A small network with random weights.

    Statistics of batch normalisation come from a few batches of latents.

    Args:
        name: Key of :data:`ARCHITECTURES`.
        size: Height and width of the image, a power of 2, at least 32.
        seed: Seed of the weights.

    Raises:
        ValueError: The architecture is unknown, or the size is invalid.
    """
    if name not in ARCHITECTURES:
        raise ValueError('Argument `name` must be one of '
                         f'{list(ARCHITECTURES)}, but got {name!r}.')
    if size < 32 or size & (size - 1):
        raise ValueError('Argument `size` must be a power of 2 and at least '
                         f'32, but got {size}.')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        subject = ARCHITECTURES[name](size)
    _calibrate(subject, seed)
    return subject


def _calibrate(subject: Subject, seed: int) -> None:
    """Compute the running statistics of batch normalisations."""
    norms = [x for x in subject.model.modules() if isinstance(x, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    subject.model.train()
    for norm in norms:
        norm.momentum = None  # the mean of all batches
    subject.run(4 * BATCH, seed)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    subject.model.eval()
