"""SinGAN and its variant with positional encodings, trained scale by scale."""
from copy import deepcopy
from functools import partial
from logging import WARNING
from typing import Any, Dict, Optional, Union

import torch
import torch.nn as nn
from mmengine import MessageHub
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor

from mmpe.registry import MODELS, build_from
from mmpe.utils.compiling import compile_networks
from mmpe.utils.wrappers import unwrap
from .graphs import CUDAGraph, IterationGraphs, graphs_problem
from .multi_scale import build_scales
from .objectives import Losses, build_objective
from .scales import SinGANScales
from .schedule import check_schedule, set_learning_rates, wrappers_of_scale
from .state import trained_scales

__all__ = ['PESinGAN', 'SinGAN', 'trained_scales']

ModelType = Union[dict, nn.Module]


@MODELS.register_module()
class SinGAN(SinGANScales):
    """SinGAN: a generative model of a single photograph (ICCV 2019).

    Scales are trained one by one, with earlier scales frozen in evaluation
    mode. The state dict includes all that sampling and resuming need: fixed
    noises, noise weights, the current scale and the pyramid.

    Args:
        generator, discriminator, data_preprocessor: The parts, or their
            configs.
        generator_steps, discriminator_steps: Updates of each network in a
            round.
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
        check_schedule(lr_scheduler_args)
        generator, num_scales = build_scales(generator, num_scales)
        if discriminator is not None:
            discriminator, _ = build_scales(discriminator, num_scales)
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
            test_pkl_data=test_pkl_data,
            iters_per_scale=iters_per_scale,
            noise_weight_init=noise_weight_init)
        self.lr_scheduler_args = deepcopy(lr_scheduler_args)
        self.objective = build_objective(
            objective,
            gradient_penalty_weight=gradient_penalty_weight,
            reconstruction_weight=reconstruction_weight)
        self.cuda_graphs = cuda_graphs
        self._graphs: Optional[IterationGraphs] = None

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
        wrappers = wrappers_of_scale(stage, optim_wrapper)
        if self._active_stage != stage:
            self._activate(stage)
        if self.cuda_graphs and self._graphs is None:
            self._graphs = self._make_graphs(wrappers)
        set_learning_rates(wrappers, self.lr_scheduler_args,
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

    def _deactivate(self) -> None:
        super()._deactivate()
        self._graphs = None

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
            inputs, data_samples: Unused, as the model keeps the pyramid.
            optimizer_wrapper: Optimiser of the scale's discriminator.

        Returns:
            Values to log.
        """
        return self._update(self.discriminator,
                            self.objective.disc_losses(self),
                            optimizer_wrapper)

    def train_generator(self, inputs: dict, data_samples: Optional[list],
                        optimizer_wrapper: OptimWrapper) -> Dict[str, Tensor]:
        """Update the generator once, as :meth:`train_discriminator` does."""
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


@MODELS.register_module()
class PESinGAN(SinGAN):
    """SinGAN with a choice of positional encoding (CVPR 2021, Sec. 4.3).

    Args:
        fixed_noise_with_pad: Whether fixed noises have the size of the
            enlarged input (the generator's ``noise_with_pad``).
        first_fixed_noises_ch: Channels of the first scale's noise.

    All other arguments are those of :class:`SinGAN`, in its order.
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
