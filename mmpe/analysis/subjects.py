"""Networks to look at, and how they are sampled."""
import contextlib
import importlib
from copy import deepcopy
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpe.checkpoint import read_checkpoint
from mmpe.models import ContextSinGAN, SinGAN, StyleGAN2
from mmpe.models.mspie.generator import MSStyleGANv2Generator
from mmpe.models.singan.generator import (SinGANMSGeneratorPE,
                                          SinGANMultiScaleGenerator)
from mmpe.models.stylegan2.base_generator import BaseStyleGenerator
from mmpe.models.stylegan2.generator import StyleGAN2Generator
from mmpe.registry import MODELS, build_from
from mmpe.weights import Weights
from .cues import change_cues
from .padding import pad_with

__all__ = [
    'ARCHITECTURES', 'Subject', 'from_checkpoint', 'from_factory', 'untrained'
]

Arguments = Tuple[tuple, dict]
_BATCH = 16
_MARGINS = (4, 8, 16, 32, 64)
_STYLES = 64
_SPE = dict(type='SPE', embedding_dim=8)
_SPE_OF_SINGAN = dict(type='SPE', embedding_dim=4)
_CSG = dict(type='CSG')


class Subject(NamedTuple):
    """A network and a function that draws what it is called with.

    Attributes:
        model: Any network, in evaluation mode.
        draw: From a number of latents and a ``torch.Generator`` to positional
            and keyword arguments of the network.
        margin: Cells beyond the border of the smallest input, or of the first
            map, that an output may see.
        first_map: As for :func:`mmpe.analysis.padding.change_inputs`.
    """

    model: nn.Module
    draw: Callable[[int, torch.Generator], Arguments]
    margin: int
    first_map: Optional[str] = None

    def run(self, num: int, seed: int, **options) -> Tensor:
        """Sample the network; the same latents for the same seed.

        Args:
            num: Number of latents.
            seed: Their seed.
            options: Keyword arguments of the network that replace those
                drawn.

        Returns:
            What the network returns, of all latents.
        """
        generator = torch.Generator().manual_seed(seed)
        outputs = []
        with torch.no_grad():
            for start in range(0, num, _BATCH):
                args, kwargs = self.draw(min(_BATCH, num - start), generator)
                outputs.append(self.model(*args, **{**kwargs, **options}))
        return torch.cat(outputs)


def _vectors(channels: int, **kwargs) -> Callable:
    """Draws latents (N, channels) without places."""

    def draw(num: int, generator: torch.Generator) -> Arguments:
        return (torch.randn(num, channels, generator=generator), ), kwargs

    return draw


def _of_stylegan2(model: BaseStyleGenerator) -> Subject:
    # A noise of zeros, the mean of all: places are what is looked for.
    noise = [torch.zeros(1, 1, 1, 1)] * model.num_injected_noises
    return Subject(
        model, _vectors(model.noise_size, injected_noise=noise), margin=6)


def _of_singan(model: SinGANMultiScaleGenerator, shapes: list,
               weights: list) -> Subject:

    def draw(num: int, generator: torch.Generator) -> Arguments:
        noises = [
            torch.randn(num, *shape, generator=generator) for shape in shapes
        ]
        return (None, noises, weights), dict(
            rand_mode='recon',
            curr_scale=len(shapes) - 1,
            num_batches=num)

    # Each scale sees `pad_head` cells, and is half as large as the next.
    return Subject(model, draw, margin=2 * model.pad_head)


