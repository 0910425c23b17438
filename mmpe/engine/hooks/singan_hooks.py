"""Images of a SinGAN training."""
import contextlib
import math
from pathlib import Path
from time import monotonic
from typing import Any, Dict, List, Tuple

import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.runner import Runner

from mmpe.registry import HOOKS
from mmpe.utils.compiling import eagerly
from mmpe.utils.images import contact_sheet, resize_image, save_image, to_rgb
from mmpe.utils.progress import ProgressBar
from mmpe.utils.wrappers import unwrap
from .iteration_hook import IterationHook
from .singan_time_hooks import SayingHook, Work
from .tracking_hooks import show, trackers

__all__ = [
    'SinGANDrawingHook', 'SinGANPreviewHook', 'SinGANVisualizationHook'
]

# Labels and images.
Row = List[Tuple[str, np.ndarray]]
# Fraction of the training time that previews may take.
_PART = 0.05


class SinGANDrawingHook(IterationHook):
    """Draws the current scale, without changing the training by a bit.

    Args:
        num_samples: Number of random samples.
        seed: Seed of the samples.
    """

    priority = 'LOW'

    def __init__(self, num_samples: int = 3, seed: int = 0) -> None:
        self.num_samples = num_samples
        self.seed = seed

    @torch.no_grad()
    def draw(self, model: Any) -> Row:
        """The photograph, its reconstruction and random samples.

        Args:
            model: The SinGAN, without wrapper.

        Returns:
            Labels and uint8 images (H, W, 3) in RGB order.
        """
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        # Compiled networks would be recompiled for other batch sizes.
        with torch.random.fork_rng(), eagerly(model):
            torch.manual_seed(self.seed)
            images = torch.cat([
                model.reals[model.curr_stage],
                model.sample(mode='recon'),
                model.sample(num_batches=self.num_samples)
            ])
        for module, mode in modes:
            module.training = mode
        pictures = map(to_rgb,
                       model.data_preprocessor.destruct(images.float()))
        labels = ['photograph', 'reconstruction',
                  *['sample'] * self.num_samples]
        return list(zip(labels, pictures))


@HOOKS.register_module()
class SinGANVisualizationHook(SinGANDrawingHook):
    """Writes a contact sheet at the end of each scale.

    ``scales/scale_{i}_{height}x{width}.png`` in the work dir shows the
    photograph at this scale, its reconstruction and random samples.
    TensorBoard and other backends also get the distances of both to the
    photograph (see :mod:`mmpe.evaluation.single_image`).

    Args:
        num_samples, seed: As for :class:`SinGANDrawingHook`.
    """

    @master_only
    def after_iteration(self, runner: Runner, outputs: dict) -> None:
        """Write the sheet at the end of a scale."""
        model = unwrap(runner.model)
        if (runner.iter + 1) % model.iters_of_scale:
            return
        stage = model.curr_stage
        height, width = model.pyramid_sizes[stage]
        path = Path(
            runner.work_dir) / 'scales' / f'scale_{stage}_{height}x{width}.png'
        row = self.draw(model)
        sheet = contact_sheet([row])
        save_image(path, sheet)
        show(runner, f'pictures/scale_{stage}', sheet)
        for tracker in trackers(runner):
            tracker.add_scalars(_distances(row), runner.iter + 1)
        runner.logger.info(f'Scale {stage} is done; its sheet is {path}')


@HOOKS.register_module()
class SinGANPreviewHook(SayingHook, SinGANDrawingHook):
    """Writes a preview of the training at intervals.

    ``preview.png`` in the work dir shows the photograph at the current scale,
    its reconstruction and random samples, all at the size of the finest scale,
    with the scale, the progress and the remaining time below. The file is
    replaced atomically, for viewers that reload it.

    Args:
        interval: Seconds between previews; longer if drawing them would take
            more than a twentieth of the time.
        args, kwargs: As for :class:`SinGANDrawingHook`.
    """

    def __init__(self, interval: float = 15, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.interval = interval

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Show the path of the preview."""
        self._path = Path(runner.work_dir, 'preview.png')
        self._due = -math.inf
        self.say(f'Watch {self._path}')

    @master_only
    def after_iteration(self, runner: Runner, outputs: dict) -> None:
        """Write the preview if it is due."""
        start = monotonic()
        if start < self._due:
            return
        self._write(runner, runner.iter + 1)
        end = monotonic()
        self._due = end + max(self.interval, (end - start) * (1 / _PART - 1))

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Write the last preview."""
        self._write(runner, runner.iter)

    def _write(self, runner: Runner, iters: int) -> None:
        model = unwrap(runner.model)
        row = [(label, resize_image(picture, model.pyramid_sizes[-1]))
               for label, picture in self.draw(model)]
        save_image(self._path, contact_sheet([row], _caption(runner, iters)))


def _distances(row: Row) -> Dict[str, float]:
    """Distances of a scale's images to the photograph."""
    # Slow to import, and only used with trackers.
    from mmpe.evaluation.single_image import (diversity, patch_swd,
                                              reconstruction)
    photograph, recon, *samples = (picture for _, picture in row)
    figures = {}
    with contextlib.suppress(ValueError):  # the scale is too coarse
        figures = reconstruction(recon, photograph)
        if len(samples) > 1:
            figures['diversity'] = diversity(samples, photograph)
        for level, distance in patch_swd(samples, photograph).items():
            figures[f'SWD-{level}'] = distance
    return {f'distance/{name}': value for name, value in figures.items()}


def _caption(runner: Runner, iters: int) -> str:
    """Caption with the scale and the progress."""
    model, work = unwrap(runner.model), Work(runner)
    height, width = model.pyramid_sizes[model.curr_stage]
    percentage = 100 * work.until(iters) / work.total
    caption = (f'scale {model.curr_stage}/{model.num_scales} '
               f'({height}x{width}), {percentage:.0f}%')
    eta = runner.message_hub.get_info('eta')
    if iters < runner.max_iters and eta is not None:
        caption += f', {ProgressBar.format_interval(eta)} to go'
    return caption
