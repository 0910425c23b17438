"""Images of a folder, which networks are compared with."""
from copy import deepcopy
from typing import Any, Dict

import torch
from mmengine.config import Config
from torch import Tensor

from mmpe.evaluation.networks import EffLite0Features
from mmpe.registry import DATASETS, build_from

__all__ = ['WHITE', 'Folder']

# Largest value of a pixel.
WHITE = 255.
_MAX_REAL = 256


class Folder:
    """Images of a folder and their features, at any size.

    Args:
        data_root: The folder.
        config: Config of a training, with the pipeline that makes images
            square.

    Raises:
        FileNotFoundError: The folder does not exist.
        ValueError: The folder has no images.
    """

    def __init__(self, data_root: str, config: str) -> None:
        self._settings = Config.fromfile(config).train_dataloader.dataset
        self._settings.update(data_root=data_root, mirror=False)
        self._images: Dict[int, Tensor] = {}
        self._features: Dict[int, Tensor] = {}
        self.network = EffLite0Features()
        self._dataset(1)

    def _dataset(self, size: int) -> Any:
        settings = deepcopy(self._settings)
        for step in settings.pipeline:
            if step.type == 'Resize':
                step.scale = (size, size)
        return build_from(DATASETS, settings)

    def images(self, size: int) -> Tensor:
        """Up to 256 images (N, 3, size, size), BGR in [-1, 1]."""
        if size not in self._images:
            dataset = self._dataset(size)
            step = max(1, -(-len(dataset) // _MAX_REAL))
            self._images[size] = torch.stack([
                dataset[index]['data_samples'].gt_img
                for index in range(0, len(dataset), step)
            ]) / (WHITE / 2) - 1
        return self._images[size]

    def features(self, size: int) -> Tensor:
        """Features (N, 1280) of the images from EfficientNet-Lite0."""
        if size not in self._features:
            self._features[size] = self.extract(self.images(size))
        return self._features[size]

    def extract(self, images: Tensor) -> Tensor:
        """Features (N, 1280) of BGR images (N, 3, H, W) in [-1, 1]."""
        pixels = (images + 1) * (WHITE / 2)
        return torch.cat([self.network(part) for part in pixels.split(32)])
