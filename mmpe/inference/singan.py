"""Sampling from a trained SinGAN."""
from typing import Any, List, Optional, Sequence, Tuple, cast

import mmcv
import numpy as np
import torch
from torch import Tensor

from mmpe.functional.noise import coordinate_noise
from mmpe.functional.pyramid import resized_pyramid
from mmpe.functional.upsample import upsample
from mmpe.models import SinGAN
from mmpe.utils.images import to_rgb
from .inputs import check_rgb
from .layout import LayoutEdit, PositionMap
from .photograph import PhotographSampler
from .singan_tiles import singan_scales
from .tiling import Scales

__all__ = ['SinGANSampler']

Size = Tuple[int, int]
Shape = Tuple[int, int, int, int]


class SinGANSampler(PhotographSampler):
    """A trained SinGAN.

    Args:
        model: The model, in evaluation mode.
    """

    model: SinGAN

    @property
    def last_scale(self) -> int:
        """Index of the finest scale."""
        return self.model.curr_stage

    @property
    def has_positions(self) -> bool:
        """Whether the model has explicit positions."""
        return self.model.generator.head_position_encode is not None

    @property
    def photograph(self) -> Optional[np.ndarray]:
        """The training image, or None if the checkpoint does not hold it."""
        if not self.model.reals:
            return None
        return self._image(self.model.reals[self.last_scale])

    def check_size(self, size: Optional[Size]) -> None:
        """See :meth:`.PhotographSampler.check_size`."""
        self.model.noise_shapes(size)

    def reconstruct(self) -> np.ndarray:
        """Reconstruction of the training image."""
        return self._image(self._run(mode='recon'))

    def _sample(self, seeds: Sequence[int], size: Optional[Size],
                start_scale: int, growth: Optional[str]) -> List[np.ndarray]:
        positions = self.position_map(size, growth)
        return self._images(
            self._noises(self.model.noise_shapes(size), seeds),
            start_scale=start_scale,
            positions=None if positions is None else positions.whole())

    def _scales(self, size: Optional[Size], seed: int, start_scale: int,
                growth: Optional[str]) -> Scales:
        return singan_scales(self.model, size or self.size, seed, start_scale,
                             self.position_map(size, growth))

    def _layout(self, edits: Sequence[LayoutEdit], size: Optional[Size],
                growth: Optional[str], seed: Optional[int]) -> np.ndarray:
        shapes = self.model.noise_shapes(size)
        positions = self._position_map(size, growth, edits).whole()
        if seed is None:
            noises = [torch.zeros(shape) for shape in shapes]
            noises[0] = self._noise_at(positions, shapes[0])
        else:
            noises = self._noises(shapes, [seed])
        return self._images(noises, positions=positions)[0]

    def position_map(self,
                     size: Optional[Size] = None,
                     growth: Optional[str] = None,
                     edits: Sequence[LayoutEdit] = ()
                     ) -> Optional[PositionMap]:
        """Positions of the cells of the first scale.

        Args:
            size, growth, edits: As for :meth:`layout`.

        Returns:
            The positions, or None without ``growth`` and ``edits``, which also
            works for models without explicit positions.

        Raises:
            ValueError: The model has no explicit positions, or see
                :class:`.PositionMap`.
        """
        if growth is None and not edits:
            return None
        return self._position_map(size, growth, edits)

    # ----------------------------------------------------------------- details
    def _position_map(self, size: Optional[Size], growth: Optional[str],
                      edits: Sequence[LayoutEdit]) -> PositionMap:
        own = self._own_growth()
        grid, border = self.model.position_grid()
        return PositionMap(
            size or self.size,
            self.model.noise_shapes(size)[0][2:],
            grid,
            growth or own,
            edits,
            border=border)

    def _own_growth(self) -> str:
        self.model.encode_positions(torch.zeros(2, 2, 2))
        return cast(str, self.model.growth)

    def _center(self) -> List[Tensor]:
        return self.model.fixed_noises

    def _noise(self, seed: int) -> List[Tensor]:
        return self._noises(self.model.noise_shapes(), [seed])

    def _frame(self, noises: List[Tensor], start_scale: int) -> np.ndarray:
        return self._images(noises, start_scale=start_scale)[0]

    def _inject(self, image: np.ndarray, start_scale: int,
                seed: Optional[int], size: Size) -> np.ndarray:
        """Insert an image at a scale, as blurred as in training."""
        sizes = self.model.pyramid_sizes[:self.last_scale + 1]
        sizes = resized_pyramid(sizes, size)
        before, now = sizes[start_scale - 1:start_scale + 1]
        # Resized like the photograph, so that the textures look the same.
        image = mmcv.imresize(mmcv.imresize(image, size[::-1]), before[::-1])
        blurred = self._upsample(self._tensor(image), now)
        return self._image(self._draw(blurred, start_scale, size, seed))

    def _enlarge(self, image: Tensor, size: Size,
                 seed: Optional[int]) -> Tensor:
        return self._draw(
            self._upsample(image, size), self.last_scale, size, seed)

    def _upsample(self, image: Tensor, size: Size) -> Tensor:
        return upsample(image, size, self.model.generator.align_corners)

    def _draw(self, image: Tensor, start_scale: int, size: Size,
              seed: Optional[int]) -> Tensor:
        """Run the scales from ``start_scale`` on, on an image of its size."""
        shapes = self.model.noise_shapes(size)
        noises = [torch.zeros(1).expand(shape) for shape in shapes]
        if seed is not None:
            noises = self._noises(shapes, [seed])
        return self._run(
            noises=[x.to(image) for x in noises],
            start_scale=start_scale,
            input_sample=image)

    def _run(self, **options: Any) -> Tensor:
        """Images of the model, which returns more only on request."""
        return cast(Tensor, self.model.sample(**options))

    def _images(self,
                noises: List[Tensor],
                start_scale: int = 0,
                positions: Optional[Tensor] = None,
                **options: Any) -> List[np.ndarray]:
        noises = [x.to(self.model.device) for x in noises]
        if positions is not None:
            positions = positions.to(self.model.device)
        start = None
        if start_scale > 0:
            start = self._upsample(
                self._run(mode='recon', curr_scale=start_scale - 1),
                self.model.generator.image_size(noises[start_scale],
                                                start_scale))
            start = start.expand(len(noises[0]), -1, -1, -1)
        samples = self.model(
            dict(
                noises=noises,
                start_scale=start_scale,
                input_sample=start,
                positions=positions,
                **options))
        return [to_rgb(x.fake_img) for x in samples]

    def _noises(self, shapes: List[Shape],
                seeds: Sequence[int]) -> List[Tensor]:
        """Noise (N, C, H, W) of each scale, with a seed per image."""
        return [
            torch.stack([
                coordinate_noise(seed, stage, channels, range(height),
                                 range(width)) for seed in seeds
            ]) for stage, (_, channels, height, width) in enumerate(shapes)
        ]

    def _noise_at(self, positions: Tensor, shape: Shape) -> Tensor:
        """The reconstruction's noise at positions; new noise beyond it."""
        known = self.model.fixed_noises[0].cpu()
        y, x = positions.round().long()
        last_y, last_x = (length - 1 for length in known.shape[2:])
        inside = (y >= 0) & (y <= last_y) & (x >= 0) & (x <= last_x)
        carried = known[:, :, y.clamp(0, last_y), x.clamp(0, last_x)]
        return torch.where(inside, carried, self._noises([shape], [0])[0])

    def _tensor(self, image: np.ndarray) -> Tensor:
        check_rgb(image)
        bgr = torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy())
        data = self.model.data_preprocessor(
            dict(inputs=dict(image=bgr[None])))
        return data['inputs']['image'].to(self.model.device)

    def _image(self, batch: Tensor) -> np.ndarray:
        return to_rgb(self.model.data_preprocessor.destruct(batch.clone())[0])
