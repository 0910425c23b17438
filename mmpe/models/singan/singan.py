"""SinGAN and its variant with positional encodings: scale after scale."""
from bisect import bisect_right
from copy import deepcopy
from functools import partial
from logging import WARNING
from typing import Callable, Dict, List, Optional, Tuple, Union

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

    The scales are trained one after the other; earlier ones are frozen in
    evaluation mode. Everything that sampling and resuming need (fixed noises,
    noise weights, current scale, pyramid) is part of the state dict.

    An objective gives the losses. It works with the current scale, which is
    ``curr_stage``, and with ``curr_step``, the iterations done at it;
    :attr:`real`, :meth:`random_image`, :meth:`reconstruction` (from
    ``recon_input``) and :meth:`scores`; and where it needs the networks
    without what wraps them, :attr:`current_generator` and
    :attr:`current_discriminator`.

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
        gradient_penalty_weight: Weight of WGAN-GP's penalty, passed on to the
            objective; by default the objective's own.
        reconstruction_weight: Weight of the mean squared error between the
            photograph and its reconstruction, likewise.
        objective: Config of how a scale is trained; by default that of
            :class:`~mmpe.models.singan.objectives.WholeImages`.
        cuda_graphs: Whether iterations are captured as CUDA graphs, after a
            few at each scale (:mod:`mmpe.models.singan.graphs`). It needs one
            process, a GPU, a fused Adam and an objective that says which
            iterations are alike; else a line in the log says what is missing.
            This has been tested with a stand-in for CUDA's graphs only: it
            has not been run on a GPU yet.

    Raises:
        TypeError: The objective does not know an argument.
        ValueError: ``num_scales`` is missing or given twice with different
            values, the schedule has unknown arguments, or the objective
            adds to the state dict.
    """

    _graph_type = CUDAGraph

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

        # Follows from state and iteration; made anew in every process.
        self.curr_step = 0
        self.recon_input: Optional[Tensor] = None
        self._data_is_checked = False
        self._active_stage = -1
        self._graphs: Optional[IterationGraphs] = None

    def set_extra_state(self, state: dict) -> None:
        """Restore the state, and forget what followed from another one."""
        super().set_extra_state(state)
        self._data_is_checked = False
        self._deactivate()

    def _apply(self, fn: Callable, *args, **kwargs) -> 'SinGAN':
        """Move the weights, and make anew what follows from them."""
        super()._apply(fn, *args, **kwargs)
        self._deactivate()
        return self

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
        """Update the networks of the scale; gives values for the log."""
        with_ema, self._with_ema_gen = self._with_ema_gen, False
        try:
            # The images are in `self.reals`: none have to be prepared again.
            return super().train_step(
                dict(inputs={}, data_samples=None), wrappers)
        finally:
            self._with_ema_gen = with_ema

    def _move_average(self, num_iters: int) -> None:
        """Let the moving average follow the generator."""
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
        return self._update(self.discriminator,
                            self.objective.disc_losses(self),
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
        return self._update(self.generator, self.objective.gen_losses(self),
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

    # ---------------------------------------------- what objectives work with
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
        """A new image of the current scale.

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
        """The current scale's reconstruction (1, 3, H, W) of the photograph.

        It goes on from ``recon_input``, the reconstruction of the frozen
        scales in the size of this one (None at the first scale).

        Args:
            kwargs: What changes it from the first scale on, as in
                :meth:`random_image`; then all scales are run.
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
        """What the current discriminator thinks; larger for real patches.

        Args:
            images: (N, 3, H, W), in about [-1, 1].

        Returns:
            (N, 1, H', W'), differentiable.
        """
        return self.discriminator(images, self.curr_stage)

    # ----------------------------------------------------------------- scales
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
                '`min_size`, `max_size`, `scale_factor_init` and `doubling` '
                'as they were.')
        self._check_objective()
        self._data_is_checked = True

    def _check_objective(self) -> None:
        check = getattr(self.objective, 'check', None)
        if check:
            check(self)

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
        self._deactivate()

    def _deactivate(self) -> None:
        self._active_stage = -1
        self._graphs = None

    def _activate(self, stage: int) -> None:
        """Freeze what came before, and reconstruct with it just once."""
        generator = self._inner_generator
        generator.freeze_before(stage)
        self.recon_input = self._refined(stage) if stage > 0 else None
        self._active_stage = stage

    def _refined(self, stage: int) -> Tensor:
        """What a stage refines when the photograph is reconstructed.

        Not under ``no_grad``, where frozen scales round otherwise than in a
        generator that is trained.
        """
        return self._inner_generator.recon_input(
            self.fixed_noises, self.noise_weights, stage).detach()

    def _average_statistics(self) -> None:
        """Let BatchNorm's statistics be the same in all processes."""
        all_reduce_params([
            buffer
            for network in (self.current_generator, self.current_discriminator)
            for buffer in network.buffers() if buffer.is_floating_point()
        ], op='mean')

    def _finish_scale(self) -> None:
        """Set the weight of the next scale's noise (SinGAN, Sec. 3.2)."""
        stage = self.curr_stage + 1
        self._inner_generator.freeze_before(stage)
        error = F.mse_loss(self._before(stage), self.reals[stage])
        self.noise_weights.append(self.noise_weight_init *
                                  error.sqrt().item())

    def _before(self, stage: int) -> Tensor:
        """The reconstruction of the scale before, in the size of this one."""
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


def _build_objective(cfg: Optional[dict], **weights) -> object:
    """Build an objective; weights that are None are its own."""
    given = {
        name: weight
        for name, weight in weights.items() if weight is not None
    }
    objective = build_from(MODELS, cfg or {}, type='WholeImages', **given)
    if isinstance(objective, nn.Module) and objective.state_dict():
        raise ValueError('An objective must add nothing to the state dict, '
                         f'but {type(objective).__name__} adds '
                         f'{sorted(objective.state_dict())}.')
    return objective


def _same_images(first: List[Tensor], second: List[Tensor]) -> bool:
    return len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, atol=1e-3)
        for a, b in zip(first, second))
