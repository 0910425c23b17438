"""Training loop and log of SinGAN."""
import datetime
from typing import Optional, Tuple, Union

from mmagic.engine.runner import LogProcessor
from mmengine.config import Config
from mmengine.runner import Runner

from mmpe.datasets import num_scales_of
from mmpe.registry import LOG_PROCESSORS, LOOPS
from mmpe.utils.wrappers import unwrap
from .train_loop import TrainLoop

__all__ = ['SinGANLogProcessor', 'SinGANTrainLoop', 'fit_to_photograph']


@LOOPS.register_module()
class SinGANTrainLoop(TrainLoop):
    """Trains all scales of the model.

    Args:
        runner: The runner.
        dataloader: The data loader, or its config.
        max_iters: Number of iterations; by default those of all scales.
        kwargs: As for :class:`TrainLoop`.
    """

    def __init__(self,
                 runner: Runner,
                 dataloader: Union[dict, object],
                 max_iters: Optional[int] = None,
                 **kwargs) -> None:
        if max_iters is None:
            model = unwrap(runner.model)
            max_iters = (model.num_scales + 1) * model.iters_of_scale
        super().__init__(runner, dataloader, max_iters, **kwargs)


@LOG_PROCESSORS.register_module()
class SinGANLogProcessor(LogProcessor):
    """Logs the current scale and its remaining time."""

    def get_log_after_iter(self, runner: Runner, batch_idx: int,
                           mode: str) -> Tuple[dict, str]:
        """Put scale, size and remaining time before the usual line."""
        tag, log = super().get_log_after_iter(runner, batch_idx, mode)
        model = unwrap(runner.model)
        height, width = model.pyramid_sizes[model.curr_stage]
        head = (f'Scale [{model.curr_stage}/{model.num_scales}] '
                f'{height}x{width}  ')
        if 'scale_eta' in runner.message_hub.runtime_info:
            seconds = int(runner.message_hub.get_info('scale_eta'))
            head += f'scale eta: {datetime.timedelta(seconds=seconds)}  '
        return tag, head + log


def fit_to_photograph(cfg: Config) -> Optional[int]:
    """Set ``num_scales`` in a SinGAN config from its photograph.

    Args:
        cfg: Config with ``model`` and ``train_dataloader``; changed in place.

    Returns:
        Index of the finest scale; None for other models, whose configs are not
        changed.

    Raises:
        FileNotFoundError: There is no photograph at ``data_root``.
        ValueError: The photograph cannot be read or is too small, or the
            config has another number of scales.
    """
    dataset = cfg.train_dataloader.dataset
    if dataset.type.rsplit('.')[-1] != 'SinGANDataset':
        return None
    num_scales = num_scales_of(dataset.data_root, dataset.min_size,
                               dataset.max_size,
                               dataset.get('scale_factor_init', 0.5),
                               dataset.get('doubling', False))
    model = cfg.model
    for part in (model, model.generator, model.discriminator):
        stated = part.get('num_scales')
        if stated not in (None, num_scales):
            raise ValueError(
                f'{dataset.data_root!r} (min_size={dataset.min_size}, '
                f'max_size={dataset.max_size}) gives num_scales={num_scales} '
                f'(counted from zero), but the config of {part.type} has '
                f'{stated}: set `model.num_scales={num_scales}`, or None to '
                'compute it.')
    cfg.model.num_scales = num_scales
    return num_scales
