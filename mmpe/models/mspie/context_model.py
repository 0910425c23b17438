"""MS-PIE with scale consistency: a latent is one picture at every size."""
from typing import Dict

import torch
from torch import Tensor

from mmpe.functional.grids import region_grid
from mmpe.functional.resample import resample_area, resize_images
from mmpe.registry import MODELS
from .model import MSPIEStyleGAN2
from .scales import WHOLE_PICTURE, RegionSampler, Size, other_scale

__all__ = ['ContextMSPIEStyleGAN2']


@MODELS.register_module()
class ContextMSPIEStyleGAN2(MSPIEStyleGAN2):
    """Multi-scale training on whole pictures and parts of larger ones.

    After Ntavelis et al., "Arbitrary-Scale Image Synthesis" (CVPR 2022). In
    some iterations both networks see a part of the picture at the largest
    scale, so that the generator learns finer grids than any of its scales
    without drawing a whole one. Deviation: Ntavelis et al. let a
    discriminator judge pairs of sizes; here the images of one latent at two
    scales are compared directly.

    The generator is a :class:`MSContextStyleGANv2Generator`. Real images
    should be at least as large as the largest scale divided by
    ``smallest_region``.

    Args:
        args: As for :class:`MSPIEStyleGAN2`.
        region_probability: Fraction of iterations that show a part of the
            picture.
        smallest_region: Smallest side of a part, as a fraction of the
            picture's; sides are uniform between this and 1.
        consistency_weight: Weight of the mean absolute difference between the
            images of a latent at two scales, resized to the smaller one.
        consistency_interval: Updates of the generator between two such
            comparisons; the weight is multiplied by it.
        show_places: Tell the discriminator where each pixel lies in the
            picture, in two channels after those of the image (its
            ``img_channels`` is 5).
        kwargs: As for :class:`MSPIEStyleGAN2`.

    Raises:
        ValueError: An argument is out of its range.
    """

    def __init__(self,
                 *args,
                 region_probability: float = 0.25,
                 smallest_region: float = 2 / 3,
                 consistency_weight: float = 5.,
                 consistency_interval: int = 4,
                 show_places: bool = False,
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not (isinstance(consistency_interval, int)
                and consistency_interval > 0):
            raise ValueError('Argument `consistency_interval` must be a '
                             'positive integer, but got '
                             f'{consistency_interval!r}.')
        channels = getattr(self.discriminator, 'img_channels', None)
        if channels not in (None, 5 if show_places else 3):
            raise ValueError(
                'Argument `img_channels` of the discriminator must be 5 with '
                f'`show_places` and 3 without it, but got {channels}.')
        self.region_sampler = RegionSampler(region_probability,
                                            smallest_region,
                                            self.scale_sampler.seed)
        self.consistency_weight = consistency_weight
        self.consistency_interval = consistency_interval
        self.show_places = show_places

    def kwargs_for_size(self, size: Size) -> dict:
        """Arguments of the generator for any size (H, W) of the image."""
        return dict(size=tuple(size))

    def sample_kwargs(self, iteration: int) -> dict:
        """Scale and region of an iteration."""
        region = self.region_sampler.at(iteration)
        if region is None:
            return super().sample_kwargs(iteration)
        return dict(chosen_scale=max(self.multi_input_scales), region=region)

    def match_reals(self, images: Tensor, sample_kwargs: dict) -> Tensor:
        """Crop real images (N, C, H, W) to the region, at the scale.

        They are first resized to the largest scale, as in the other models.
        """
        images = resample_area(images,
                               self.size_of(max(self.multi_input_scales)),
                               sample_kwargs.get('region', WHOLE_PICTURE))
        return super().match_reals(images, sample_kwargs)

    def shown(self, images: Tensor, iteration: int) -> Tensor:
        """What the discriminator sees of images (N, 3, H, W).

        Returns:
            (N, 3, H, W), or with ``show_places`` (N, 5, H, W), whose last
            two channels are y and x of the pixels' centres, from -1 to 1
            over the whole picture.
        """
        images = super().shown(images, iteration)
        if not self.show_places:
            return images
        region = self.region_sampler.at(iteration) or WHOLE_PICTURE
        # Two positions along a side, from -0.5 to 1.5.
        places = region_grid(
            images.shape[-2:], region, 2, device=images.device) - 0.5
        return torch.cat([images, places.expand(len(images), -1, -1, -1)], 1)

    def lazy_losses(self, num: int, iteration: int) -> Dict[str, Tensor]:
        """Path length penalty and consistency loss, when they are due."""
        losses = super().lazy_losses(num, iteration)
        # Offset by one, to avoid iterations with a path length penalty where
        # the intervals allow it.
        update = self.gen_update(iteration) + 1
        if self.consistency_weight and update % self.consistency_interval == 0:
            losses['loss_consistency'] = self.consistency_loss(num, iteration)
        return losses

    def consistency_loss(self, num: int, iteration: int) -> Tensor:
        """Weighted L1 distance between images of a latent at two scales.

        Args:
            num: Number of latents.
            iteration: Index of the iteration.

        Returns:
            Scalar.
        """
        kwargs = self.sample_kwargs(iteration)
        outputs = self.generator(
            None, num_batches=num, return_latents=True, **kwargs)
        kwargs['chosen_scale'] = other_scale(self.multi_input_scales,
                                             kwargs['chosen_scale'], iteration)
        images = [outputs['fake_img'], self.generator(
            outputs['latent'], input_is_latent=True, **kwargs)]
        size = min(image.shape[-2:] for image in images)
        x, y = (resize_images(image, size) for image in images)
        return (x - y).abs().mean() * (
            self.consistency_weight * self.consistency_interval)
