"""Networks to analyse, and how to sample them."""
import contextlib
import importlib
from copy import deepcopy
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, cast

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
from .padding import Arguments, pad_with

__all__ = [
    'ARCHITECTURES', 'Subject', 'from_checkpoint', 'from_factory', 'untrained'
]

Draw = Callable[[int, torch.Generator], Arguments]
_BATCH = 16
_MARGINS = (4, 8, 16, 32, 64)
_STYLES = 64
_SPE = dict(type='SPE', embedding_dim=8)
_SPE_OF_SINGAN = dict(type='SPE', embedding_dim=4)
_CSG = dict(type='CSG')


class Subject(NamedTuple):
    """A network and a function that draws its inputs.

    Attributes:
        model: Any network, in evaluation mode.
        draw: Returns positional and keyword arguments of the network, given a
            number of latents and a ``torch.Generator``.
        margin: Number of cells beyond the border of the smallest input, or of
            the first map, on which an output can depend.
        first_map: As for :func:`mmpe.analysis.padding.change_inputs`.
    """

    model: nn.Module
    draw: Draw
    margin: int
    first_map: Optional[str] = None

    def run(self, num: int, seed: int, **options: Any) -> Tensor:
        """Sample the network; a seed always gives the same latents.

        Args:
            num: Number of latents.
            seed: Seed of the latents.
            options: Keyword arguments that override the drawn ones.

        Returns:
            Outputs of the network for all latents.
        """
        generator = torch.Generator().manual_seed(seed)
        outputs = []
        with torch.no_grad():
            for start in range(0, num, _BATCH):
                args, kwargs = self.draw(min(_BATCH, num - start), generator)
                outputs.append(self.model(*args, **{**kwargs, **options}))
        return torch.cat(outputs)


def _vectors(channels: int, **kwargs: Any) -> Draw:
    """Make a function that draws latents (N, channels)."""

    def draw(num: int, generator: torch.Generator) -> Arguments:
        return (torch.randn(num, channels, generator=generator), ), kwargs

    return draw


def _of_stylegan2(model: BaseStyleGenerator) -> Subject:
    # Noise is set to zero, its mean, as it hides the dependence on position.
    noise = [torch.zeros(1, 1, 1, 1)] * model.num_injected_noises
    return Subject(
        model, _vectors(model.noise_size, injected_noise=noise), margin=6)


def _of_singan(model: SinGANMultiScaleGenerator,
               shapes: Sequence[Sequence[int]],
               weights: Sequence[float]) -> Subject:

    def draw(num: int, generator: torch.Generator) -> Arguments:
        noises = [
            torch.randn(num, *shape, generator=generator) for shape in shapes
        ]
        return (None, noises, weights), dict(
            rand_mode='recon',
            curr_scale=len(shapes) - 1,
            num_batches=num)

    # Each scale reads `pad_head` cells, and sizes double at most.
    return Subject(model, draw, margin=2 * model.pad_head)


def _singan(size: int,
            positional_encoding: Optional[Dict[str, Any]] = None) -> Subject:
    sizes = [size // 2, size]
    model: Any = SinGANMSGeneratorPE(
        3, 3, len(sizes) - 1, positional_encoding=positional_encoding)
    shapes = [(3, side, side) for side in sizes]
    if positional_encoding:
        shapes[0] = (model.head_position_encode.num_channels,
                     *shapes[0][1:])
    return _of_singan(model, shapes, [1.] + [0.1] * (len(sizes) - 1))


def _mspie(size: int, head: Optional[Dict[str, Any]]) -> Subject:
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
    subject.run(4 * _BATCH, seed)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    subject.model.eval()


def from_factory(path: str) -> Subject:
    """A user's own network.

    Args:
        path: 'module:factory'. The factory takes no arguments and returns a
            :class:`Subject`, or a network and a function
            ``draw(num, generator)`` that draws a tensor or a tuple of
            arguments for it; the margin is then found by trial, up to 64
            cells.

    Raises:
        ImportError: The module does not exist.
        ValueError: The factory does not exist or returns something else.
    """
    module, _, name = path.partition(':')
    factory = getattr(importlib.import_module(module), name, None)
    if not callable(factory):
        raise ValueError('A network of your own must be given as '
                         f'`module:factory`, but got {path!r}.')
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
    """Set the smallest sufficient margin, or else the largest one."""
    before = None
    for margin in _MARGINS:
        with pad_with(subject.model, 'none', margin, subject.first_map), \
                contextlib.suppress(ValueError):  # not a multiple of a stride
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
        self._model = [model]  # in a list, to keep it out of the submodules

    def forward(self, *noises: Tensor) -> Tensor:
        """Images (N, 3, H, W) from noises (N, C, h, w) of all scales."""
        images = self._model[0]._generate(
            self.generator,
            list(noises),
            'recon',
            curr_scale=len(noises) - 1)
        return cast(Tensor, images)


def _of_context_singan(model: ContextSinGAN) -> Subject:
    shapes = [shape[1:] for shape in model.noise_shapes()]

    def draw(num: int, generator: torch.Generator) -> Arguments:
        return tuple(
            torch.randn(num, *shape, generator=generator)
            for shape in shapes), {}

    return Subject(_ContextSampler(model).eval(), draw, margin=0)


def from_checkpoint(config: str, checkpoint: str) -> Subject:
    """A trained generator, with averaged weights if there are any.

    Changes of spatial cues in training (:class:`mmpe.analysis.cues.CuesHook`)
    are applied here, too. A ContextSinGAN has no padding, and a margin of 0.

    Args:
        config: Config file of SinGAN, StyleGAN2, MS-PIE, or MMagic's DCGAN or
            PGGAN.
        checkpoint: Checkpoint of this config.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The model is not supported, or the checkpoint does not
            belong to the config.
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
    """Subject of SinGAN, StyleGAN2 or MS-PIE."""
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
    """Subject of MMagic's DCGAN or PGGAN."""
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
