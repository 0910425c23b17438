"""Applications of a model of one photograph (SinGAN, Sec. 4.2)."""
import math
from abc import ABC, abstractmethod
from typing import Any, Iterator, List, Optional, Tuple

import cv2
import mmcv
import numpy as np
from torch import Tensor

from .colours import quantise
from .inputs import check_mask, check_rgb

__all__ = ['Manipulations']

Size = Tuple[int, int]


class Manipulations(ABC):
    """Edits, harmonises, paints, enlarges and animates.

    Attributes:
        model: The model, with ``pyramid_sizes``.
    """

    model: Any

    @property
    @abstractmethod
    def last_scale(self) -> int:
        """Index of the finest scale."""

    @property
    @abstractmethod
    def training_image(self) -> np.ndarray:
        """The photograph, or its reconstruction if the model has none."""

    @property
    def size(self) -> Size:
        """(H, W) of the photograph in the model."""
        return self.model.pyramid_sizes[self.last_scale]

    def edit(self,
             image: np.ndarray,
             mask: np.ndarray,
             start_scale: Optional[int] = None,
             seed: Optional[int] = None,
             dilation: Optional[int] = None) -> np.ndarray:
        """Blend a rough edit into the photograph (SinGAN, Sec. 4.2).

        Args:
            image: The photograph with parts copied elsewhere, at any
                resolution.
            mask: (H, W) of the image, true or above half of the range where
                it was edited.
            start_scale: Scale to insert the image at: coarse scales change
                more. By default the middle scale.
            seed: Seed of the noise from this scale on; no noise by default.
            dilation: Pixels to grow the mask by, at the training size; by
                default 8 % of the long side.

        Returns:
            The result at the training size; equal to the input outside of the
            mask.

        Raises:
            ValueError: The mask is empty or has another size than the image,
                the image has another aspect ratio than the photograph, or the
                scale does not exist.
        """
        if dilation is None:
            dilation = round(0.08 * max(self.size))
        return self._edit(image, mask, start_scale, seed, dilation)

    def harmonize(self,
                  image: np.ndarray,
                  mask: np.ndarray,
                  start_scale: Optional[int] = None,
                  seed: Optional[int] = None,
                  dilation: Optional[int] = None) -> np.ndarray:
        """Give a pasted object the style of the photograph.

        As :meth:`edit`, with other defaults.

        Args:
            image: The photograph with the object, at any resolution.
            mask: (H, W) of the image, true or above half of the range where
                the object is.
            start_scale: By default the scale before the finest.
            seed: As for :meth:`edit`.
            dilation: By default 3 % of the long side.
        """
        if start_scale is None:
            start_scale = max(1, self.last_scale - 1)
        if dilation is None:
            dilation = round(0.03 * max(self.size))
        return self._edit(image, mask, start_scale, seed, dilation)

    def paint(self,
              image: np.ndarray,
              start_scale: int = 1,
              seed: Optional[int] = None,
              colours: int = 32) -> np.ndarray:
        """Turn a painting with flat colours into a photograph.

        Args:
            image: The painting, of any size and aspect ratio.
            start_scale: Scale to insert the painting at, at least 1.
            seed: Seed of the noise from this scale on; no noise by default.
            colours: Number of colours of the photograph that the painting is
                mapped to; 0 keeps its own.

        Returns:
            The result, with the painting's aspect ratio and about as many
            pixels as the training image.

        Raises:
            ValueError: An argument is out of its range.
        """
        check_rgb(image)
        self.check_scale(start_scale, 1)
        area = math.prod(self.size) / math.prod(image.shape[:2])
        height, width = (round(x * math.sqrt(area)) for x in image.shape[:2])
        if colours:
            image = quantise(image, self.training_image, colours)
        return self._inject(image, start_scale, seed, (height, width))

    def super_resolution(self,
                         factor: float,
                         image: Optional[np.ndarray] = None,
                         seed: Optional[int] = None) -> np.ndarray:
        """Enlarge an image and add detail (SinGAN, Sec. 4.2).

        Applies the finest scale repeatedly, each time to an image enlarged by
        about the scale factor of the pyramid.

        Args:
            factor: Factor of height and width, above 1.
            image: The image; by default the training image, or its
                reconstruction if the checkpoint does not hold it.
            seed: Seed of the noise; no noise by default.

        Returns:
            The enlarged image.

        Raises:
            ValueError: The factor is not above 1.
        """
        if factor <= 1:
            raise ValueError('Argument `factor` must be above 1, but got '
                             f'{factor}.')
        if image is None:
            image = self.training_image
        height, width = image.shape[:2]
        steps = self.super_resolution_steps(factor)
        result = self._tensor(image)
        for step in range(1, steps + 1):
            part = factor**(step / steps)
            size = (round(height * part), round(width * part))
            result = self._enlarge(result, size, seed)
        return self._image(result)

    def super_resolution_steps(self, factor: float) -> int:
        """Number of times that the finest scale is applied."""
        sizes = self.model.pyramid_sizes
        ratio = sizes[self.last_scale][1] / sizes[self.last_scale - 1][1]
        return max(1, round(math.log(factor) / math.log(ratio)))

    def animate(self,
                num_frames: int = 60,
                alpha: float = 0.1,
                beta: float = 0.9,
                start_scale: int = 2,
                seed: int = 0) -> Iterator[np.ndarray]:
        r"""A random walk around the photograph (SinGAN, Sec. 4.2).

        With the noise :math:`z^*` of the reconstruction and new noise
        :math:`u_t`, the noise of a frame is :math:`z_{t+1} = \alpha z^* +
        (1-\alpha)(z_t + \beta(z_t - z_{t-1}) + (1-\beta)u_t)`.

        Args:
            num_frames: Number of frames.
            alpha: Pull of the walk towards the photograph, from 0 to 1.
            beta: Smoothness of the walk, from 0 to 1.
            start_scale: First scale that moves.
            seed: Seed of the walk.

        Yields:
            The frames.

        Raises:
            ValueError: An argument is out of its range.
        """
        if num_frames < 1 or not 0 <= alpha <= 1 or not 0 <= beta <= 1:
            raise ValueError(
                'Arguments must satisfy `num_frames` >= 1, 0 <= `alpha` <= 1, '
                f'0 <= `beta` <= 1, but got {num_frames}, {alpha}, {beta}.')
        self.check_scale(start_scale)
        return self._walk(num_frames, alpha, beta, start_scale, seed)

    def check_scale(self, scale: int, first: int = 0) -> None:
        """Check that a scale exists.

        Args:
            scale: Index of the scale.
            first: Lowest index allowed.

        Raises:
            ValueError: It does not.
        """
        if not first <= scale <= self.last_scale:
            raise ValueError(
                f'Argument `start_scale` must be from {first} to '
                f'{self.last_scale} for this model, but got {scale}.')

    # ----------------------------------------------------------------- details
    @abstractmethod
    def _inject(self, image: np.ndarray, start_scale: int,
                seed: Optional[int], size: Size) -> np.ndarray:
        """Insert an image at a scale and draw the finer scales."""

    @abstractmethod
    def _enlarge(self, image: Tensor, size: Size,
                 seed: Optional[int]) -> Tensor:
        """Enlarge an image once, with the detail of the finest scale."""

    @abstractmethod
    def _center(self) -> List[Tensor]:
        """Noise of each scale for the photograph itself, (1, C, H, W)."""

    @abstractmethod
    def _noise(self, seed: int) -> List[Tensor]:
        """Random noise of each scale, in the shapes of :meth:`_center`."""

    @abstractmethod
    def _frame(self, noises: List[Tensor], start_scale: int) -> np.ndarray:
        """Draw from noise; coarser scales reconstruct the photograph."""

    def _walk(self, num_frames: int, alpha: float, beta: float,
              start_scale: int, seed: int) -> Iterator[np.ndarray]:
        center = self._center()
        before = center
        now = [
            0.95 * x + 0.05 * u for x, u in zip(center, self._noise(seed))
        ]
        for frame in range(1, num_frames + 1):
            yield self._frame(now, start_scale)
            following = [
                alpha * x + (1 - alpha) * (z + beta * (z - y) + (1 - beta) * u)
                for x, y, z, u in zip(center, before, now,
                                      self._noise(seed + frame))
            ]
            before, now = now, following

    @abstractmethod
    def _tensor(self, image: np.ndarray) -> Tensor:
        """Convert an image to the model's format, (1, 3, H, W) in [-1, 1]."""

    @abstractmethod
    def _image(self, batch: Tensor) -> np.ndarray:
        """Convert the model's output to an image."""

    def _edit(self, image: np.ndarray, mask: np.ndarray,
              start_scale: Optional[int], seed: Optional[int],
              dilation: int) -> np.ndarray:
        check_rgb(image)
        mask = check_mask(mask, image)
        self._check_shape(image)
        if start_scale is None:
            start_scale = max(1, (self.last_scale + 1) // 2)
        self.check_scale(start_scale, 1)
        result = self._inject(image, start_scale, seed, self.size)
        weights = _soft_mask(mask, self.size, dilation)[..., None]
        original = mmcv.imresize(image, self.size[::-1])
        mixed = weights * result + (1 - weights) * original
        return mixed.round().astype(np.uint8)

    def _check_shape(self, image: np.ndarray) -> None:
        """Check the aspect ratio, allowing for rounded sizes."""
        height, width = image.shape[:2]
        expected = self.size[0] * width / self.size[1]
        if abs(height - expected) > 0.02 * expected + 1:
            raise ValueError(
                'Argument `image` must have the aspect ratio of the '
                f'photograph ({self.size[0]} x {self.size[1]} pixels in '
                f'training, height x width), but got {height} x {width}.')


def _soft_mask(mask: np.ndarray, size: Size, dilation: int) -> np.ndarray:
    """Resize, dilate and blur a mask: float32 (H, W) in [0, 1]."""
    mask = cv2.resize(
        mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    if dilation < 1:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE,
                                       (2 * dilation + 1, ) * 2)
    return cv2.GaussianBlur(cv2.dilate(mask, kernel), (0, 0), dilation / 3)
