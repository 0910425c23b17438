"""Time of a SinGAN training: estimate, remaining time, progress bar."""
from functools import partial
from typing import Any, Callable, Dict, List, Optional

import numpy as np
from mmagic.engine.hooks import IterTimerHook
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner

from mmpe.engine.scale_times import measure_scales, scale_costs
from mmpe.registry import HOOKS
from mmpe.utils.progress import WORK_FORMAT, ProgressBar
from mmpe.utils.wrappers import unwrap
from .iteration_hook import IterationHook

__all__ = [
    'TRAINED', 'SayingHook', 'SinGANEstimateHook', 'SinGANProgressHook',
    'SinGANTimerHook', 'Work'
]

# Fraction of the training time that the estimate may take.
_PART = 0.02
# Key in the message hub: seconds per iteration at each scale.
_SECONDS = 'scale_seconds'
# Key in the message hub: training time so far, including interrupted runs.
TRAINED = 'trained_seconds'


class Work:
    """Work of a run's iterations, which grows with the scale.

    In seconds if :class:`SinGANEstimateHook` has measured them, else in
    arbitrary units.

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
    """A hook that shows one-line messages.

    Attributes:
        say: Called with each message; prints it by default.
    """

    say: Callable[[str], None] = staticmethod(partial(print, flush=True))


@HOOKS.register_module()
class SinGANEstimateHook(SayingHook):
    """Estimates the training time on this machine before the training.

    Measures some rounds at each scale on a copy (:func:`.measure_scales`),
    which takes about a fiftieth of the training time. The other hooks base the
    remaining time on this. Skipped if a scale has fewer than 100 rounds.
    """

    def before_train(self, runner: Runner) -> None:
        """Measure, and show the estimate."""
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
    """Estimates the remaining time of the run and of the current scale.

    Iterations at fine scales take many times as long as at coarse ones. The
    time of later scales is extrapolated from their work, with a line fitted to
    the times of the scales so far.
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

    def _update(self, runner: Runner, model: Any) -> None:
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
        """Measured times, and estimates for scales without."""
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
    """Median seconds per iteration, over rounds.

    Only one iteration of a round also updates the generator. The median
    ignores the pause at the end of a scale.
    """
    num_rounds = len(times) // round_length
    if not num_rounds:
        return float(np.mean(times))
    rounds = np.reshape(times[:num_rounds * round_length], (num_rounds, -1))
    return float(np.median(rounds.mean(axis=1)))


@HOOKS.register_module()
class SinGANProgressHook(IterationHook):
    """Progress bar in the terminal.

    It advances by work instead of iterations, so the remaining time is right
    although later scales are slower.
    """

    @master_only
    def after_iteration(self, runner: Runner, outputs: dict) -> None:
        """Advance by the work of an iteration."""
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
        """Close the bar, if there were iterations."""
        if hasattr(self, '_bar'):
            self._bar.close()
