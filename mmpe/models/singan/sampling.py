"""Sampling images from a trained SinGAN."""
import math
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
import torch.nn as nn
from mmagic.structures import DataSample
from torch import Tensor

from mmpe.functional.pyramid import resized_pyramid
from .state import SinGANState

__all__ = ['SinGANSampling']

Size = Tuple[int, int]


class SinGANSampling(SinGANState):
    """Samples images of any size from a trained SinGAN."""

    def forward(self,
                inputs: dict,
                data_samples: Optional[list] = None,
                mode: Optional[str] = None) -> List[DataSample]:
        """Sample images.

        Args:
            inputs: Options: ``num_batches`` (1), ``mode`` ('rand' or
                'recon'), ``curr_scale`` (the last trained one),
                ``sample_model`` ('ema', 'orig' or 'ema/orig') and other
                arguments of :meth:`sample`.
            data_samples: Data samples that the results are added to.
            mode: Default of ``inputs['mode']``.

        Returns:
            One data sample per image, with ``fake_img``, float (3, H, W) in
            [0, 255] in BGR order, and ``prev_res_list`` if requested; with
            'ema/orig' they are nested in ``ema`` and ``orig``.

        Raises:
            TypeError: ``inputs`` is not a dict.
            ValueError: See :meth:`sample`.
        """
        if not isinstance(inputs, dict):
            raise TypeError('Argument `inputs` of SinGAN must be a dict of '
                            f'options, but got {type(inputs).__name__}.')
        options = dict(inputs)
        options.setdefault('mode', mode or 'rand')
        options.update(options.pop('sample_kwargs', None) or {})
        options.pop('sample_model', None)
        sample_model = self._get_valid_model(inputs)
        batches = {
            name: self._images(name, data_samples, **options)
            for name in sample_model.split('/')
        }
        samples = []
        num_images = len(next(iter(batches.values()))['fake_img'])
        for index in range(num_images):
            sample = DataSample(sample_model=sample_model)
            if data_samples:
                sample.update(data_samples[index])
            for name, images in batches.items():
                target = sample
                if len(batches) > 1:
                    target = DataSample()
                    sample.set_field(target, name)
                for key, value in images.items():
                    target.set_field([x[index] for x in value] if isinstance(
                        value, list) else value[index], key)
            samples.append(sample)
        return samples

    def _images(self, model_name: str, data_samples: Optional[list],
                **options) -> Dict[str, Union[Tensor, List[Tensor]]]:
        outputs = self.sample(sample_model=model_name, **options)
        if isinstance(outputs, Tensor):
            outputs = dict(fake_img=outputs)

        def destruct(value: Any) -> Any:
            if isinstance(value, list):
                return [destruct(x) for x in value]
            return self.data_preprocessor.destruct(value, data_samples)

        return {
            key: destruct(value)
            for key, value in outputs.items() if key != 'noise_batch'
        }

    def sample(self,
               num_batches: int = 1,
               mode: str = 'rand',
               curr_scale: Optional[int] = None,
               size: Optional[Size] = None,
               sample_model: Optional[str] = None,
               noises: Optional[List[Tensor]] = None,
               positions: Optional[Tensor] = None,
               **kwargs) -> Union[Tensor, dict]:
        """Sample images without post-processing.

        Args:
            num_batches: Number of images N.
            mode: 'rand' for new images, 'recon' to reconstruct the
                photograph.
            curr_scale: Index of the last scale to run; by default the last
                trained one.
            size: (H, W) of the images in pixels; by default that of the
                photograph at ``curr_scale``.
            sample_model: 'orig' or 'ema' (the default if there is one).
            noises: Noise (N, C, H, W) of each scale, in place of the mode's;
                :meth:`noise_shapes` gives the shapes.
            positions: Positions (2, H, W) of the first scale's cells, y and
                x in cells of the training grid, counted from 0, in place of
                the encoding's own for this size.
            kwargs: Further arguments of the generator's ``forward``.

        Returns:
            Images (N, 3, H, W) in about [-1, 1], or the generator's dict.

        Raises:
            ValueError: The model has no fixed noises, the scale is untrained,
                ``size`` is given for a reconstruction, or ``positions`` for a
                model without explicit positions.
        """
        self._need_noises()
        if curr_scale is None:
            curr_scale = self.curr_stage
        if not 0 <= curr_scale <= self.curr_stage:
            raise ValueError(
                'Argument `curr_scale` must be a scale that has been trained '
                f'(0 to {self.curr_stage}), but got {curr_scale}.')
        if mode == 'recon' and size is not None:
            raise ValueError('Argument `size` is for random images: the '
                             'photograph is reconstructed at its own size, '
                             f'but got {tuple(size)}.')
        if noises is not None:
            mode, num_batches = 'recon', noises[0].shape[0]
        elif size is not None:
            zero = self.fixed_noises[0].new_zeros(1)
            noises = [
                zero.expand(x) for x in self.noise_shapes(size, curr_scale)
            ]
        generator = self._inner_generator
        if (sample_model or self._get_valid_model({})) == 'ema':
            generator = self.generator_ema.module
        with torch.no_grad():
            return self._generate(
                generator,
                noises or self.fixed_noises,
                mode,
                positions=positions,
                curr_scale=curr_scale,
                num_batches=num_batches,
                **kwargs)

    def _generate(self,
                  generator: nn.Module,
                  noises: List[Tensor],
                  rand_mode: str,
                  *,
                  input_sample: Optional[Tensor] = None,
                  positions: Optional[Tensor] = None,
                  **kwargs) -> Any:
        """Run a generator, after encoding ``positions``."""
        if positions is not None:
            kwargs['position_codes'] = self.encode_positions(positions)
        return generator(
            input_sample,
            noises,
            self.noise_weights,
            rand_mode=rand_mode,
            **kwargs)

    def _need_noises(self) -> None:
        if self.pkl_data is not None:
            self.load_test_pkl()
        if not self.fixed_noises:
            raise ValueError(
                'The model has no fixed noises, so it cannot be sampled: '
                'load a checkpoint written by mmpe, or give the `.pkl` file '
                'that belongs to the checkpoint (`model.test_pkl_data`).')

    def encode_positions(self, positions: Tensor) -> Tensor:
        """Encode positions of the first scale.

        Args:
            positions: (2, H, W), y and x in cells of the first scale's grid
                in training, counted from 0; may be fractional.

        Returns:
            Float32 (C, H, W).

        Raises:
            ValueError: The model has no explicit positions.
        """
        encoding = self._inner_generator.head_position_encode
        if encoding is None:
            raise ValueError(
                'This model has no explicit positions: use one trained with '
                '`positional_encoding` (a CSG or SPE config).')
        return encoding.encode_positions(positions, self.position_grid()[0])

    @property
    def growth(self) -> Optional[str]:
        """How the grid of positions changes with the size, or None.

        See :func:`mmpe.functional.grids.axis_positions`.
        """
        encoding = self._inner_generator.head_position_encode
        return encoding and encoding.growth

    def position_grid(self, stage: int = 0) -> Tuple[Size, int]:
        """Grid of a scale's positions in training.

        Args:
            stage: Index of the scale.

        Returns:
            (H, W) of the grid, and the number of cells by which the scale's
            noise extends beyond it on each side.
        """
        height, width = self.fixed_noises[stage].shape[-2:]
        return (height, width), 0

    @property
    def pyramid_sizes(self) -> List[Size]:
        """Size (H, W) of the image at each scale, the coarsest first."""
        self._need_noises()
        return [
            self._inner_generator.image_size(noise, stage)
            for stage, noise in enumerate(self.fixed_noises)
        ]

    def noise_shapes(self,
                     size: Optional[Size] = None,
                     curr_scale: Optional[int] = None
                     ) -> List[Tuple[int, int, int, int]]:
        """Shapes of the noises for an image of a given size.

        Args:
            size: (H, W) of the last scale in pixels; by default that of the
                photograph.
            curr_scale: Index of the last scale; by default the last trained
                one.

        Returns:
            (1, C, H, W) for each scale up to the last.

        Raises:
            ValueError: The coarsest scale would have fewer than 2 x 2 cells.
        """
        old_sizes = self.pyramid_sizes
        if curr_scale is None:
            curr_scale = self.curr_stage
        old_sizes = old_sizes[:curr_scale + 1]
        size = size or old_sizes[-1]
        new_sizes = resized_pyramid(old_sizes, size)
        if min(new_sizes[0]) < 2:
            least = [
                math.ceil(1.5 * last / first)
                for first, last in zip(old_sizes[0], old_sizes[-1])
            ]
            raise ValueError(
                f'Argument `size` must be at least {least[0]} x {least[1]} '
                f'(height x width) for this model, but got {size[0]} x '
                f'{size[1]}.')
        borders = [
            noise.shape[-2] - height
            for noise, (height, _) in zip(self.fixed_noises, old_sizes)
        ]
        return [(1, noise.shape[1], height + border, width + border)
                for noise, border, (height, width) in zip(
                    self.fixed_noises, borders, new_sizes)]
