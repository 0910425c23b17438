"""Work and time of a SinGAN's iterations at each scale."""
from copy import deepcopy
from time import perf_counter
from typing import TYPE_CHECKING, List

import torch
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapperDict
from torch import nn

from mmpe.utils.wrappers import unwrap

if TYPE_CHECKING:
    from mmpe.models import SinGAN

__all__ = ['measure_scales', 'scale_costs']


def scale_costs(model: 'SinGAN') -> List[float]:
    """Relative work of an iteration at each scale.

    Counts multiplications in convolutions. In a round, the generator runs
    forward through all scales six times; there are also the backward passes of
    the current generator and discriminator block, and the double backward pass
    of the penalty.

    Args:
        model: A SinGAN with ``pyramid_sizes``.

    Returns:
        A number for each scale.
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


def measure_scales(model: 'SinGAN',
                   optim_wrapper: OptimWrapperDict,
                   data: dict,
                   rounds: int = 2) -> List[float]:
    """Measure the time of an iteration at each scale.

    Trains a copy: the model, its optimisers and the random state are not
    changed. In distributed training, all processes must call this.

    Args:
        model: A SinGAN, which may be wrapped for distributed training.
        optim_wrapper: Its optimisers.
        data: A batch of its data loader.
        rounds: Number of rounds to measure at each scale, after one round of
            warm-up.

    Returns:
        Seconds for each scale.

    Raises:
        ValueError: A scale has fewer rounds, or see ``SinGAN.train_step``.
    """
    model = unwrap(model)
    if not 1 <= rounds < model.iters_per_scale:
        raise ValueError('Argument `rounds` must be at least 1 and below '
                         f'{model.iters_per_scale}, the rounds per scale, but '
                         f'got {rounds}.')
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
                # Normally set at the end of the scale before.
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
