"""How long a SinGAN training takes: said before it, and shown during it."""
from copy import deepcopy
from functools import partial
from time import perf_counter
from typing import Callable, Dict, List, Optional

import numpy as np
import torch
from mmagic.engine.hooks import IterTimerHook
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner
from torch import nn

from mmpe.registry import HOOKS
from mmpe.utils.progress import WORK_FORMAT, ProgressBar
from mmpe.utils.wrappers import unwrap

__all__ = [
    'TRAINED', 'SayingHook', 'SinGANEstimateHook', 'SinGANProgressHook',
    'SinGANTimerHook', 'Work', 'measure_scales', 'scale_costs'
]

# The part of a training that an estimate of its time may take.
_PART = 0.02
# Under which name the message hub has the seconds of each scale's iterations.
_SECONDS = 'scale_seconds'
# And those of all iterations so far, in interrupted runs, too.
TRAINED = 'trained_seconds'


def scale_costs(model: nn.Module) -> List[float]:
    """Work of one iteration at each scale, up to a common factor.

    Counted are multiplications in convolutions: per round the generator runs
    forward through all scales six times; the current block of generator and
    discriminator are also differentiated, the latter twice for the penalty.

    Args:
        model: A SinGAN that knows the sizes of its pyramid.

    Returns:
        One number for each scale.
    """

    def weights(block: nn.Module) -> int:
        return sum(p.numel() for p in block.parameters() if p.dim() == 4)

    costs, forward = [], 0.0
    for (height, width), gen, disc in zip(model.pyramid_sizes,
                                          unwrap(model.generator).blocks,
                                          unwrap(model.discriminator).blocks):
        area = height * width
        forward += area * weights(gen)
        costs.append(2 * forward + area * (5 * weights(gen) +
                                           15 * weights(disc)))
    return costs


def measure_scales(model: nn.Module,
                   optim_wrapper: OptimWrapperDict,
                   data: dict,
                   rounds: int = 2) -> List[float]:
    """Seconds that an iteration takes at each scale, tried on a copy.

    The model, its optimisers and the random numbers stay as they are. Where
    there are several processes, all have to call this.

    Args:
        model: A SinGAN, which may be wrapped for distributed training.
        optim_wrapper: Its optimisers.
        data: A batch that it is trained on.
        rounds: Rounds that are measured at each scale, after one that is not.

    Returns:
        One number for each scale.

    Raises:
        ValueError: A scale has fewer rounds, or see ``SinGAN.train_step``.
    """
    model = unwrap(model)
    if not 1 <= rounds < model.iters_per_scale:
        raise ValueError('Argument `rounds` must be at least 1 and below '
                         f'{model.iters_per_scale}, the rounds of a scale, '
                         f'but got {rounds}.')
    hub = MessageHub.get_current_instance()
    iteration = hub.get_info('iter')
    model, optim_wrapper = deepcopy((model, optim_wrapper))
    model.train()

    def run(start: int, stop: int) -> float:
        for index in range(start, stop):
            hub.update_info('iter', index)
            model.train_step(data, optim_wrapper)
        if model.device.type == 'cuda':
            torch.cuda.synchronize()
        return perf_counter()

    seconds = []
    try:
        with torch.random.fork_rng():
            for stage in range(model.num_scales + 1):
                # What the end of the scale before would have set.
                model.noise_weights += [model.noise_weight_init] * (
                    stage + 1 - len(model.noise_weights))
                first = stage * model.iters_of_scale
                second = first + model.discriminator_steps
                end = second + rounds * model.discriminator_steps
                start = run(first, second)
                seconds.append((run(second, end) - start) / (end - second))
    finally:
        hub.update_info('iter', iteration)
    return seconds


class Work:
    """Work of a run's iterations, which is more at later scales.

    It is counted in seconds if :class:`SinGANEstimateHook` has measured them,
    else up to a common factor.

    Args:
        runner: Runner of a SinGAN whose training has started.

    Attributes:
        of_scale: Work of an iteration at each scale.
        total: Work of the whole run.
    """

    def __init__(self, runner: Runner) -> None:
        model = unwrap(runner.model)
        self.of_scale = runner.message_hub.get_info(
            _SECONDS) or scale_costs(model)
        self._iters_of_scale = model.iters_of_scale
        self.total = self.until(runner.max_iters)

    def until(self, iters: int) -> float:
        """Work of the first iterations.

        Args:
            iters: Number of iterations.
        """
        stage, rest = divmod(iters, self._iters_of_scale)
        work = sum(self.of_scale[:stage]) * self._iters_of_scale
        return work + (rest * self.of_scale[stage] if rest else 0)


class SayingHook(Hook):
    """A hook that tells people something, in one line.

    Attributes:
        say: Gets the line; prints it unless it is set to something else.
    """

    say: Callable[[str], None] = staticmethod(partial(print, flush=True))