def _singan(size: int, positional_encoding: Optional[dict] = None) -> Subject:
    sizes = [size // 2, size]
    model = SinGANMSGeneratorPE(
        3, 3, len(sizes) - 1, positional_encoding=positional_encoding)
    shapes = [(3, side, side) for side in sizes]
    if positional_encoding:
        shapes[0] = (model.head_position_encode.num_channels,
                     *shapes[0][1:])
    return _of_singan(model, shapes, [1.] + [0.1] * (len(sizes) - 1))


def _mspie(size: int, head: Optional[dict]) -> Subject:
    return _of_stylegan2(
        MSStyleGANv2Generator(
            size, _STYLES, num_mlps=2, width=1 / 16, head_pos_encoding=head))


def _stylegan2(size: int) -> Subject:
    return _of_stylegan2(
        StyleGAN2Generator(size, _STYLES, num_mlps=2, width=1 / 16))


def _dcgan(size: int) -> Subject:
    from mmagic.models.editors.dcgan import DCGANGenerator
    model = DCGANGenerator(size, base_channels=128)
    return Subject(model, _vectors(model.noise_size), margin=4)


def _pggan(size: int) -> Subject:
    from mmagic.models.editors.pggan import PGGANGenerator
    with DefaultScope.overwrite_default_scope('mmagic'):
        model = PGGANGenerator(
            _STYLES, size, base_channels=1024, max_channels=32)
    return Subject(model, _vectors(model.noise_size), margin=5)


# By name, from the size of the image to a subject with random weights.
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
    """A small network of random weights.

    The statistics of batch normalisation are those of some of its latents.

    Args:
        name: One of :data:`ARCHITECTURES`.
        size: Height and width of the image, a power of 2 from 32.
        seed: Seed of the weights.

    Raises:
        ValueError: There is no such architecture, or the size is none.
    """
    if name not in ARCHITECTURES:
        raise ValueError('Argument `name` must be one of '
                         f'{list(ARCHITECTURES)}, but got {name!r}.')
    if size < 32 or size & (size - 1):
        raise ValueError('Argument `size` must be a power of 2 from 32, but '
                         f'got {size}.')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        subject = ARCHITECTURES[name](size)
    _calibrate(subject, seed)
    return subject


def _calibrate(subject: Subject, seed: int) -> None:
    """Give batch normalisations their running statistics."""
    norms = [x for x in subject.model.modules() if isinstance(x, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    subject.model.train()
    for norm in norms:
        norm.momentum = None  # the mean of all batches
    subject.run(4 * _BATCH, seed)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    subject.model.eval()


def from_factory(path: str) -> Subject:
    """Somebody's own network.

    Args:
        path: 'module:factory'. The factory takes no arguments and returns a
            network and a function ``draw(num, generator)``, which draws a
            tensor or a tuple of arguments for the network. Its margin is
            tried out, up to 64 cells. Or a :class:`Subject`.

    Raises:
        ImportError: There is no such module.
        ValueError: It has no such factory, or that returns something else.
    """
    module, _, name = path.partition(':')
    factory = getattr(importlib.import_module(module), name, None)
    if not callable(factory):
        raise ValueError('A network of your own is named `module:factory`, '
                         f'but got {path!r}.')
    made = factory()
    if isinstance(made, Subject):
        return made
    if not (isinstance(made, tuple) and len(made) == 2
            and isinstance(made[0], nn.Module) and callable(made[1])):
        raise ValueError(f'The factory {path!r} must return a network and a '
                         'function that draws its inputs, but returned '
                         f'{type(made).__name__}.')
    model, draw = made

    def arguments(num: int, generator: torch.Generator) -> Arguments:
        drawn = draw(num, generator)
        return drawn if isinstance(drawn, tuple) else (drawn, ), {}

    return _with_margin(Subject(model.eval(), arguments, margin=0))


def _with_margin(subject: Subject) -> Subject:
    """With the least margin that is enough, or else the largest of them."""
    before = None
    for margin in _MARGINS:
        with pad_with(subject.model, 'none', margin, subject.first_map), \
                contextlib.suppress(ValueError):  # no multiple of the stride
            out = subject.run(1, 0)
            if before is not None and torch.allclose(
                    out, before, atol=1e-4 * float(out.abs().max())):
                break
            before, subject = out, subject._replace(margin=margin)
    return subject


class _ContextSampler(nn.Module):
    """A ContextSinGAN whose arguments are its noises."""

    def __init__(self, model: ContextSinGAN) -> None:
        super().__init__()
        self.generator = model.generator_ema.module if model.with_ema_gen \
            else model.generator
        self._model = [model]  # whose other parts are no modules of this one

    def forward(self, *noises: Tensor) -> Tensor:
        """Random images (N, 3, H, W) of noises (N, C, h, w) of all scales."""
        return self._model[0]._generate(
            self.generator,
            list(noises),
            'recon',
            curr_scale=len(noises) - 1)


def _of_context_singan(model: ContextSinGAN) -> Subject:
    shapes = [shape[1:] for shape in model.noise_shapes()]

    def draw(num: int, generator: torch.Generator) -> Arguments:
        return tuple(
            torch.randn(num, *shape, generator=generator)
            for shape in shapes), {}

    return Subject(_ContextSampler(model).eval(), draw, margin=0)


def from_checkpoint(config: str, checkpoint: str) -> Subject:
    """A trained generator, with averaged weights where there are some.

    What it was trained without (:class:`mmpe.analysis.cues.CuesHook`) it is
    without here. A ContextSinGAN pads nothing, so that its margin is 0.

    Args:
        config: Config file of SinGAN, StyleGAN2, MS-PIE, or of MMagic's DCGAN
            or PGGAN.
        checkpoint: The checkpoint that belongs to it.

    Raises:
        FileNotFoundError: One of the files is missing.
        ValueError: The model is none of these, or the checkpoint does not
            belong to it.
    """
    cfg = Config.fromfile(config)
    settings = cfg.get('model')
    if settings is None:
        raise ValueError(f'The config {config!r} has no `model`.')
    if settings.type in ('DCGAN', 'PGGAN', 'ProgressiveGrowingGAN'):
        subject = _of_mmagic(settings, checkpoint)
    else:
        subject = _of_mmpe(settings, checkpoint)
    for hook in cfg.get('custom_hooks', []):
        if hook.type == 'CuesHook':
            cues = {k: v for k, v in hook.items() if k != 'type'}
            change_cues(subject.model, **cues)
    return subject


def _of_mmpe(settings: Any, checkpoint: str) -> Subject:
    """SinGAN, StyleGAN2 or MS-PIE."""
    weights = Weights(checkpoint)
    if settings.get('num_scales', 0) is None:
        settings.num_scales = weights.num_scales
    settings.discriminator = None
    model = build_from(MODELS, settings)
    if not isinstance(model, (SinGAN, StyleGAN2)):
        raise ValueError('Argument `config` must be one of SinGAN, StyleGAN2, '
                         f'MS-PIE, DCGAN or PGGAN, but got {settings.type}.')
    weights.load_into(model)
    model.eval()
    generator = model.generator_ema.module if model.with_ema_gen \
        else model.generator
    if isinstance(generator, BaseStyleGenerator):
        return _of_stylegan2(generator)
    if isinstance(model, ContextSinGAN):
        return _of_context_singan(model)
    shapes = [shape[1:] for shape in model.noise_shapes()]
    return _of_singan(generator, shapes, model.noise_weights)


def _of_mmagic(settings: Any, checkpoint: str) -> Subject:
    """MMagic's DCGAN or PGGAN."""
    generator = deepcopy(settings.generator)
    name = generator.type.replace('Generator', '').lower()
    importlib.import_module(f'mmagic.models.editors.{name}')
    if settings.get('noise_size'):
        generator.setdefault('noise_size', settings.noise_size)
    with DefaultScope.overwrite_default_scope('mmagic'):
        model = build_from(MODELS, generator)
    state = read_checkpoint(checkpoint)
    state = state.get('state_dict', state)
    for prefix in ('generator_ema.module.', 'generator_ema.', 'generator.'):
        part = {key[len(prefix):]: value for key, value in state.items()
                if key.startswith(prefix)}
        if part:
            break
    try:
        model.load_state_dict(part)
    except RuntimeError as error:
        raise ValueError(f'The checkpoint {checkpoint!r} belongs to another '
                         f'config: {str(error).splitlines()[1].strip()}'
                         ) from None
    return Subject(model.eval(), _vectors(model.noise_size), margin=5)
