"""Training time on a photograph, estimated before the training."""
import os.path as osp
from copy import deepcopy
from typing import Tuple

from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmpe.models import SinGAN
from mmpe.registry import (DATASETS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS,
                           build_from)
from mmpe.utils.files import PathLike
from ..runner import fit_to_photograph
from ..scale_times import measure_scales, scale_costs

__all__ = ['estimate_seconds']

# Long side of the photograph in the trial.
_TRIED_SIZE = 64


def estimate_seconds(config: Config, image: PathLike) -> float:
    """Estimate the time of a training on this machine, in about a second.

    Measures the coarse scales and extrapolates to the fine ones by their work.
    ``SinGANEstimateHook`` gives a better estimate at the start of a training.

    Args:
        config: As for :func:`.plan_training`.
        image: Path of the photograph.

    Returns:
        Seconds.

    Raises:
        FileNotFoundError, ValueError: See :func:`.plan_training`.
    """
    tried = deepcopy(config)
    dataset = tried.train_dataloader.dataset
    dataset.max_size = min(dataset.max_size, _TRIED_SIZE)
    tried.model.iters_per_scale = max(2, tried.model.iters_per_scale)
    model, data = _untrained(tried, image)
    options = dict(config.optim_wrapper)
    constructor = build_from(
        OPTIM_WRAPPER_CONSTRUCTORS,
        dict(type=options.pop('constructor'), optim_wrapper_cfg=options))
    seconds = measure_scales(model, constructor(model), data, 1)
    rate = sum(seconds) / sum(scale_costs(model))
    whole, _ = _untrained(deepcopy(config), image)
    return rate * sum(scale_costs(whole)) * whole.iters_of_scale


def _untrained(config: Config, image: PathLike) -> Tuple[SinGAN, dict]:
    """A model with its pyramid, and a batch."""
    dataset = config.train_dataloader.dataset
    dataset.data_root = osp.abspath(image)
    fit_to_photograph(config)
    model = build_from(MODELS, config.model)
    data = pseudo_collate([build_from(DATASETS, dataset)[0]])
    inputs = model.data_preprocessor(data, True)['inputs']
    model.reals = [
        inputs[f'real_scale{i}'] for i in range(model.num_scales + 1)
    ]
    model.construct_fixed_noises()
    return model, data
