"""SinGAN and its variant with positional encodings, trained scale by scale."""
from bisect import bisect_right
from copy import deepcopy
from functools import partial
from logging import WARNING
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmengine import MessageHub
from mmengine.dist import all_reduce_params
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from mmpe.registry import MODELS, build_from
from mmpe.utils.compiling import compile_networks
from mmpe.utils.wrappers import unwrap
from .graphs import CUDAGraph, IterationGraphs, graphs_problem
from .objectives import Losses
from .sampling import SinGANSampling
from .state import trained_scales

__all__ = ['PESinGAN', 'SinGAN', 'trained_scales']

ModelType = Union[dict, nn.Module]


@MODELS.register_module()
class SinGAN(SinGANSampling):
    """SinGAN: a generative model of a single photograph (ICCV 2019).

    Scales are trained one by one, with earlier scales frozen in evaluation
    mode. The state dict includes all that sampling and resuming need: fixed
    noises, noise weights, the current scale and the pyramid.

    An objective computes the losses. It can use the current scale
    ``curr_stage`` and the iterations done at it, ``curr_step``; :attr:`real`,
    :meth:`random_image`, :meth:`reconstruction` (which starts from
    ``recon_input``) and :meth:`scores`; and, for the networks without their
    wrappers, :attr:`current_generator` and :attr:`current_discriminator`.

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
        noise_weight_init: Factor on the root mean square error of the
            previous scale's reconstruction, which gives the noise weight.
        lr_scheduler_args: ``milestones`` (in rounds of each scale) and
            ``gamma`` of the step schedule of both learning rates.
        test_pkl_data: Path of the ``.pkl`` file that MMagic writes beside its
            checkpoints; its fixed noises and weights replace the model's when
            sampling.
        ema_confg: MMagic's spelling of ``ema_config``.
        ema_config: Config of the generator's exponential moving average.
        gradient_penalty_weight: Weight of WGAN-GP's penalty, passed on to the
            objective; by default the objective's own.
        reconstruction_weight: Weight of the mean squared error between the
            photograph and its reconstruction; likewise.
        objective: Config of the objective;
            :class:`~mmpe.models.singan.objectives.WholeImages` by default.
        cuda_graphs: Capture iterations as CUDA graphs, after a few eager ones
            at each scale (:mod:`mmpe.models.singan.graphs`). Needs a single
            process, a GPU, a fused Adam and an objective with ``kind``;
            otherwise a line in the log says what is missing. Tested with a
            substitute for CUDA's graphs only, not on a GPU yet.

    Raises:
        TypeError: The objective has no such argument.
        ValueError: ``num_scales`` is missing or inconsistent, the schedule
            has unknown arguments, or the objective adds to the state dict.
    """

    _graph_type = CUDAGraph

    _with_ema_gen: bool

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
                 gradient_penalty_weight: Optional[float] = None,
                 reconstruction_weight: Optional[float] = None,
                 objective: Optional[dict] = None,
                 cuda_graphs: bool = False) -> None:
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
            ema_config=ema_config or ema_confg,
            num_scales=num_scales,
            test_pkl_data=test_pkl_data)
        if not iters_per_scale >= 1:
            raise ValueError('Argument `iters_per_scale` must be at least 1, '
                             f'but got {iters_per_scale}.')
        self.iters_per_scale = iters_per_scale
        self.noise_weight_init = noise_weight_init
        self.lr_scheduler_args = deepcopy(lr_scheduler_args)
        self.objective = _build_objective(
            objective,
            gradient_penalty_weight=gradient_penalty_weight,
            reconstruction_weight=reconstruction_weight)

        self.cuda_graphs = cuda_graphs

        # Derived from state and iteration; rebuilt in every process.
        self.curr_step = 0
        self.recon_input: Optional[Tensor] = None
        self._data_is_checked = False
        self._active_stage = -1
        self._graphs: Optional[IterationGraphs] = None

    def set_extra_state(self, state: dict) -> None:
        """Restore the state and drop what was derived from the old one."""
        super().set_extra_state(state)
        self._data_is_checked = False
        self._deactivate()

    def _apply(self, fn: Callable, *args, **kwargs) -> 'SinGAN':
        """Move the weights and drop what was derived from them."""
        super()._apply(fn, *args, **kwargs)
        self._deactivate()
        return self

    def train(self, mode: bool = True) -> 'SinGAN':
        """Set the mode, unless it is already set.

        Training loops call this before each iteration, and at the small
        scales visiting all modules takes a tenth of an iteration.
        """
        parts = (self, self.generator, self.discriminator)
        if any(part is not None and part.training != mode for part in parts):
            super().train(mode)
        return self

    @property
    def iters_of_scale(self) -> int:
        """Number of iterations at each scale."""
        return self.iters_per_scale * self.discriminator_steps

    def train_step(self, data: dict,
                   optim_wrapper: OptimWrapperDict) -> Dict[str, Tensor]:
        """Run one iteration at the current scale.

        Args:
            data: Batch of one item of :class:`mmpe.datasets.SinGANDataset`.
            optim_wrapper: ``generator_{i}`` and ``discriminator_{i}`` for
                each scale i.

        Returns:
            Values to log.

        Raises:
            ValueError: The photograph does not match the model or the
                checkpoint, all scales have been trained, or gradients are
                accumulated.
        """
        curr_iter = MessageHub.get_current_instance().get_info('iter')
        stage, self.curr_step = divmod(curr_iter, self.iters_of_scale)
        if not self._data_is_checked:
            self._check_data(data, is_start=curr_iter == 0)
        if self.curr_step == 0:
            self._start_scale(stage)
        wrappers = self._wrappers_of(stage, optim_wrapper)
        if self._active_stage != stage:
            self._activate(stage)
        if self.cuda_graphs and self._graphs is None:
            self._graphs = self._make_graphs(wrappers)
        self._set_learning_rates(wrappers,
                                 self.curr_step // self.discriminator_steps)

        iteration = partial(self._iteration, wrappers)
        with_generator = (curr_iter + 1) % self.discriminator_steps == 0
        if self._graphs is None:
            log_vars = iteration()
        else:
            kind = (with_generator, self.objective.kind(self))
            log_vars = self._graphs.run(kind, iteration, wrappers)
        if self.with_ema_gen and with_generator:
            self._move_average(curr_iter + 1)
        self._average_statistics()

        log_vars['curr_stage'] = stage
        is_last = self.curr_step + 1 == self.iters_of_scale
        if is_last and stage < self.num_scales:
            self._finish_scale()
        return log_vars

    def _iteration(self, wrappers: OptimWrapperDict) -> Dict[str, Tensor]:
        """Update the networks of the scale; returns values to log."""
        with_ema, self._with_ema_gen = self._with_ema_gen, False
        try:
            # Images are in `self.reals`, so the batch is not preprocessed.
            return super().train_step(
                dict(inputs={}, data_samples=None), wrappers)
        finally:
            self._with_ema_gen = with_ema

    def _move_average(self, num_iters: int) -> None:
        """Update the moving average of the generator."""
        if num_iters >= self.ema_start * self.discriminator_steps:
            self.generator_ema.update_parameters(self._inner_generator)
        else:
            self.generator_ema.sync_parameters(self._inner_generator)

    def _make_graphs(self,
                     wrappers: OptimWrapperDict) -> Optional[IterationGraphs]:
        problem = self._graph_type.problem(self.device) or graphs_problem(
            self.objective, wrappers)
        if is_model_wrapper(self.generator):
            problem = 'there are several processes'
        if problem is None:
            return IterationGraphs(self._graph_type)
        print_log(f'CUDA graphs are not used: {problem}', 'current', WARNING)
        self.cuda_graphs = False
        return None

    def compile_networks(self) -> Optional[str]:
        """Compile the stacks of all scales, except for the gradient penalty.

        Returns:
            None, or one line that says why they are not compiled.
        """
        stacks = [
            *self._inner_generator.blocks, *unwrap(self.discriminator).blocks
        ]

        def trial(*stacks: Any) -> Tensor:
            weight = stacks[-1].head.conv.weight
            return stacks[-1](weight.new_zeros(1, weight.shape[1], 64, 64))

        return compile_networks(stacks, trial)

    def train_discriminator(
            self, inputs: dict, data_samples: Optional[list],
            optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Update the discriminator of the current scale once.

        Args:
            inputs: Unused, as the model keeps the pyramid.
            data_samples: Unused.
            optimizer_wrapper: Optimiser of the scale's discriminator.

        Returns:
            Values to log.
        """
        return self._update(self.discriminator,
                            self.objective.disc_losses(self),
                            optimizer_wrapper)

    def train_generator(self, inputs: dict, data_samples: Optional[list],
                        optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Update the generator of the current scale once.

        Args:
            inputs: Unused, as the model keeps the pyramid.
            data_samples: Unused.
            optimizer_wrapper: Optimiser of the scale's generator.

        Returns:
            Values to log.
        """
        return self._update(self.generator, self.objective.gen_losses(self),
                            optimizer_wrapper)

    def _update(self, network: nn.Module, losses: Losses,
                optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Update a network with the sum of losses; returns values to log.

        Each loss is back-propagated before the next one is computed, which
        saves memory. Several processes share one backward pass, as each pass
        exchanges gradients.
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

    # ------------------------------------------------ interface of objectives
    @property
    def real(self) -> Tensor:
        """The photograph (1, 3, H, W) at the current scale, in [-1, 1]."""
        return self.reals[self.curr_stage]

    @property
    def current_generator(self) -> nn.Module:
        """The current scale's stack of convolutions in the generator."""
        return self._inner_generator.blocks[self.curr_stage]

    @property
    def current_discriminator(self) -> nn.Module:
        """The discriminator of the current scale."""
        return unwrap(self.discriminator).blocks[self.curr_stage]

    def random_image(self, **kwargs) -> Tensor:
        """Sample images at the current scale, with gradients.

        Args:
            kwargs: Further arguments of the generator's ``forward``, such as
                ``num_batches`` (1) or ``position_codes``.

        Returns:
            (N, 3, H, W), in about [-1, 1].
        """
        return self._generate(
            self.generator,
            self.fixed_noises,
            'rand',
            curr_scale=self.curr_stage,
            **kwargs)

    def reconstruction(self, **kwargs) -> Tensor:
        """Reconstruct the photograph at the current scale, (1, 3, H, W).

        Starts from ``recon_input``, the frozen scales' reconstruction at the
        size of this scale (None at the first scale).

        Args:
            kwargs: Changes from the first scale on, as for
                :meth:`random_image`; with any, all scales are run.
        """
        if kwargs:
            return self._generate(
                self.generator,
                self.fixed_noises,
                'recon',
                curr_scale=self.curr_stage,
                **kwargs)
        return self._generate(
            self.generator,
            self.fixed_noises,
            'recon',
            input_sample=self.recon_input,
            curr_scale=self.curr_stage,
            start_scale=self.curr_stage)

    def scores(self, images: Tensor) -> Tensor:
        """Scores of the current discriminator, larger for real patches.

        Args:
            images: (N, 3, H, W), in about [-1, 1].

        Returns:
            (N, 1, H', W'), differentiable.
        """
        return self.discriminator(images, self.curr_stage)

    # ----------------------------------------------------------------- scales
    def _check_data(self, data: dict, is_start: bool) -> None:
        """Take over the pyramid, or check it against the checkpoint's."""
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
                '`min_size`, `max_size`, `scale_factor_init` and `doubling` '
                'to the values of that training.')
        self._check_objective()
        self._data_is_checked = True

    def _check_objective(self) -> None:
        check = getattr(self.objective, 'check', None)
        if check:
            check(self)

    def _start_scale(self, stage: int) -> None:
        """Initialise the networks of a scale with the previous scale's.

        Each scale starts from the weights of the previous one if the shapes
        match, that is except where the channels double.
        """
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
        self._deactivate()

    def _deactivate(self) -> None:
        self._active_stage = -1
        self._graphs = None

    def _activate(self, stage: int) -> None:
        """Freeze earlier scales and cache their reconstruction."""
        generator = self._inner_generator
        generator.freeze_before(stage)
        self.recon_input = self._refined(stage) if stage > 0 else None
        self._active_stage = stage

    def _refined(self, stage: int) -> Tensor:
        """Input image of a scale when reconstructing the photograph.

        Computed with gradients enabled, as ``no_grad`` would change the
        rounding of the frozen scales (see ``blocks.py``).
        """
        return self._inner_generator.recon_input(
            self.fixed_noises, self.noise_weights, stage).detach()

    def _average_statistics(self) -> None:
        """Average BatchNorm's running statistics over processes."""
        all_reduce_params([
            buffer
            for network in (self.current_generator, self.current_discriminator)
            for buffer in network.buffers() if buffer.is_floating_point()
        ], op='mean')

    def _finish_scale(self) -> None:
        """Set the standard deviation of the next scale's noise.

        Proportional to the root mean square error between the photograph and
        the upsampled reconstruction, which indicates the amount of detail to
        be added at that scale (SinGAN, Training).
        """
        stage = self.curr_stage + 1
        self._inner_generator.freeze_before(stage)
        error = F.mse_loss(self._before(stage), self.reals[stage])
        self.noise_weights.append(self.noise_weight_init *
                                  error.sqrt().item())

    def _before(self, stage: int) -> Tensor:
        """The previous scale's reconstruction, at the size of this scale.

        Nearest-neighbour, as in MMagic, unlike the generator's bicubic.
        """
        image = self._generate(
            self._inner_generator,
            self.fixed_noises,
            'recon',
            curr_scale=stage - 1).detach()
        return F.interpolate(image, self.reals[stage].shape[-2:])

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
        """Step schedule, as a function of the rounds done at this scale."""
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
            raise ValueError('Argument `lr_scheduler_args` must have the key '
                             "'milestones' and may have 'gamma', but got "
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
        fixed_noise_with_pad: Whether fixed noises have the size of the
            enlarged input (the generator's ``noise_with_pad``).
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


def _build_scales(model: Any,
                  num_scales: Optional[int]) -> Tuple[nn.Module, int]:
    """Build a network with ``num_scales``, which must be known."""
    if isinstance(model, dict):
        own = model.get('num_scales')
        model = {
            **model, 'num_scales': num_scales if own is None else own
        }
        if model['num_scales'] is None:
            raise ValueError(
                '`num_scales` follows from the photograph, but is not set: '
                'train with tools/train.py, which computes it, or call '
                '`mmpe.engine.fit_to_photograph(cfg)` first.')
        model = build_from(MODELS, model)
    own = len(unwrap(model).blocks) - 1
    if num_scales is not None and own != num_scales:
        raise ValueError('Argument `num_scales` must be the same everywhere, '
                         f'but got {num_scales} for the model and {own} for '
                         f'{type(unwrap(model)).__name__}.')
    return model, own


def _build_objective(cfg: Optional[dict], **weights) -> Any:
    """Build an objective; weights that are None keep its defaults."""
    given = {
        name: weight
        for name, weight in weights.items() if weight is not None
    }
    objective = build_from(MODELS, cfg or {}, type='WholeImages', **given)
    if isinstance(objective, nn.Module) and objective.state_dict():
        raise ValueError('An objective must not add to the state dict, '
                         f'but {type(objective).__name__} adds '
                         f'{sorted(objective.state_dict())}.')
    return objective


def _same_images(first: List[Tensor], second: List[Tensor]) -> bool:
    return len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, atol=1e-3)
        for a, b in zip(first, second))
