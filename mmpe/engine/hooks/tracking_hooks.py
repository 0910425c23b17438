"""Logging to TensorBoard and other visualization backends."""
import importlib.util
from typing import Dict, List, Tuple

import numpy as np
import torch
from mmagic.visualization import VisBackend
from mmengine.config import Config, ConfigDict
from mmengine.dist import master_only
from mmengine.runner import Runner
from mmengine.visualization import LocalVisBackend
from mmengine.visualization.vis_backend import BaseVisBackend
from torch import Tensor

from mmpe.registry import HOOKS
from .iteration_hook import IterationHook

__all__ = ['ScaleLossesHook', 'add_tensorboard', 'show', 'trackers']

# Keys of the scale in the outputs of an iteration.
_SCALES = ('curr_stage', 'scale')


def add_tensorboard(config: Config) -> None:
    """Make a training write event files for TensorBoard.

    They are next to the log, in ``*/vis_data`` of the work dir, and contain
    losses, losses per scale, validation results and contact sheets.

    Args:
        config: Config of the training, changed in place.

    Raises:
        ImportError: TensorBoard is not installed.
    """
    if importlib.util.find_spec('tensorboard') is None:
        raise ImportError("The package 'tensorboard' is not installed: run "
                          "`pip install 'mmpe[tensorboard]'`.")
    visualizer = config.setdefault('visualizer', ConfigDict(type='Visualizer'))
    visualizer.vis_backends = [
        *visualizer.get('vis_backends', []),
        dict(type='mmengine.TensorboardVisBackend')
    ]
    config.custom_hooks = [
        *config.get('custom_hooks', []),
        dict(type='ScaleLossesHook')
    ]


def trackers(runner: Runner) -> List[BaseVisBackend]:
    """The visualizer's backends, except the local ones.

    The local ones get nothing here, as images are written to the work dir
    anyway.

    Args:
        runner: The runner of the training.
    """
    return [
        backend for backend in runner.visualizer._vis_backends.values()
        if not isinstance(backend, (LocalVisBackend, VisBackend))
    ]


def show(runner: Runner, name: str, picture: np.ndarray) -> None:
    """Send an image to :func:`trackers`.

    Args:
        runner: The runner of the training.
        name: Tag of the image.
        picture: uint8 (H, W, 3) in RGB order.
    """
    for backend in trackers(runner):
        backend.add_image(name, picture, runner.iter + 1)


@HOOKS.register_module()
class ScaleLossesHook(IterationHook):
    """Logs the losses of each scale to the visualizer's backends.

    The log mixes the scales of an MS-PIE training, and separates those of a
    SinGAN only by iteration. This hook logs, for example, the mean of
    ``loss_gen`` over the last iterations at scale 2 as ``loss_gen/scale_2``,
    with scales numbered as in the log. It does nothing for single-scale
    models.

    Args:
        interval: Number of iterations to average over.

    Raises:
        ValueError: ``interval`` is below 1.
    """

    # Before the LoggerHook, which closes the backends.
    priority = 'NORMAL'

    def __init__(self, interval: int = 100) -> None:
        if interval < 1:
            raise ValueError('Argument `interval` must be at least 1, but '
                             f'got {interval}.')
        self.interval = interval
        self._kept: Dict[Tuple[str, int], List[Tensor]] = {}

    @master_only
    def after_iteration(self, runner: Runner, outputs: dict) -> None:
        """Keep the losses; log their means at the interval."""
        self._keep(outputs)
        if self._kept and (self.every_n_train_iters(runner, self.interval)
                           or self.is_last_train_iter(runner)):
            self._tell(runner)

    def after_rollback(self, runner: Runner) -> None:
        """Drop the losses after the checkpoint."""
        self._kept.clear()

    def _keep(self, outputs: dict) -> None:
        scale = next((outputs[name] for name in _SCALES if name in outputs),
                     None)
        if scale is None:
            return
        for name, value in outputs.items():
            if 'loss' in name:
                # A CUDA graph would overwrite the value.
                self._kept.setdefault((name, int(scale)), []).append(
                    torch.as_tensor(value).detach().clone())

    def _tell(self, runner: Runner) -> None:
        means = {
            f'{name}/scale_{scale}': float(torch.stack(values).mean())
            for (name, scale), values in self._kept.items()
        }
        self._kept.clear()
        for backend in trackers(runner):
            backend.add_scalars(means, runner.iter + 1)
