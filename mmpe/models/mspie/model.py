"""Multi-scale training of StyleGAN2 (MS-PIE; rows c to k)."""
from typing import Dict, List, Optional, Union

import torch
from torch import Tensor

from mmpe.functional.resample import resize_bilinear, resize_images
from mmpe.models.stylegan2.model import StyleGAN2
from mmpe.registry import MODELS
from .scales import ScaleSampler, Size, chosen_scale_for, output_size

__all__ = ['MSPIEStyleGAN2']

_SETTINGS = ('num_upblocks', 'multi_input_scales', 'multi_scale_probability',
             'scale_seed', 'path_length_scale', 'antialias')


@MODELS.register_module()
class MSPIEStyleGAN2(StyleGAN2):
    """StyleGAN2 with multi-scale training, MS-PIE (paper Sec. 5.1).

    Each iteration draws one scale, for both steps and on all ranks, and
    resizes the real images to it.

    Args:
        args: As for :class:`StyleGAN2`.
        train_settings: ``multi_input_scales``: numbers of extra cells;
            ``multi_scale_probability``: one per scale, uniform by default;
            ``scale_seed``: 0 by default; ``num_upblocks``: checked against
            the generator if given; ``path_length_scale``: scale of the path
            length penalty, 'base' (default; as trained in all released
            models) or 'sampled', that of the iteration; ``antialias``: filter
            real images before they shrink, as in evaluation (False by
            default, as trained in all released models).
        kwargs: As for :class:`StyleGAN2`.

    Raises:
        ValueError: ``train_settings`` has an unknown key or an invalid value.
    """

    def __init__(self,
                 *args,
                 train_settings: Optional[dict] = None,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        settings = dict(train_settings or {})
        unknown = set(settings) - set(_SETTINGS)
        if unknown:
            raise ValueError(
                f'Argument `train_settings` must have keys from {_SETTINGS}, '
                f'but got {sorted(unknown)}.')
        self.num_upblocks = self._check_upblocks(settings.get('num_upblocks'))
        self.path_length_scale = settings.get('path_length_scale', 'base')
        if self.path_length_scale not in ('base', 'sampled'):
            raise ValueError("Argument `path_length_scale` must be 'base' or "
                             f"'sampled', but got {self.path_length_scale!r}.")
        self.antialias = settings.get('antialias', False)
        self.scale_sampler = ScaleSampler(
            settings.get('multi_input_scales', [0]),
            settings.get('multi_scale_probability'),
            settings.get('scale_seed', 0))

    def _check_upblocks(self, num_upblocks: Optional[int]) -> int:
        """Number of times the generator doubles a map."""
        expected = self.generator.log_size - 2
        if num_upblocks not in (None, expected):
            raise ValueError(
                f'Argument `num_upblocks` must be {expected} for a generator '
                f'of `out_size` {self.generator.out_size}, but got '
                f'{num_upblocks}.')
        return expected

    @property
    def multi_input_scales(self) -> List[int]:
        """Extra cells of each scale, which evaluation reads."""
        return self.scale_sampler.scales

    def size_of(self, chosen_scale: Union[int, Size]) -> Size:
        """Height and width of the images at a scale."""
        return output_size(chosen_scale, self.num_upblocks)

    def kwargs_for_size(self, size: Size) -> dict:
        """Arguments of the generator for a size (H, W) of the image.

        Raises:
            ValueError: The generator has no such size; names the nearest one.
        """
        return dict(chosen_scale=chosen_scale_for(size, self.num_upblocks))

    def sample_kwargs(self, iteration: int) -> dict:
        """Scale of an iteration."""
        return dict(chosen_scale=self.scale_sampler.at(iteration))

    def path_length_kwargs(self, iteration: int) -> dict:
        """Scale of the path length penalty.

        As trained: the public code never passes it the sampled scale.
        """
        if self.path_length_scale == 'base':
            return {}
        return self.sample_kwargs(iteration)

    def match_reals(self, images: Tensor, sample_kwargs: dict) -> Tensor:
        """Resize real images (N, C, H, W) to the scale.

        By default as trained: bilinear, aligned corners, no filter.
        """
        resize = resize_images if self.antialias else resize_bilinear
        return resize(images, self.size_of(sample_kwargs['chosen_scale']))

    def more_to_log(self, iteration: int) -> Dict[str, Tensor]:
        """The scale, as a number of extra cells."""
        return dict(
            scale=torch.tensor(float(self.scale_sampler.at(iteration))))
