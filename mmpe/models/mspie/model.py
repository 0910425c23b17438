"""Multi-scale training of StyleGAN2 (MS-PIE; rows c to k)."""
from typing import Dict, List, Optional, Union

import torch
from mmagic.structures import DataSample
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmpe.functional.resample import resize_bilinear
from mmpe.models.stylegan2.model import StyleGAN2, current_iteration
from mmpe.registry import MODELS
from .scales import ScaleSampler, Size, chosen_scale_for, output_size

__all__ = ['MSPIEStyleGAN2']

_SETTINGS = ('num_upblocks', 'multi_input_scales', 'multi_scale_probability',
             'scale_seed', 'path_length_scale')


@MODELS.register_module()
class MSPIEStyleGAN2(StyleGAN2):
    """StyleGAN2 trained at several sizes (paper Sec. 5.1).

    One size is drawn per iteration, for D and G step and on all ranks; real
    images are resized to it.

    Args:
        args: As for :class:`StyleGAN2`.
        train_settings: ``multi_input_scales``, the numbers of extra cells;
            ``multi_scale_probability``, one for each, equal ones by default;
            ``scale_seed``, 0 by default; ``num_upblocks``, which must fit the
            generator where it is given; ``path_length_scale``, 'base' by
            default, as all released models were trained, or 'sampled' for the
            size of the iteration.
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
                f'Argument `train_settings` must have keys out of {_SETTINGS},'
                f' but got {sorted(unknown)}.')
        self.num_upblocks = self._check_upblocks(settings.get('num_upblocks'))
        self.path_length_scale = settings.get('path_length_scale', 'base')
        if self.path_length_scale not in ('base', 'sampled'):
            raise ValueError("Argument `path_length_scale` must be 'base' or "
                             f"'sampled', but got {self.path_length_scale!r}.")
        self.scale_sampler = ScaleSampler(
            settings.get('multi_input_scales', [0]),
            settings.get('multi_scale_probability'),
            settings.get('scale_seed', 0))

    def _check_upblocks(self, num_upblocks: Optional[int]) -> int:
        """How often the generator doubles a map."""
        expected = self.generator.log_size - 2
        if num_upblocks not in (None, expected):
            raise ValueError(
                f'Argument `num_upblocks` must be {expected} for a generator '
                f'of `out_size` {self.generator.out_size}, but got '
                f'{num_upblocks}.')
        return expected

    @property
    def multi_input_scales(self) -> List[int]:
        """Extra cells of its scales; evaluation reads them."""
        return self.scale_sampler.scales

    def size_of(self, chosen_scale: Union[int, Size]) -> Size:
        """Height and width of its images at a scale."""
        return output_size(chosen_scale, self.num_upblocks)

    def kwargs_for_size(self, size: Size) -> dict:
        """Arguments with which the generator draws a size (H, W).

        Raises:
            ValueError: It cannot make this size; names the nearest one.
        """
        return dict(chosen_scale=chosen_scale_for(size, self.num_upblocks))

    def sample_kwargs(self, iteration: int) -> dict:
        """The scale of an iteration."""
        return dict(chosen_scale=self.scale_sampler.at(iteration))

    def path_length_kwargs(self, iteration: int) -> dict:
        """The scale of the path length penalty: the base one, or as drawn."""
        if self.path_length_scale == 'base':
            return {}
        return self.sample_kwargs(iteration)

    def match_reals(self, images: Tensor, sample_kwargs: dict) -> Tensor:
        """Real images (N, C, H, W), resized to the scale."""
        return resize_bilinear(
            images, output_size(sample_kwargs['chosen_scale'],
                                self.num_upblocks))

    def train_discriminator(self, inputs: dict, data_samples: DataSample,
                            optimizer_wrapper: OptimWrapper
                            ) -> Dict[str, Tensor]:
        """One update of the discriminator; also logs the scale.

        Args:
            inputs: Not used.
            data_samples: Stacked samples, with real images in ``gt_img``.
            optimizer_wrapper: The discriminator's optimiser.

        Returns:
            Scalars to log.
        """
        log_vars = super().train_discriminator(inputs, data_samples,
                                               optimizer_wrapper)
        scale = self.scale_sampler.at(current_iteration())
        log_vars['scale'] = torch.tensor(float(scale))
        return log_vars