@HOOKS.register_module()
class SinGANEstimateHook(SayingHook):
    """Says before a training how long it will take on this machine.

    Some rounds are tried on a copy at each scale, which takes about a
    fiftieth of the training (:func:`measure_scales`); the hooks that tell the
    remaining time begin with what was measured. Where a scale has fewer than
    100 rounds nothing is tried nor said.
    """

    def before_train(self, runner: Runner) -> None:
        """Measure, and say what it means."""
        model = unwrap(runner.model)
        rounds = min(2, int(_PART * model.iters_per_scale) - 1)
        if rounds < 1 or runner.iter >= runner.max_iters:
            return
        loader = runner.train_dataloader
        item = loader.dataset[0]
        runner.message_hub.update_info(
            _SECONDS,
            measure_scales(runner.model, runner.optim_wrapper,
                           loader.collate_fn([item]), rounds),
            resumed=False)
        work = Work(runner)
        seconds = work.total - work.until(runner.iter)
        runner.message_hub.update_info('eta', seconds)
        image = item['inputs'][f'real_scale{model.num_scales}']
        height, width = image.shape[-2:]
        if is_main_process():
            self.say(f'Training at {height}x{width} pixels, '
                     f'{model.num_scales + 1} scales: {_about(seconds)} '
                     f'{"to go " if runner.iter else ""}on this machine')


def _about(seconds: float) -> str:
    if seconds >= 7200:
        return f'about {seconds / 3600:.1f} hours'
    if seconds >= 90:
        return f'about {seconds / 60:.0f} minutes'
    if seconds >= 10:
        return f'about {seconds:.0f} seconds'
    return 'a few seconds'


@HOOKS.register_module()
class SinGANTimerHook(IterTimerHook):
    """Remaining time of the run and of the current scale, and time so far.

    Iterations at the last scales take many times as long as at the first, so
    the time of the scales to come is estimated from the work they are, by a
    line through the times of the scales so far.
    """

    def before_train(self, runner: Runner) -> None:
        """Start measuring."""
        super().before_train(runner)
        self._times: Dict[int, List[float]] = {}

    def _after_iter(self,
                    runner: Runner,
                    batch_idx: int,
                    data_batch: DATA_BATCH = None,
                    outputs: Optional[dict] = None,
                    mode: str = 'train') -> None:
        super()._after_iter(runner, batch_idx, data_batch, outputs, mode)
        if mode != 'train':
            return
        hub = runner.message_hub
        seconds = float(hub.get_scalar('train/time').current())
        hub.update_info(TRAINED, hub.get_info(TRAINED, 0.) + seconds)
        model = unwrap(runner.model)
        self._times.setdefault(model.curr_stage, []).append(seconds)
        if self.every_n_inner_iters(batch_idx,
                                    runner.log_processor.window_size):
            self._update(runner, model)

    def _update(self, runner: Runner, model: nn.Module) -> None:
        per_iter = self._seconds_per_iter(
            Work(runner).of_scale, model.discriminator_steps)
        stage, done = divmod(runner.iter + 1, model.iters_of_scale)
        rest = [0.0] * len(per_iter)
        for index in range(stage, len(per_iter)):
            iters = model.iters_of_scale - (done if index == stage else 0)
            rest[index] = iters * per_iter[index]
        runner.message_hub.update_info('scale_eta',
                                       rest[min(stage, len(rest) - 1)])
        runner.message_hub.update_info('eta', sum(rest))

    def _seconds_per_iter(self, costs: List[float],
                          round_length: int) -> List[float]:
        """Measured where there are measurements, estimated elsewhere."""
        measured = {
            s: _typical(times, round_length)
            for s, times in self._times.items()
        }
        x = np.array([costs[s] for s in measured])
        y = np.array(list(measured.values()))
        slope, start = (np.polyfit(x, y, 1) if len(x) > 1 else
                        (y[0] / x[0], 0.0))
        if slope <= 0 or start < 0:
            slope, start = y[-1] / x[-1], 0.0
        return [
            measured.get(s, start + slope * cost)
            for s, cost in enumerate(costs)
        ]


def _typical(times: List[float], round_length: int) -> float:
    """Seconds per iteration of a typical round.

    Only one iteration of a round updates the generator too. The median is not
    misled by the pause in which a scale ends.
    """
    num_rounds = len(times) // round_length
    if not num_rounds:
        return float(np.mean(times))
    rounds = np.reshape(times[:num_rounds * round_length], (num_rounds, -1))
    return float(np.median(rounds.mean(axis=1)))


@HOOKS.register_module()
class SinGANProgressHook(Hook):
    """A progress bar in the terminal, for work that is watched.

    It advances by the work that is done, not by iterations, so that its
    estimate of the remaining time holds although later scales are slower.
    """

    @master_only
    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Advance by one iteration's work."""
        model = unwrap(runner.model)
        if not hasattr(self, '_bar'):
            self._work = Work(runner)
            self._bar = ProgressBar(
                total=self._work.total,
                initial=self._work.until(runner.iter),
                smoothing=0.02,
                bar_format=WORK_FORMAT)
        height, width = model.pyramid_sizes[model.curr_stage]
        self._bar.set_description(
            f'scale {model.curr_stage}/{model.num_scales} '
            f'({height}x{width})',
            refresh=False)
        self._bar.update(self._work.of_scale[model.curr_stage])

    @master_only
    def after_rollback(self, runner: Runner) -> None:
        """Go back."""
        if hasattr(self, '_bar'):
            self._bar.n = self._bar.last_print_n = self._work.until(
                runner.iter)

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Close the bar, if there was an iteration at all."""
        if hasattr(self, '_bar'):
            self._bar.close()
