"""Training pairs for other generators: random layouts and their images."""
from typing import Iterator, List, NamedTuple, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .model import PatchDiffusion

__all__ = ['RandomLayout', 'TrainingPair', 'training_pairs']

Size = Tuple[int, int]
# Control points of a field per axis.
_POINTS = 4


class TrainingPair(NamedTuple):
    """An image and its inputs.

    Attributes:
        positions: Positions (2, H, W) of the pixels, y and x in pixels of the
            photograph.
        noises: Noise (1, 3, h, w) of each scale.
        image: The image, (1, 3, H, W) in about [-1, 1].
    """

    positions: Tensor
    noises: List[Tensor]
    image: Tensor


class RandomLayout:
    """A smooth random field of positions, at any scale.

    Args:
        generator: Random generator.
        shift: Standard deviation of the global shift, as a fraction of the
            short side.
        zoom: Standard deviation of the logarithms of the factors on height
            and width.
        bend: Standard deviation of the smooth displacement, as a fraction of
            the short side.
    """

    def __init__(self, generator: torch.Generator, shift: float, zoom: float,
                 bend: float) -> None:

        def random(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        self._shift = shift * random(2, 1, 1)
        self._zoom = (zoom * random(2, 1, 1)).exp()
        self._bend = bend * random(1, 2, _POINTS, _POINTS)

    def positions(self, size: Size) -> Tensor:
        """The field at a scale.

        Args:
            size: (H, W) of photograph and image at this scale.

        Returns:
            (2, H, W), y and x in pixels of this scale.
        """
        places = torch.stack(
            torch.meshgrid(
                *[torch.arange(n).float() for n in size], indexing='ij'))
        middle = (torch.tensor(size)[:, None, None] - 1) / 2
        bend = F.interpolate(
            self._bend, size, mode='bicubic', align_corners=True)[0]
        moved = (places - middle) * self._zoom + middle
        return moved + (self._shift + bend) * min(size)


def training_pairs(model: PatchDiffusion,
                   seed: int = 0,
                   shift: float = 0.1,
                   zoom: float = 0.1,
                   bend: float = 0.05) -> Iterator[TrainingPair]:
    """Generate images of random layouts endlessly.

    They can train a fast generator, from positions and noise to the image.

    Args:
        model: A model with a photograph and explicit positions.
        seed: Seed of the first pair, incremented for each further one.
        shift, zoom, bend: As for :class:`RandomLayout`.

    Yields:
        The pairs.

    Raises:
        ValueError: The model has no explicit positions.
    """
    if model.encoding is None:
        raise ValueError('Training pairs need a model with explicit positions '
                         '(CSG or SPE).')
    return _pairs(model, seed, (shift, zoom, bend))


def _pairs(model: PatchDiffusion, seed: int,
           amounts: Tuple[float, float, float]) -> Iterator[TrainingPair]:
    sizes = model.stage_sizes()
    while True:
        layout = RandomLayout(torch.Generator().manual_seed(seed), *amounts)
        fields = [layout.positions(size) for size in sizes]
        noises = [
            model.noise(seed, stage, *[range(n) for n in size])
            for stage, size in enumerate(sizes)
        ]
        told = [
            lambda rows, cols, field=field: field[:, rows.start:rows.stop, cols
                                                  .start:cols.stop]
            for field in fields
        ]
        image = model.sample(positions=told, noise=noises.__getitem__)
        yield TrainingPair(fields[-1], noises, image)
        seed += 1
