"""MS-PIE whose images of a latent are one picture at every size."""
from typing import Dict, Optional

from torch import Tensor

from mmpe.functional.distances import resize_images
from mmpe.functional.resample import resample_area
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
    without ever drawing all of one. Where theirs asks a discriminator whether
    two sizes belong together, the generator's images of one latent are
    compared directly.

    The generator is a :class:`MSContextStyleGANv2Generator`. Real images
    should be at least as large as the largest scale divided by
    ``smallest_region``.

    Args:
        args: As for :class:`MSPIEStyleGAN2`.
        region_probability: Part of the iterations that show parts.
        smallest_region: Shortest side of a part, as a fraction of the
            picture's; drawn uniformly between this and 1.
        consistency_weight: Weight of the mean absolute difference between the
            images of a latent at two scales, resized to the smaller one.
        consistency_interval: Updates of the generator from one such
            comparison to the next; the weight is multiplied by it.
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
                 **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if not (isinstance(consistency_interval, int)
                and consistency_interval > 0):
            raise ValueError('Argument `consistency_interval` must be a '
                             'positive integer, but got '
                             f'{consistency_interval!r}.')
        self.region_sampler = RegionSampler(region_probability,
                                            smallest_region,
                                            self.scale_sampler.seed)
        self.consistency_weight = consistency_weight
        self.consistency_interval = consistency_interval

    def kwargs_for_size(self, size: Size) -> dict:
        """Arguments with which the generator draws a size (H, W), any one."""
        return dict(size=tuple(size))

    def sample_kwargs(self, iteration: int) -> dict:
        """The scale and the part of the picture of an iteration."""
        region = self.region_sampler.at(iteration)
        if region is None:
            return super().sample_kwargs(iteration)
        return dict(chosen_scale=max(self.multi_input_scales), region=region)

    def match_reals(self, images: Tensor, sample_kwargs: dict) -> Tensor:
        """The part of real images (N, C, H, W), at the scale.

        They go through the largest scale, as those of the other models do.
        """
        images = resample_area(images,
                               self.size_of(max(self.multi_input_scales)),
                               sample_kwargs.get('region', WHOLE_PICTURE))
        return super().match_reals(images, sample_kwargs)

    def gen_loss(self,
                 num: int,
                 iteration: int,
                 reals: Optional[Tensor] = None) -> Dict[str, Tensor]:
        """Losses of the generator.

        Args:
            num: Number of images.
            iteration: Which one it is; decides about the path length and the
                comparison of scales.
            reals: As for :class:`StyleGAN2`.

        Returns:
            Scalars by name.
        """
        losses = super().gen_loss(num, iteration, reals)
        update = iteration // self._iters_per_gen_update
        # Not together with the path length, where the intervals allow it.
        if self.consistency_weight and (
                update + 1) % self.consistency_interval == 0:
            losses['loss_consistency'] = self.consistency_loss(num, iteration)
        return losses

    def consistency_loss(self, num: int, iteration: int) -> Tensor:
        """Weighted difference of latents' images at two scales.

        Args:
            num: Number of latents.
            iteration: Which one it is.

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
