"""A network to analyse, and how its inputs are drawn."""
from typing import Any, Callable, NamedTuple, Optional, Sequence

import torch
from torch import Tensor, nn

from mmpe.models.singan.generator import SinGANMultiScaleGenerator
from mmpe.models.stylegan2.base_generator import BaseStyleGenerator
from .inputs import Arguments

__all__ = ['BATCH', 'Subject', 'of_singan', 'of_stylegan2', 'vectors']

Draw = Callable[[int, torch.Generator], Arguments]
# Latents that run at a time.
BATCH = 16


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
            for start in range(0, num, BATCH):
                args, kwargs = self.draw(min(BATCH, num - start), generator)
                outputs.append(self.model(*args, **{**kwargs, **options}))
        return torch.cat(outputs)


def vectors(channels: int, **kwargs: Any) -> Draw:
    """Make a function that draws latents (N, channels).

    Args:
        channels: Number of channels.
        kwargs: Keyword arguments of the network, the same for all latents.
    """

    def draw(num: int, generator: torch.Generator) -> Arguments:
        return (torch.randn(num, channels, generator=generator), ), kwargs

    return draw


def of_stylegan2(model: BaseStyleGenerator) -> Subject:
    """Subject of a generator of StyleGAN2 or MS-PIE."""
    # Noise is set to zero, its mean, as it hides the dependence on position.
    noise = [torch.zeros(1, 1, 1, 1)] * model.num_injected_noises
    return Subject(
        model, vectors(model.noise_size, injected_noise=noise), margin=6)


def of_singan(model: SinGANMultiScaleGenerator,
              shapes: Sequence[Sequence[int]],
              weights: Sequence[float]) -> Subject:
    """Subject of a SinGAN's generator.

    Args:
        model: The generator.
        shapes: Shape (C, H, W) of the noise at each scale.
        weights: Standard deviation of the noise at each scale.
    """

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
