"""What can be done with a model of one photograph, whatever the model is."""
import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import cv2
import mmcv
import numpy as np
import torch
from torch import Tensor

from mmpe.utils.files import PathLike
from .colours import quantise
from .inputs import check_rgb, is_inside
from .layout import LayoutEdit

__all__ = ['PhotographSampler']

Size = Tuple[int, int]


class PhotographSampler(ABC):
    """A model of one photograph; images are uint8 (H, W, 3) in RGB order.

    Noise is a function of seed and place, so that a seed stands for one
    picture of a size. Scales are counted from 0, the coarsest.

    Args:
        model: The model, in evaluation mode, with ``pyramid_sizes``.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    @property
    @abstractmethod
    def last_scale(self) -> int:
        """Index of the finest scale."""

    @property
    @abstractmethod
    def has_positions(self) -> bool:
        """Whether the model has explicit positions."""

    @property
    @abstractmethod
    def photograph(self) -> Optional[np.ndarray]:
        """The photograph at the model's size, if the model holds it."""

    @property
    def size(self) -> Size:
        """(H, W) of the photograph in the model."""
        return self.model.pyramid_sizes[self.last_scale]

    @property
    def training_image(self) -> np.ndarray:
        """:attr:`photograph`, or its reconstruction where it is not held."""
        image = self.photograph
        return self.reconstruct() if image is None else image

    @abstractmethod
    def check_size(self, size: Optional[Size]) -> None:
        """See that images of a size can be drawn.

        Args:
            size: (H, W) in pixels; None for the photograph's.

        Raises:
            ValueError: They cannot.
        """

    @abstractmethod
    def reconstruct(self) -> np.ndarray:
        """The model's own version of the photograph."""

    def sample(self,
               num: int = 1,
               size: Optional[Size] = None,
               seed: Optional[int] = None,
               batch_size: int = 4,
               start_scale: int = 0,
               growth: Optional[str] = None) -> List[np.ndarray]:
        """Random images (SinGAN, Sec. 4.1).

        Args:
            num: Number of images.
            size: (H, W) in pixels, whatever the training size was.
            seed: Seed of the first image; the next one has the seed after
                it, and so on. By default a random one.
            batch_size: Images computed at a time.
            start_scale: First scale with random noise; the coarser ones
                reconstruct the photograph, resized to ``size``.
            growth: What becomes of the grid of explicit positions at another
                size: 'stretch', 'extend', 'centre' or 'tile', see
                :func:`mmpe.functional.grids.axis_positions`. By default what
                the encoding does.

        Returns:
            The images.

        Raises:
            ValueError: A number or size is too small, the scale does not
                exist, or ``growth`` is unknown or the model has no explicit
                positions.
        """
        if num < 1 or batch_size < 1:
            raise ValueError('Arguments `num` and `batch_size` must be at '
                             f'least 1, but got {num} and {batch_size}.')
        self.check_scale(start_scale)
        seed = int(torch.randint(2**31, ())) if seed is None else seed
        images: List[np.ndarray] = []
        for start in range(0, num, batch_size):
            seeds = range(seed + start, seed + min(start + batch_size, num))
            images += self._sample(seeds, size, start_scale, growth)
        return images

    @abstractmethod
    def _sample(self, seeds: Sequence[int], size: Optional[Size],
                start_scale: int, growth: Optional[str]) -> List[np.ndarray]:
        """An image of each seed."""

    @abstractmethod
    def draw_to_file(self,
                     path: PathLike,
                     size: Optional[Size] = None,
                     seed: int = 0,
                     tile: int = 256,
                     start_scale: int = 0,
                     growth: Optional[str] = None) -> Path:
        """A random image that need not fit into memory, in tiles.

        It is the image that :meth:`sample` draws with these arguments.

        Args:
            path: PNG or TIFF file.
            size: As for :meth:`sample`.
            seed: Seed of the image.
            tile: Length of a tile in pixels; memory grows with its square.
            start_scale: As for :meth:`sample`.
            growth: As for :meth:`sample`.

        Returns:
            The path.

        Raises:
            ValueError: See :meth:`sample` and :func:`.draw_tiled`.
            OSError: The file cannot be written, or the disk is too small.
        """

    # ------------------------------------------------- the photograph, changed
    def resize(self,
               size: Size,
               growth: Optional[str] = None,
               seed: Optional[int] = None) -> np.ndarray:
        """The photograph at another size, its textures not scaled.

        Args:
            size: (H, W) in pixels.
            growth: As for :meth:`sample`.
            seed: Seed of a variant; by default the noise that reconstructs
                the photograph is carried along with the positions.

        Returns:
            The image.

        Raises:
            ValueError: See :meth:`sample`; or the model has no explicit
                positions and ``seed`` is missing.
        """
        if seed is not None:
            return self.sample(1, size, seed, growth=growth)[0]
        return self.layout((), size, growth)

    @abstractmethod
    def layout(self,
               edits: Sequence[LayoutEdit],
               size: Optional[Size] = None,
               growth: Optional[str] = None,
               seed: Optional[int] = None) -> np.ndarray:
        """Move, enlarge, repeat or remove structures by their positions.

        Args:
            edits: Changes, one after the other.
            size: (H, W) in pixels; by default that of training.
            growth: As for :meth:`sample`.
            seed: Seed of a variant; by default the noise that reconstructs
                the photograph is carried along with the positions.

        Returns:
            The image.

        Raises:
            ValueError: See :meth:`sample` and :class:`.LayoutEdit`; or the
                model has no explicit positions.
        """

    def edit(self,
             image: np.ndarray,
             mask: np.ndarray,
             start_scale: Optional[int] = None,
             seed: Optional[int] = None,
             dilation: Optional[int] = None) -> np.ndarray:
        """Make a rough edit of the photograph seamless (SinGAN, Sec. 4.2).

        Args:
            image: The photograph with parts that were copied elsewhere; of
                its shape, at any resolution.
            mask: (H, W) of the image, true or above half of the range where
                it was edited.
            start_scale: Scale at which the image is put in: a coarse one
                changes more. By default the middle one.
            seed: Seed of the noise from this scale on; none by default.
            dilation: By how much the mask is enlarged, in pixels of the
                training size; by default 8 % of the long side.

        Returns:
            The image at the training size; outside of the mask the input.

        Raises:
            ValueError: The mask is empty or of another size than the image,
                the image of another shape than the photograph, or the scale
                does not exist.
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

        Args:
            image: The photograph with the object; of its shape, at any
                resolution.
            mask: (H, W) of the image, true or above half of the range where
                the object is.
            start_scale: Scale at which the image is put in: a coarse one
                changes more. By default the one before the last.
            seed: Seed of the noise from this scale on; none by default.
            dilation: By how much the mask is enlarged, in pixels of the
                training size; by default 3 % of the long side.

        Returns:
            The image at the training size; outside of the mask the input.

        Raises:
            ValueError: As for :meth:`edit`.
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
        """Turn a painting of flat colours into a photograph.

        Args:
            image: The painting, of any size and aspect ratio.
            start_scale: Scale at which it is put in, at least 1.
            seed: Seed of the noise from this scale on; none by default.
            colours: To how many colours of the photograph those of the
                painting are mapped; 0 keeps them as they are.

        Returns:
            The image, of the painting's aspect ratio and about as many
            pixels as the training image has.

        Raises:
            ValueError: An argument is out of its range.
        """
        check_rgb(image)
        self.check_scale(start_scale, 1)
        area = math.prod(self.size) / math.prod(image.shape[:2])
        size = tuple(round(x * math.sqrt(area)) for x in image.shape[:2])
        if colours:
            image = quantise(image, self.training_image, colours)
        return self._inject(image, start_scale, seed, size)

    def super_resolution(self,
                         factor: float,
                         image: Optional[np.ndarray] = None,
                         seed: Optional[int] = None) -> np.ndarray:
        """Enlarge an image and draw the details that it lacks.

        The finest scale is applied again and again, each time to an image
        that is larger by about the pyramid's factor (SinGAN, Sec. 4.2).

        Args:
            factor: Factor of the height and width, above 1.
            image: The image; by default that of training (or its
                reconstruction where the checkpoint does not hold it).
            seed: Seed of the noise; none by default.

        Returns:
            The image, ``factor`` times as large.

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
        """How often the finest scale is applied for a factor."""
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
            alpha: How near the walk stays to the photograph, from 0 to 1.
            beta: How smooth it is, from 0 to 1.
            start_scale: First scale that moves.
            seed: Seed of the walk.

        Yields:
            The frames.

        Raises:
            ValueError: An argument is out of its range.
        """
        if num_frames < 1 or not 0 <= alpha <= 1 or not 0 <= beta <= 1:
            raise ValueError(
                'Arguments must satisfy `num_frames` >= 1, 0 <= `alpha` <= 1 '
                f'and 0 <= `beta` <= 1, but got {num_frames}, {alpha} and '
                f'{beta}.')
        self.check_scale(start_scale)
        return self._walk(num_frames, alpha, beta, start_scale, seed)

    # ----------------------------------------------------------------- details
    @abstractmethod
    def _inject(self, image: np.ndarray, start_scale: int,
                seed: Optional[int], size: Size) -> np.ndarray:
        """Put an image in at a scale and draw the finer ones."""

    @abstractmethod
    def _enlarge(self, image: Tensor, size: Size,
                 seed: Optional[int]) -> Tensor:
        """Enlarge an image a little, with the finest scale's details."""

    @abstractmethod
    def _center(self) -> List[Tensor]:
        """Noise of each scale that gives the photograph, (1, C, H, W)."""

    @abstractmethod
    def _noise(self, seed: int) -> List[Tensor]:
        """Random noise of each scale, in the shapes of :meth:`_center`."""

    @abstractmethod
    def _frame(self, noises: List[Tensor], start_scale: int) -> np.ndarray:
        """The image of noises, the coarser scales being the photograph's."""

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
        """An image as the model takes it, (1, 3, H, W) in [-1, 1]."""

    @abstractmethod
    def _image(self, batch: Tensor) -> np.ndarray:
        """What the model gives, as an image."""

    def _edit(self, image: np.ndarray, mask: np.ndarray,
              start_scale: Optional[int], seed: Optional[int],
              dilation: int) -> np.ndarray:
        check_rgb(image)
        mask = _check_mask(mask, image)
        self._check_shape(image)
        if start_scale is None:
            start_scale = max(1, (self.last_scale + 1) // 2)
        self.check_scale(start_scale, 1)
        result = self._inject(image, start_scale, seed, self.size)
        weights = _soft_mask(mask, self.size, dilation)[..., None]
        original = mmcv.imresize(image, self.size[::-1])
        mixed = weights * result + (1 - weights) * original
        return mixed.round().astype(np.uint8)

    def check_scale(self, scale: int, first: int = 0) -> None:
        """See that a scale exists.

        Args:
            scale: Its index.
            first: Index of the first one that is meant.

        Raises:
            ValueError: It does not exist.
        """
        if not first <= scale <= self.last_scale:
            raise ValueError(
                f'Argument `start_scale` must be from {first} to '
                f'{self.last_scale} for this model, but got {scale}.')

    def _check_shape(self, image: np.ndarray) -> None:
        """The aspect ratio of the photograph, up to rounded sizes."""
        height, width = image.shape[:2]
        expected = self.size[0] * width / self.size[1]
        if abs(height - expected) > 0.02 * expected + 1:
            raise ValueError(
                'Argument `image` must have the aspect ratio of the '
                f'photograph ({self.size[0]} x {self.size[1]} pixels in '
                f'training, height x width), but got {height} x {width}.')


def _check_mask(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The mask as booleans."""
    if mask.shape != image.shape[:2]:
        raise ValueError(
            'Argument `mask` must have the size of the image, '
            f'{image.shape[0]} x {image.shape[1]} (height x width), but got '
            f'{" x ".join(map(str, mask.shape))}.')
    return is_inside(mask)


def _soft_mask(mask: np.ndarray, size: Size, dilation: int) -> np.ndarray:
    """Enlarge a mask and make its edge soft: float32 (H, W) in [0, 1]."""
    mask = cv2.resize(
        mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    if dilation < 1:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE,
                                       (2 * dilation + 1, ) * 2)
    return cv2.GaussianBlur(cv2.dilate(mask, kernel), (0, 0), dilation / 3)
