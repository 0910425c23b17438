"""Iterations of SinGAN without a Runner."""
import torch
from mmengine import MessageHub

from mmpe.engine.optimizers import SinGANOptimWrapperConstructor
from mmpe.registry import MODELS, build_from

from .conftest import random_pyramid

# Exact in float32, so that a rate on the device is the same number.
OPTIMIZER = dict(
    optimizer=dict(type='mmpe.Adam', lr=2**-8, betas=(.5, .999)))


def build(cfg, device='cpu'):
    """A model and its optimisers."""
    torch.manual_seed(0)
    model = build_from(MODELS, cfg).to(device)
    constructor = SinGANOptimWrapperConstructor(
        dict(generator=OPTIMIZER, discriminator=OPTIMIZER))
    return model, constructor(model)


def train(model, wrappers, iterations, sizes):
    """Train for some iterations; gives what is logged."""
    hub = MessageHub.get_current_instance()
    images = {
        f'real_scale{index}': (image[0] + 1) * 127.5
        for index, image in enumerate(random_pyramid(sizes))
    }
    logs = []
    for iteration in iterations:
        hub.update_info('iter', iteration)
        logs.append(
            model.train_step(
                dict(inputs=[dict(images)], data_samples=None), wrappers))
    return logs
