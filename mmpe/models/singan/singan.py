"""SinGAN and its variant with positional encodings, with all their state."""
import math
from bisect import bisect_right
from copy import deepcopy
from typing import (Callable, Dict, Iterable, Iterator, List, Optional, Tuple,
                    Union)

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmagic.models.base_models import BaseGAN
from mmagic.structures import DataSample
from mmengine import MessageHub
from mmengine.dist import all_reduce_params, broadcast
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from mmpe.checkpoint import load_pickle, save_pickle
from mmpe.functional.pyramid import resized_pyramid
from mmpe.functional.upsample import upsample
from mmpe.functional.wgan_gp import gradient_penalty
from mmpe.registry import MODELS, build_from
from mmpe.utils.compiling import compile_networks, eagerly
from mmpe.utils.wrappers import unwrap

__all__ = ['PESinGAN', 'SinGAN', 'trained_scales']

ModelType = Union[dict, nn.Module]
Size = Tuple[int, int]
# Names and losses, computed one by one.
Losses = Iterator[Tuple[str, Tensor]]


@MODELS.register_module()
class SinGAN(BaseGAN):
    """SinGAN: a generative model of a single photograph (ICCV 2019).

    The scales are trained one after the other; earlier ones are frozen in
    evaluation mode. Everything that sampling and resuming need (fixed noises,
    noise weights, current scale, pyramid) is part of the state dict.

    Args:
        generator: Generator, or its config.
        discriminator: Discriminator, or its config.
        data_preprocessor: Data preprocessor, or its config.
        generator_steps: Updates of the generator in each round.
        discriminator_steps: Updates of the discriminator in each round.
        num_scales: Index of the finest scale, counted from zero. It follows
            from the photograph (:func:`mmpe.engine.fit_to_photograph` fills
            it in) and is passed on to generator and discriminator.
        iters_per_scale: Rounds of training at each scale.
        noise_weight_init: Factor of the noise weights: what multiplies the
            root mean square error of the reconstruction of the scale before.
        lr_scheduler_args: ``milestones`` (in rounds, for each scale anew) and
            ``gamma`` of a step schedule of both learning rates.
        test_pkl_data: Path of the ``.pkl`` file that MMagic writes beside its
            checkpoints; its fixed noises and weights replace the model's when
            images are sampled.
        ema_confg: MMagic's spelling of ``ema_config``.
        ema_config: Config of the generator's exponential moving average.
        gradient_penalty_weight: Weight of WGAN-GP's penalty.
        reconstruction_weight: Weight of the mean squared error between the
            photograph and its reconstruction.

    Raises:
        ValueError: ``num_scales`` is missing or given twice with different
            values, or the schedule has unknown arguments.
    """

    def __init__(self,
                 generator: ModelType,
                 discriminator: Optional[ModelType] = None,
                 data_preprocessor: Optional[ModelType] = None,
                 generator_steps: int = 1,
                 discriminator_steps: int = 1,
                 num_scales: Optional[int] = None,
                 iters_per_scale: int = 2000,
                 noise_weight_init: float = 0.1,
                 lr_scheduler_args: Optional[dict] = None,
                 test_pkl_data: Optional[str] = None,
                 ema_confg: Optional[dict] = None,
                 *,
                 ema_config: Optional[dict] = None,
                 gradient_penalty_weight: float = 0.1,
                 reconstruction_weight: float = 10) -> None:
        self._check_schedule(lr_scheduler_args)
        generator, num_scales = _build_scales(generator, num_scales)
        if discriminator is not None:
            discriminator, _ = _build_scales(discriminator, num_scales)
        if not isinstance(data_preprocessor, nn.Module):
            data_preprocessor = build_from(
                MODELS, data_preprocessor or {}, type='DataPreprocessor')
        super().__init__(
            generator,
            discriminator,
            data_preprocessor,
            generator_steps,
            discriminator_steps,
            ema_config=ema_config or ema_confg)
        self.num_scales = num_scales
        self.iters_per_scale = iters_per_scale
        self.noise_weight_init = noise_weight_init
        self.lr_scheduler_args = deepcopy(lr_scheduler_args)
        self.gradient_penalty_weight = gradient_penalty_weight
        self.reconstruction_weight = reconstruction_weight
        self.pkl_data = test_pkl_data

        # State of the training; part of the state dict.
        self.curr_stage = -1
        self.noise_weights: List[float] = [1.0]
        self.fixed_noises: List[Tensor] = []
        self.reals: List[Tensor] = []

        # Follows from the state, and is made anew in every process.
        self._data_is_checked = False
        self._active_stage = -1
        self._recon_input: Optional[Tensor] = None

    # ------------------------------------------------------------------ state
    def get_extra_state(self) -> dict:
        """What the state dict holds besides weights: tensors and numbers."""
        return dict(
            curr_stage=self.curr_stage,
            noise_weights=list(self.noise_weights),
            fixed_noises=list(self.fixed_noises),
            reals=list(self.reals))

    def set_extra_state(self, state: dict) -> None:
        """Restore what :meth:`get_extra_state` gave."""
        self.curr_stage = int(state['curr_stage'])
        self.noise_weights = [float(x) for x in state['noise_weights']]
        self.fixed_noises = [x.to(self.device) for x in state['fixed_noises']]
        self.reals = [x.to(self.device) for x in state['reals']]
        self._data_is_checked = False
        self._active_stage = -1

    def _apply(self, fn: Callable, *args, **kwargs) -> 'SinGAN':
        """Move the state along with the weights."""
        super()._apply(fn, *args, **kwargs)
        self.fixed_noises = [fn(x) for x in self.fixed_noises]
        self.reals = [fn(x) for x in self.reals]
        self._active_stage = -1
        return self

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args,
                              **kwargs) -> None:
        """Refuse weights of another model; older files have no state."""
        self._check_state_dict(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        missing_keys = args[2]
        key = f'{prefix}_extra_state'
        if key in missing_keys:
            missing_keys.remove(key)

    def _check_state_dict(self, state_dict: dict, prefix: str) -> None:
        trained = trained_scales(
            key[len(prefix):] for key in state_dict if key.startswith(prefix))
        if trained not in (None, self.num_scales):
            raise ValueError(
                f'The checkpoint was trained with num_scales={trained} '
                f'(counted from zero), but the model has num_scales='
                f'{self.num_scales}: use the config that belongs to the '
                f'checkpoint, or set `model.num_scales={trained}`.')
        wrong = [
            f'{key} is {tuple(state_dict[prefix + key].shape)} instead of '
            f'{tuple(value.shape)}' for key, value in self._weights()
            if prefix + key in state_dict
            and state_dict[prefix + key].shape != value.shape
        ]
        if wrong:
            raise ValueError('The checkpoint belongs to another config: '
                             f'{"; ".join(wrong[:4])}'
                             f'{" and more" if len(wrong) > 4 else ""}.')

    def _weights(self) -> List[Tuple[str, Tensor]]:
        # Not `named_parameters`: a distributed model has other names there.
        return [(key, value) for key, value in self.state_dict().items()
                if isinstance(value, Tensor)]

    def load_test_pkl(self) -> None:
        """Take fixed noises, noise weights and scale from a ``.pkl`` file.

        Raises:
            ValueError: The file is not such a file, or was written for
                another number of scales.
        """
        data = load_pickle(self.pkl_data)
        expected = {'curr_stage', 'fixed_noises', 'noise_weights'}
        if not isinstance(data, dict) or not expected <= set(data):
            raise ValueError(f'{self.pkl_data!r} is no file of a SinGAN: it '
                             f'must hold {sorted(expected)}.')
        if len(data['fixed_noises']) != self.num_scales + 1:
            raise ValueError(
                f'{self.pkl_data!r} holds {len(data["fixed_noises"])} fixed '
                f'noises, but the model has {self.num_scales + 1} scales.')
        self.fixed_noises = [
            torch.as_tensor(x).to(self.device) for x in data['fixed_noises']
        ]
        self.noise_weights = [float(x) for x in data['noise_weights']]
        self.curr_stage = int(data['curr_stage'])
        self.pkl_data = None

    def save_test_pkl(self, path: str) -> None:
        """Write what MMagic expects beside a checkpoint.

        Args:
            path: Path of the ``.pkl`` file.
        """
        save_pickle(
            dict(
                noise_weights=list(self.noise_weights),
                fixed_noises=[x.cpu().numpy() for x in self.fixed_noises],
                curr_stage=self.curr_stage), path)

    # --------------------------------------------------------------- sampling
    def forward(self,
                inputs: dict,
                data_samples: Optional[list] = None,
                mode: Optional[str] = None) -> List[DataSample]:
        """Sample images.

        Args:
            inputs: Options: ``num_batches`` (1), ``mode`` ('rand' or
                'recon'), ``curr_scale`` (the last one trained),
                ``sample_model`` ('ema', 'orig' or 'ema/orig') and what else
                :meth:`sample` takes.
            data_samples: Data samples that the results are added to.
            mode: Default of ``inputs['mode']``.

        Returns:
            One data sample for each image with ``fake_img``, float (3, H, W)
            in [0, 255] in BGR order, and ``prev_res_list`` if it was asked
            for; with 'ema/orig' they are in ``ema`` and ``orig``.

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

        def destruct(
                value: Union[Tensor, List[Tensor]]
        ) -> Union[Tensor, List[Tensor]]:
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
        """Images of the generator, without post-processing.

        Args:
            num_batches: Number of images N.
            mode: 'rand' for new images, 'recon' for the reconstruction of
                the photograph.
            curr_scale: Index of the last scale to run; by default the last
                one that has been trained.
            size: (H, W) of the images in pixels; by default that of the
                training image at ``curr_scale``.
            sample_model: 'orig' or 'ema' (the default where there is one).
            noises: Noise (N, C, H, W) of each scale instead of that of a
                mode; :meth:`noise_shapes` says which shapes.
            positions: Positions (2, H, W) of the first scale's cells, y and
                x in cells of the trained grid counted from 0, instead of
                those that the encoding gives to this size.
            kwargs: Further arguments of the generator's ``forward``.

        Returns:
            Images (N, 3, H, W) in about [-1, 1], or the generator's dict.

        Raises:
            ValueError: The model holds no fixed noises, the scale has not
                been trained, a size is given for a reconstruction, or
                positions for a model without explicit ones.
        """
        self._need_noises()
        if positions is not None:
            kwargs['position_codes'] = self.encode_positions(positions)
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
            return generator(
                kwargs.pop('input_sample', None),
                noises or self.fixed_noises,
                self.noise_weights,
                rand_mode=mode,
                curr_scale=curr_scale,
                num_batches=num_batches,
                **kwargs)

    def _need_noises(self) -> None:
        if self.pkl_data is not None:
            self.load_test_pkl()
        if not self.fixed_noises:
            raise ValueError(
                'The model holds no fixed noises, so it cannot be sampled: '
                'load a checkpoint written by mmpe, or give the `.pkl` file '
                'that belongs to the checkpoint (`model.test_pkl_data`).')

    def encode_positions(self, positions: Tensor) -> Tensor:
        """Encode positions of the first scale.

        Args:
            positions: (2, H, W), y and x in cells of the first scale's grid
                in training, counted from 0; need not be whole.

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
        return encoding.encode_positions(positions,
                                         self.fixed_noises[0].shape[-2:])

    @property
    def pyramid_sizes(self) -> List[Size]:
        """(H, W) of the image of each scale, the coarsest first."""
        self._need_noises()
        return [self._inner_generator.image_size(x) for x in self.fixed_noises]

    def noise_shapes(self,
                     size: Optional[Size] = None,
                     curr_scale: Optional[int] = None
                     ) -> List[Tuple[int, int, int, int]]:
        """Shapes of the noises that make an image of the given size.

        Args:
            size: (H, W) of the last scale in pixels; by default that of the
                training image.
            curr_scale: Index of the last scale; by default the last one that
                has been trained.

        Returns:
            (1, C, H, W) for each scale up to the last.

        Raises:
            ValueError: The coarsest scale would have fewer than 2 x 2 cells.
        """
        old_sizes = self.pyramid_sizes
        if curr_scale is None:
            curr_scale = self.curr_stage
        old_sizes = old_sizes[:curr_scale + 1]
        new_sizes = resized_pyramid(old_sizes, size or old_sizes[-1])
        if min(new_sizes[0]) < 2:
            least = [
                math.ceil(1.5 * last / first)
                for first, last in zip(old_sizes[0], old_sizes[-1])
            ]
            raise ValueError(
                f'Argument `size` must be at least {least[0]} x {least[1]} '
                f'(height x width) for this model, but got {size[0]} x '
                f'{size[1]}.')
        border = self.fixed_noises[0].shape[-2] - old_sizes[0][0]
        return [(1, noise.shape[1], height + border, width + border)
                for noise, (height,
                            width) in zip(self.fixed_noises, new_sizes)]

    # --------------------------------------------------------------- training
    @property
    def _inner_generator(self) -> nn.Module:
        return unwrap(self.generator)

    def train(self, mode: bool = True) -> 'SinGAN':
        """Set the mode; nothing is done if it is set already.

        Training loops call this before each iteration, and at the small
        scales a walk through all modules takes a tenth of one.
        """
        parts = (self, self.generator, self.discriminator)
        if any(part is not None and part.training != mode for part in parts):
            super().train(mode)
        return self

    @property
    def iters_of_scale(self) -> int:
        """Iterations that a scale takes."""
        return self.iters_per_scale * self.discriminator_steps

    def train_step(self, data: dict,
                   optim_wrapper: OptimWrapperDict) -> Dict[str, Tensor]:
        """One iteration at the scale that is due.

        Args:
            data: Batch of one item of :class:`mmpe.datasets.SinGANDataset`.
            optim_wrapper: ``generator_{i}`` and ``discriminator_{i}`` for
                each scale i.

        Returns:
            Values for the log.

        Raises:
            ValueError: The photograph does not fit the model or the
                checkpoint, all scales have been trained, or gradients are
                accumulated.
        """
        curr_iter = MessageHub.get_current_instance().get_info('iter')
        stage, step = divmod(curr_iter, self.iters_of_scale)
        if not self._data_is_checked:
            self._check_data(data, is_start=curr_iter == 0)
        if step == 0:
            self._start_scale(stage)
        if self._active_stage != stage:
            self._activate(stage)
        wrappers = self._wrappers_of(stage, optim_wrapper)
        self._set_learning_rates(wrappers, step // self.discriminator_steps)

        # The images are in `self.reals`: none have to be prepared again.
        log_vars = super().train_step(
            dict(inputs={}, data_samples=None), wrappers)
        self._average_statistics(stage)

        log_vars['curr_stage'] = stage
        if step + 1 == self.iters_of_scale and stage < self.num_scales:
            self._finish_scale()
        return log_vars

    def compile_networks(self) -> Optional[str]:
        """Compile the stacks of all scales, but for the gradient penalty.

        Returns:
            None, or in one line why they are not compiled.
        """
        stacks = [
            *self._inner_generator.blocks, *unwrap(self.discriminator).blocks
        ]

        def trial(*stacks: nn.Module) -> Tensor:
            weight = stacks[-1].head.conv.weight
            return stacks[-1](weight.new_zeros(1, weight.shape[1], 64, 64))

        return compile_networks(stacks, trial)

    def train_discriminator(
            self, inputs: dict, data_samples: Optional[list],
            optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Update the discriminator of the current scale once.

        Args:
            inputs: Unused: the pyramid is kept in the model.
            data_samples: Unused.
            optimizer_wrapper: Optimiser of the scale's discriminator.

        Returns:
            Values for the log.
        """
        return self._update(self.discriminator, self._disc_losses(),
                            optimizer_wrapper)

    def train_generator(self, inputs: dict, data_samples: Optional[list],
                        optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Update the generator of the current scale once.

        Args:
            inputs: Unused: the pyramid is kept in the model.
            data_samples: Unused.
            optimizer_wrapper: Optimiser of the scale's generator.

        Returns:
            Values for the log.
        """
        return self._update(self.generator, self._gen_losses(),
                            optimizer_wrapper)

    def _update(self, network: nn.Module, losses: Losses,
                optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Update a network by the sum of losses; gives values for the log.

        A loss frees its graph before the next one is computed, which takes
        less memory. In several processes they share one backward pass, since
        each exchanges gradients.
        """
        at_once = is_model_wrapper(network)
        values = {}
        for name, loss in losses:
            if not at_once:
                optimizer_wrapper.backward(loss)
                loss = loss.detach()
            values[name] = loss
        total, log_vars = self.parse_losses(values)
        if at_once:
            optimizer_wrapper.backward(total)
        optimizer_wrapper.step()
        optimizer_wrapper.zero_grad()
        return log_vars

    def _gen_losses(self) -> Losses:
        """Adversarial and reconstruction loss (SinGAN, Eq. 5 and 6)."""
        stage = self.curr_stage
        yield 'loss_gen', -self.discriminator(self._random_image(),
                                              stage).mean()
        yield 'loss_mse', self.reconstruction_weight * F.mse_loss(
            self.generator(
                self._recon_input,
                self.fixed_noises,
                self.noise_weights,
                rand_mode='recon',
                curr_scale=stage,
                start_scale=stage), self.reals[stage])

    def _disc_losses(self) -> Losses:
        """Wasserstein loss with gradient penalty (SinGAN, Sec. 3.2)."""
        stage = self.curr_stage
        with torch.no_grad():
            fake = self._random_image()
        real = self.reals[stage]
        yield 'loss_disc_fake', self.discriminator(fake, stage).mean()
        yield 'loss_disc_real', -self.discriminator(real, stage).mean()
        with eagerly(unwrap(self.discriminator).blocks[stage]):
            penalty = gradient_penalty(
                lambda x: self.discriminator(x, stage), real, fake)
        yield 'loss_gp', self.gradient_penalty_weight * penalty

    def construct_fixed_noises(self) -> None:
        """Draw the noise that is to reconstruct the photograph.

        It is random at the first scale and zero at the others (SinGAN,
        Sec. 3.2), and the same in every process.
        """
        self.fixed_noises = [
            self._fixed_noise(stage, real)
            for stage, real in enumerate(self.reals)
        ]
        broadcast(self.fixed_noises[0])

    def _fixed_noise(self, stage: int, real: Tensor) -> Tensor:
        if stage == 0:
            return torch.randn(1, 1, *real.shape[-2:]).to(real)
        return torch.zeros_like(real)

    def _random_image(self) -> Tensor:
        return self.generator(
            None,
            self.fixed_noises,
            self.noise_weights,
            rand_mode='rand',
            curr_scale=self.curr_stage)

    def _check_data(self, data: dict, is_start: bool) -> None:
        """Take the pyramid, or see that it is the one of the checkpoint."""
        inputs = self.data_preprocessor(data, True)['inputs']
        reals = [
            inputs[f'real_scale{i}']
            for i in range(sum('real_scale' in key for key in inputs))
        ]
        if len(reals) != self.num_scales + 1:
            raise ValueError(
                f'The photograph gives {len(reals)} scales, so `num_scales` '
                f'(counted from zero) must be {len(reals) - 1}, but got '
                f'{self.num_scales}. Set `model.num_scales={len(reals) - 1}`, '
                'or None to have it computed.')
        if is_start:
            self.reals = reals
            self.noise_weights = [1.0]
            self.construct_fixed_noises()
        elif not _same_images(self.reals, reals):
            raise ValueError(
                'The checkpoint was trained on another photograph, or at '
                'other sizes, than the dataset gives: set `data_root`, '
                '`min_size`, `max_size` and `scale_factor_init` as they were.')
        self._data_is_checked = True

    def _start_scale(self, stage: int) -> None:
        if stage > self.num_scales:
            raise ValueError(
                f'All {self.num_scales + 1} scales have been trained: '
                '`train_cfg.max_iters` must be at most '
                f'{(self.num_scales + 1) * self.iters_of_scale}.')
        self._inner_generator.check_and_load_prev_weight(stage)
        unwrap(self.discriminator).check_and_load_prev_weight(stage)
        if self.with_ema_gen:
            self.generator_ema.module.blocks[stage].load_state_dict(
                self._inner_generator.blocks[stage].state_dict())
        self.curr_stage = stage
        self._active_stage = -1

    def _activate(self, stage: int) -> None:
        """Freeze what came before, and reconstruct with it just once."""
        generator = self._inner_generator
        generator.freeze_before(stage)
        self._recon_input = None
        if stage > 0:
            self._recon_input = upsample(
                self._reconstruct(stage - 1), self.reals[stage].shape[-2:])
        self._active_stage = stage

    def _average_statistics(self, stage: int) -> None:
        """Let BatchNorm's statistics be the same in all processes."""
        all_reduce_params([
            buffer for network in (self.generator, self.discriminator)
            for buffer in unwrap(network).blocks[stage].buffers()
            if buffer.is_floating_point()
        ], op='mean')

    def _finish_scale(self) -> None:
        """Set the weight of the next scale's noise (SinGAN, Sec. 3.2)."""
        stage = self.curr_stage
        self._inner_generator.freeze_before(stage + 1)
        image = F.interpolate(
            self._reconstruct(stage), self.reals[stage + 1].shape[-2:])
        error = F.mse_loss(image, self.reals[stage + 1]).sqrt().item()
        self.noise_weights.append(self.noise_weight_init * error)

    def _reconstruct(self, stage: int) -> Tensor:
        """Reconstruction of the photograph by frozen scales.

        Not under ``no_grad``, where they round otherwise than in a generator
        that is trained.
        """
        return self._inner_generator(
            None,
            self.fixed_noises,
            self.noise_weights,
            rand_mode='recon',
            curr_scale=stage).detach()

    @staticmethod
    def _wrappers_of(stage: int,
                     optim_wrapper: OptimWrapperDict) -> OptimWrapperDict:
        wrappers = {
            name: optim_wrapper[f'{name}_{stage}']
            for name in ('generator', 'discriminator')
        }
        if any(x._accumulative_counts != 1 for x in wrappers.values()):
            raise ValueError('SinGAN trains on one image and does not '
                             'accumulate gradients: `accumulative_counts` '
                             'must be 1.')
        return OptimWrapperDict(**wrappers)

    def _set_learning_rates(self, wrappers: OptimWrapperDict,
                            num_rounds: int) -> None:
        """Step schedule as a function of the rounds at this scale."""
        if not self.lr_scheduler_args:
            return
        factor = self.lr_scheduler_args.get('gamma', 0.1)**bisect_right(
            sorted(self.lr_scheduler_args['milestones']), num_rounds)
        for wrapper in wrappers.optim_wrappers.values():
            for group in wrapper.param_groups:
                group.setdefault('initial_lr', group['lr'])
                group['lr'] = group['initial_lr'] * factor

    @staticmethod
    def _check_schedule(args: Optional[dict]) -> None:
        if args and ('milestones' not in args
                     or not set(args) <= {'milestones', 'gamma'}):
            raise ValueError('Argument `lr_scheduler_args` must have the keys '
                             "'milestones' and, if wanted, 'gamma', but got "
                             f'{sorted(args)}.')


@MODELS.register_module()
class PESinGAN(SinGAN):
    """SinGAN with a choice of positional encoding (CVPR 2021, Sec. 4.3).

    Args:
        generator: Generator, or its config.
        discriminator: Discriminator, or its config.
        data_preprocessor: Data preprocessor, or its config.
        generator_steps: Updates of the generator in each round.
        discriminator_steps: Updates of the discriminator in each round.
        num_scales: Index of the finest scale, counted from zero.
        fixed_noise_with_pad: Whether the fixed noises have the size of the
            map that the generator has enlarged.
        first_fixed_noises_ch: Channels of the first scale's noise.
        iters_per_scale: Rounds of training at each scale.
        args: Further arguments of :class:`SinGAN`, in its order.
        kwargs: Further arguments of :class:`SinGAN`.
    """

    def __init__(self,
                 generator: ModelType,
                 discriminator: Optional[ModelType] = None,
                 data_preprocessor: Optional[ModelType] = None,
                 generator_steps: int = 1,
                 discriminator_steps: int = 1,
                 num_scales: Optional[int] = None,
                 fixed_noise_with_pad: bool = False,
                 first_fixed_noises_ch: int = 1,
                 iters_per_scale: int = 2000,
                 *args,
                 **kwargs) -> None:
        super().__init__(generator, discriminator, data_preprocessor,
                         generator_steps, discriminator_steps, num_scales,
                         iters_per_scale, *args, **kwargs)
        self.fixed_noise_with_pad = fixed_noise_with_pad
        self.first_fixed_noises_ch = first_fixed_noises_ch

    def _fixed_noise(self, stage: int, real: Tensor) -> Tensor:
        height, width = real.shape[-2:]
        border = 0
        if self.fixed_noise_with_pad:
            border = 2 * self._inner_generator.pad_head
        size = (height + border, width + border)
        if stage == 0:
            return torch.randn(1, self.first_fixed_noises_ch, *size).to(real)
        return torch.zeros(1, 1, *size).to(real)


def trained_scales(names: Iterable[str]) -> Optional[int]:
    """Index of the finest scale that the names of weights speak of.

    Args:
        names: Keys of a state dict.

    Returns:
        The index, or None where there is no SinGAN's generator.
    """
    scales = [
        int(name.split('.')[2]) for name in names
        if name.startswith('generator.blocks.')
    ]
    return max(scales, default=None)


def _build_scales(model: ModelType,
                  num_scales: Optional[int]) -> Tuple[nn.Module, int]:
    """Build a network that has ``num_scales``; see that it is known."""
    if isinstance(model, dict):
        own = model.get('num_scales')
        model = {
            **model, 'num_scales': num_scales if own is None else own
        }
        if model['num_scales'] is None:
            raise ValueError(
                '`num_scales` follows from the photograph, but is not known '
                'here: train with tools/train.py, which computes it, or call '
                '`mmpe.engine.fit_to_photograph(cfg)` first.')
        model = build_from(MODELS, model)
    own = len(unwrap(model).blocks) - 1
    if num_scales is not None and own != num_scales:
        raise ValueError('Argument `num_scales` must be the same everywhere, '
                         f'but got {num_scales} for the model and {own} for '
                         f'{type(unwrap(model)).__name__}.')
    return model, own


def _same_images(first: List[Tensor], second: List[Tensor]) -> bool:
    return len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, atol=1e-3)
        for a, b in zip(first, second))
