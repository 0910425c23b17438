"""A tiny multi-scale model, a folder of images, and stand-in networks."""
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

import mmpe  # noqa: F401  (installs the host bridge)
from mmagic.datasets import BasicImageDataset
from mmagic.models.base_models import BaseGAN
from mmagic.models.data_preprocessors import DataPreprocessor
from mmagic.registry import MODELS

BASE = 16


class TinyGenerator(nn.Module):
    """Smooth pictures of 16 + 4 * scale pixels."""

    noise_size = 12
    out_size = BASE

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, noise, chosen_scale=0, return_noise=False, shift=0.):
        size = size_of(chosen_scale)
        coarse = noise.reshape(-1, 3, 2, 2) * self.weight + shift
        return F.interpolate(coarse, size=size, mode='bilinear').tanh()


def size_of(scale):
    dh, dw = (scale, scale) if isinstance(scale, int) else scale
    return BASE + 4 * dh, BASE + 4 * dw


@MODELS.register_module()
class TinyGAN(BaseGAN):
    """Draws what the generator makes; counts the images."""

    def __init__(self, scales=None, data_preprocessor=None):
        super().__init__(
            TinyGenerator(),
            data_preprocessor=data_preprocessor or DataPreprocessor(),
            ema_config=dict(
                type='mmagic.ExponentialMovingAverage', momentum=0.5))
        self.drawn = []
        if scales:
            self.multi_input_scales = scales
            self.size_of = size_of

    def forward(self, inputs, data_samples=None, mode=None):
        samples = super().forward(inputs, data_samples, mode)
        kwargs = inputs.get('sample_kwargs') or {}
        self.drawn += [kwargs.get('chosen_scale', 0)] * len(samples)
        return samples


def save_images(folder, num, size=(24, 24), seed=0):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(seed)
    for i in range(num):
        coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), np.uint8))
        coarse.resize(size[::-1], Image.BILINEAR).save(
            folder / f'{i:03d}.png')
    return folder


def make_loader(folder, batch_size=4, **load):
    pipeline = [
        dict(type='mmagic.LoadImageFromFile', key='gt', **load),
        dict(type='mmagic.PackInputs')
    ]
    dataset = BasicImageDataset(
        data_root=str(folder), data_prefix=dict(gt=''), pipeline=pipeline)
    return DataLoader(dataset, batch_size, collate_fn=pseudo_collate)


class StandIn(nn.Module):
    """Mean colours of a 4 x 4 grid of 8-bit images."""

    def forward(self, x: torch.Tensor, return_features: bool = False):
        assert x.dtype == torch.uint8
        assert return_features
        x = x.to(torch.float32)
        return F.adaptive_avg_pool2d(x, [4, 4]).flatten(1)


def run_evaluator(evaluator, model, loader):
    """What MMagic's test loop does with an evaluator."""
    evaluator.prepare_metrics(model, loader)
    with torch.no_grad():
        for metrics, sampler in evaluator.prepare_samplers(model, loader):
            for data in sampler:
                evaluator.process(model.test_step(data), data, metrics)
    return evaluator.evaluate()
