"""Networks to analyse: trained ones, and a user's own."""
import contextlib
import importlib
from copy import deepcopy
from typing import Any, cast

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmpe.checkpoint import read_checkpoint
from mmpe.models import ContextSinGAN, SinGAN, StyleGAN2
from mmpe.models.stylegan2.base_generator import BaseStyleGenerator
from mmpe.registry import MODELS, build_from
from mmpe.weights import Weights
from .cues import change_cues
from .inputs import Arguments
from .padding import pad_with
from .subject import Subject, of_singan, of_stylegan2, vectors
from .untrained import ARCHITECTURES, untrained

__all__ = [
    'ARCHITECTURES', 'Subject', 'from_checkpoint', 'from_factory', 'untrained'
]

# Margins to try, in cells.
_MARGINS = (4, 8, 16, 32, 64)


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
        return of_stylegan2(generator)
    if isinstance(model, ContextSinGAN):
        return _of_context_singan(model)
    shapes = [shape[1:] for shape in model.noise_shapes()]
    return of_singan(generator, shapes, model.noise_weights)


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
    return Subject(model.eval(), vectors(model.noise_size), margin=5)
