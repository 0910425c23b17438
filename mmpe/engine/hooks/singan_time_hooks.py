"""How long a SinGAN training takes: remaining time and progress."""
from typing import Dict, List, Optional

import numpy as np
from mmagic.engine.hooks import IterTimerHook
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import nn

from mmpe.registry import HOOKS
from mmpe.utils.progress import WORK_FORMAT, ProgressBar
from mmpe.utils.wrappers import unwrap

__all__ = ['SinGANProgressHook', 'SinGANTimerHook', 'scale_costs']


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


@HOOKS.register_module()
class SinGANTimerHook(IterTimerHook):
    """Remaining time of the run and of the current scale.

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
        seconds = runner.message_hub.get_scalar('train/time').current()
        model = unwrap(runner.model)
        self._times.setdefault(model.curr_stage, []).append(seconds)
        if self.every_n_inner_iters(batch_idx,
                                    runner.log_processor.window_size):
            self._update(runner, model)

    def _update(self, runner: Runner, model: nn.Module) -> None:
        per_iter = self._seconds_per_iter(
            scale_costs(model), model.discriminator_steps)
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

    def before_train_iter(self, runner: Runner, batch_idx: int,
                          data_batch: DATA_BATCH = None) -> None:
        """Note the scale before the first iteration of this run."""
        self._start = getattr(self, '_start', runner.iter)

    @master_only
    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Advance by one iteration's work."""
        model = unwrap(runner.model)
        if runner.iter == self._start:
            self._costs = scale_costs(model)
            done = self._work(runner.iter, model)
            self._bar = ProgressBar(
                total=self._work(runner.max_iters, model),
                initial=done,
                smoothing=0.02,
                bar_format=WORK_FORMAT)
        height, width = model.pyramid_sizes[model.curr_stage]
        self._bar.set_description(
            f'scale {model.curr_stage}/{model.num_scales} '
            f'({height}x{width})',
            refresh=False)
        self._bar.update(self._costs[model.curr_stage])

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Close the bar, if there was an iteration at all."""
        if hasattr(self, '_bar'):
            self._bar.close()

    def _work(self, iters: int, model: nn.Module) -> float:
        scales, rest = divmod(iters, model.iters_of_scale)
        work = sum(self._costs[:scales]) * model.iters_of_scale
        return work + (rest * self._costs[scales] if rest else 0)
