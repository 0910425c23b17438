"""Differentiable augmentation of the discriminator's inputs."""
from typing import Sequence

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmpe.functional.augmentation import adjust_colour, cut_out, translate
from mmpe.registry import MODELS

__all__ = ['AdaptiveAugmentation', 'Augmentation']

_TRANSFORMS = ('translation', 'colour', 'cutout')
# Strengths of DiffAugment: largest shift and side of the hole, as fractions
# of the image's sides,
_SHIFT, _HOLE = 1 / 8, 1 / 2
# and largest changes of brightness (in [-1, 1]), saturation and contrast.
_BRIGHTNESS, _SATURATION, _CONTRAST = 0.5, 1., 0.5


@MODELS.register_module()
class Augmentation(nn.Module):
    """Differentiable transforms with a fixed probability.

    Real and generated images go through the same transforms in the steps of
    both networks (Zhao et al., "Differentiable Augmentation for
    Data-Efficient GAN Training", NeurIPS 2020): a translation by up to an
    eighth of each side; brightness, saturation and contrast; and a hole of
    half of each side. Transforms are drawn independently for each image.

    Args:
        probability: Probability of each transform, per image.
        transforms: Any of 'translation', 'colour' and 'cutout'.

    Raises:
        ValueError: An argument is out of its range.
    """

    probability: Tensor

    def __init__(self,
                 probability: float = 1.,
                 transforms: Sequence[str] = _TRANSFORMS) -> None:
        super().__init__()
        _check_numbers(0, 1, probability=probability)
        if not transforms or not set(transforms) <= set(_TRANSFORMS):
            raise ValueError('Argument `transforms` must be a subset of '
                             f'{_TRANSFORMS}, but got {transforms}.')
        self.transforms = tuple(transforms)
        self.register_buffer('probability', torch.tensor(float(probability)))

    def forward(self, images: Tensor) -> Tensor:
        """Augment images.

        Args:
            images: (N, C, H, W) in [-1, 1].

        Returns:
            (N, C, H, W), not clamped.
        """
        # Which transforms, shifts, colours and centres of holes.
        draws = torch.rand(
            len(images), 3 + 2 + 3 + 2, device=images.device)
        chosen = draws[:, :3] < self.probability  # [N, 3]
        # In [-1, 1), and zero where the transform is not chosen.
        shifts = (2 * draws[:, 3:5] - 1) * chosen[:, :1]  # [N, 2]
        colours = ((2 * draws[:, 5:8] - 1) * chosen[:, 1:2]).to(images.dtype)
        if 'translation' in self.transforms:
            shifts = torch.stack([
                (shift * size * _SHIFT).round().long()
                for shift, size in zip(shifts.unbind(1), images.shape[-2:])
            ], 1)
            images = translate(images, shifts)
        if 'colour' in self.transforms:
            images = adjust_colour(images, _BRIGHTNESS * colours[:, 0],
                                   _SATURATION * colours[:, 1],
                                   _CONTRAST * colours[:, 2])
        if 'cutout' in self.transforms:
            images = cut_out(images, draws[:, 8:10], _HOLE * chosen[:, 2])
        return images

    def observe(self, real_scores: Tensor, iteration: int) -> None:
        """Adapt to the discriminator; a no-op here.

        Args:
            real_scores: Scores (N, 1) of augmented real images.
            iteration: Index of the iteration.
        """


@MODELS.register_module()
class AdaptiveAugmentation(Augmentation):
    r"""Augmentation whose probability follows the discriminator (ADA).

    The overfitting heuristic of Karras et al., "Training Generative
    Adversarial Networks with Limited Data" (NeurIPS 2020),

    .. math:: r_t = E[\mathrm{sign}(D(x_{real}))],

    is near 0 while the discriminator cannot tell real from generated images
    and near 1 when it has memorised the real ones. The probability rises
    while :math:`r_t` is above ``target``, and falls otherwise. It is the same
    on all ranks and saved in checkpoints.

    Args:
        target: Target of :math:`r_t`.
        num_images: Number of real images, over all ranks, in which the
            probability can rise from 0 to 1.
        interval: Discriminator updates between two adjustments.
        max_probability: Upper limit of the probability.
        probability: Initial probability.
        transforms: As for :class:`Augmentation`.

    Raises:
        ValueError: An argument is out of its range.
    """

    signs: Tensor

    def __init__(self,
                 target: float = 0.6,
                 num_images: int = 500_000,
                 interval: int = 4,
                 max_probability: float = 0.8,
                 probability: float = 0.,
                 transforms: Sequence[str] = _TRANSFORMS) -> None:
        super().__init__(probability, transforms)
        _check_numbers(-1, 1, target=target)
        _check_numbers(probability, 1, max_probability=max_probability)
        for name, value in dict(
                num_images=num_images, interval=interval).items():
            if not (isinstance(value, int) and value > 0):
                raise ValueError(f'Argument `{name}` must be a positive '
                                 f'integer, but got {value!r}.')
        self.target = target
        self.num_images = num_images
        self.interval = interval
        self.max_probability = max_probability
        # Sum and number of signs since the last adjustment.
        self.register_buffer('signs', torch.zeros(2))

    @torch.no_grad()
    def observe(self, real_scores: Tensor, iteration: int) -> None:
        """Count signs; adjust the probability every ``interval`` updates.

        Args:
            real_scores: Scores (N, 1) of augmented real images; with the
                relativistic loss, their margins over the fake scores.
            iteration: Index of the iteration.
        """
        signs = real_scores.detach().float().sign()
        counts = torch.stack([signs.sum(), torch.ones_like(signs).sum()])
        # Reduced in every iteration, as a checkpoint holds one rank's counts.
        all_reduce(counts)
        self.signs += counts
        if (iteration + 1) % self.interval:
            return
        # p <- p + sign(r_t - target) n / num_images, with n images since the
        # last adjustment.
        total, num = self.signs
        step = (total / num - self.target).sign() * num / self.num_images
        self.probability.add_(step).clamp_(0, self.max_probability)
        self.signs.zero_()


def _check_numbers(least: float, most: float, **values) -> None:
    for name, value in values.items():
        if not (isinstance(value, (int, float)) and least <= value <= most):
            raise ValueError(f'Argument `{name}` must be a number from '
                             f'{least} to {most}, but got {value!r}.')
