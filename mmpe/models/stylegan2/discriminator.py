"""Discriminator of StyleGAN2 (rows a and b) and its blocks."""
from typing import List, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpe.functional.bias_act import GAIN
from mmpe.functional.dtypes import at_least_float32
from mmpe.functional.memory_format import in_map_format
from mmpe.models.layers.equalized import (EqualizedConv2d, EqualizedConvAct,
                                          EqualizedLinear)
from mmpe.models.layers.resample import FIRFilter
from mmpe.registry import MODELS
from .channels import channels_per_size, log2_size
from .mapping import LabelMapping
from .precision import clamp, low_precision
from .pretrained import load_pretrained

__all__ = [
    'BaseStyleDiscriminator', 'MinibatchStddev', 'ResBlock',
    'StyleGAN2Discriminator'
]

Taps = Sequence[float]


class ResBlock(nn.Module):
    """Residual block that halves the size of a map (StyleGAN2, Sec. 4.1).

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        blur_kernel: Taps of the filters.
    """

    def __init__(self, in_channels: int, out_channels: int,
                 blur_kernel: Taps) -> None:
        super().__init__()
        self.conv1 = EqualizedConvAct(in_channels, in_channels, 3, padding=1)
        # The sum of two branches has twice the variance of one and is divided
        # by sqrt(2) (StyleGAN2, Sec. 4.1); here each branch's gain is.
        self.conv2 = EqualizedConvAct(
            in_channels,
            out_channels,
            3,
            stride=2,
            gain=GAIN * 0.5**0.5,
            blur=FIRFilter.before_conv(blur_kernel, 3))
        self.skip = nn.Sequential(
            FIRFilter.before_conv(blur_kernel, 1, down=2),
            EqualizedConv2d(in_channels, out_channels, 1, gain=0.5**0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H // 2, W // 2)."""
        out = self.conv2(self.conv1(x))  # [N, out, H // 2, W // 2]
        return self.skip(x).add_(out)


class MinibatchStddev(nn.Module):
    """Appends the mean standard deviation over groups (PGGAN, Sec. 3).

    Args:
        group_size: Samples per group; the batch size in a smaller batch.
        channel_groups: Number of appended channels.
        eps: Added to the variance.
    """

    def __init__(self,
                 group_size: int = 4,
                 channel_groups: int = 1,
                 eps: float = 1e-8) -> None:
        super().__init__()
        self.group_size = group_size
        self.channel_groups = channel_groups
        self.eps = eps

    def forward(self, x: Tensor, num_batches: int = 1) -> Tensor:
        """Append the standard deviation as further channels.

        Args:
            x: (N, C, H, W).
            num_batches: Number of equal batches in ``x``; groups do not mix
                them.

        Returns:
            (N, C + channel_groups, H, W).

        Raises:
            ValueError: The batch cannot be divided into groups.
        """
        num = len(x) // num_batches
        group_size = min(num, self.group_size)
        if num % group_size:
            raise ValueError(
                'The batch size of a discriminator must be at most its '
                f'`group_size` of {self.group_size} or divisible by it, but '
                f'got {num}.')
        # B batches, G samples per group, n groups, F channel groups of c.
        groups = x.unflatten(
            0, (num_batches, group_size, -1))  # [B, G, n, C, H, W]
        groups = groups.unflatten(
            3, (self.channel_groups, -1))  # [B, G, n, F, c, H, W]
        # `var` is slow along an axis with a large stride.
        centred = groups - groups.mean(dim=1, keepdim=True)
        deviation = (centred.square().mean(dim=1) +
                     self.eps).sqrt()  # [B, n, F, c, H, W]
        deviation = deviation.mean(dim=(3, 4, 5))[:, None]  # [B, 1, n, F]
        # One value per group and channel group, for all its samples and cells.
        deviation = deviation.expand(
            -1, group_size, -1, -1).flatten(0, 2)  # [N, F]
        deviation = deviation[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return torch.cat((x, deviation), dim=1)  # [N, C + F, H, W]


class BaseStyleDiscriminator(BaseModule):
    """Residual blocks, minibatch standard deviation and two linear layers.

    Args:
        in_size: Size of images, a power of 2 from 8 to 1024; sets the number
            of blocks.
        img_channels: Channels of images.
        channel_multiplier: Factor on the channels from 64 x 64 on.
        blur_kernel: Taps of the filters.
        mbstd_cfg: Arguments of :class:`MinibatchStddev`.
        final_size: Height and width of the map that the linear layers take.
        width: Factor on all channels, for smaller networks.
        num_low_precision: Number of (highest) resolutions in half precision.
        num_outputs: Channels of the output.
    """

    def __init__(self,
                 in_size: int,
                 img_channels: int = 3,
                 channel_multiplier: float = 2,
                 blur_kernel: Taps = (1, 3, 3, 1),
                 mbstd_cfg: Optional[dict] = None,
                 *,
                 final_size: Tuple[int, int] = (4, 4),
                 width: float = 1.,
                 num_low_precision: int = 0,
                 num_outputs: int = 1) -> None:
        super().__init__()
        log_size = log2_size('in_size', in_size)
        channels = channels_per_size(channel_multiplier, width)
        blocks: List[nn.Module] = [
            EqualizedConvAct(img_channels, channels[in_size], 1)
        ]
        for power in range(log_size, 2, -1):
            blocks.append(
                ResBlock(channels[2**power], channels[2**(power - 1)],
                         tuple(blur_kernel)))
        self.convs = nn.Sequential(*blocks)
        self.mbstd_layer = MinibatchStddev(**(mbstd_cfg or {}))
        self.final_conv = EqualizedConvAct(
            channels[4] + self.mbstd_layer.channel_groups,
            channels[4],
            3,
            padding=1)
        num_features = channels[4] * final_size[0] * final_size[1]
        self.final_linear = nn.Sequential(
            EqualizedLinear(num_features, channels[4], activate=True),
            EqualizedLinear(channels[4], num_outputs))
        self.in_size = in_size
        self.img_channels = img_channels
        self.final_size = tuple(final_size)
        self.num_low_precision = num_low_precision

    def features(self, x: Tensor, num_batches: int = 1) -> Tensor:
        """Run all convolutions, up to a map (N, C, h, w)."""
        x = in_map_format(x)
        for index, block in enumerate(self.convs):
            # Block 0 (from RGB) and 1 share the highest resolution.
            low = max(0, index - 1) < self.num_low_precision
            if index == self.num_low_precision + 1 > 1:
                x = at_least_float32(x)
            with low_precision(x, low):
                x = clamp(block(x), low)
        return self.final_conv(
            self.mbstd_layer(at_least_float32(x), num_batches))

    def pool(self, x: Tensor) -> Tensor:
        """Bring the last map to the size that the linear layers take."""
        if tuple(x.shape[-2:]) != self.final_size:
            raise ValueError(
                f'Images must have {self.in_size} x {self.in_size} pixels for '
                'a discriminator without adaptive pooling, but their last '
                f'feature map has {tuple(x.shape[-2:])} cells instead of '
                f'{self.final_size}.')
        return x

    def forward(self, x: Tensor, num_batches: int = 1) -> Tensor:
        """Score images.

        Args:
            x: Images (N, img_channels, H, W).
            num_batches: Number of equal batches in ``x``, which are scored
                independently.

        Returns:
            Float32 (N, num_outputs), larger for real images.

        Raises:
            ValueError: The size of the images does not fit.
        """
        x = self.pool(self.features(x, num_batches))
        return self.final_linear(x.flatten(1))


@MODELS.register_module('StyleGANv2Discriminator')
@MODELS.register_module()
class StyleGAN2Discriminator(BaseStyleDiscriminator):
    """Discriminator for images of one size.

    Args:
        args: As for :class:`BaseStyleDiscriminator`.
        cond_size: Channels of a label to condition on; None for no label.
        cond_mapping_channels: Channels of the label's code, 512 by default.
        cond_mapping_layers: Layers of the label's mapping network, 8 by
            default.
        num_fp16_scales: Number of (highest) resolutions in half precision.
        fp16_enabled: Use half precision at all resolutions.
        out_fp32: Accepted for compatibility; scores are always float32.
        convert_input_fp32: Accepted for compatibility; blocks convert their
            inputs as needed.
        input_bgr2rgb: Reverse the channels of images first.
        init_cfg: Accepted for compatibility.
        pretrained: ``ckpt_path`` and ``prefix`` of weights to load.
        kwargs: As for :class:`BaseStyleDiscriminator`.
    """

    def __init__(self,
                 *args,
                 cond_size: Optional[int] = None,
                 cond_mapping_channels: Optional[int] = None,
                 cond_mapping_layers: Optional[int] = None,
                 num_fp16_scales: int = 0,
                 fp16_enabled: bool = False,
                 out_fp32: bool = True,
                 convert_input_fp32: bool = True,
                 input_bgr2rgb: bool = False,
                 init_cfg: Optional[dict] = None,
                 pretrained: Optional[dict] = None,
                 **kwargs) -> None:
        cond_size = cond_size or 0
        code_channels = cond_mapping_channels or 512
        super().__init__(
            *args,
            num_low_precision=9 if fp16_enabled else num_fp16_scales,
            num_outputs=code_channels if cond_size > 0 else 1,
            **kwargs)
        self.cond_size = cond_size
        if cond_size > 0:
            self.mapping = LabelMapping(cond_size, code_channels,
                                        cond_mapping_layers or 8)
        self.input_bgr2rgb = input_bgr2rgb
        if pretrained is not None:
            load_pretrained(self, **pretrained)

    def forward(self,  # type: ignore[override]  # MMagic's order
                x: Tensor,
                label: Optional[Tensor] = None,
                num_batches: int = 1) -> Tensor:
        """Score images.

        Args:
            x: Images (N, img_channels, H, W).
            label: (N, cond_size) for a conditional discriminator.
            num_batches: Number of equal batches in ``x``, which are scored
                independently.

        Returns:
            Float32 (N, 1), larger for real images.

        Raises:
            ValueError: The size of the images or the label does not fit.
        """
        outputs = super().forward(
            x.flip(1) if self.input_bgr2rgb else x, num_batches)
        if not self.cond_size:
            return outputs
        if label is None or label.shape[-1] != self.cond_size:
            raise ValueError('Argument `label` must have '
                             f'{self.cond_size} channels, but got '
                             f'{None if label is None else label.shape}.')
        # Projection of the label, as in StyleGAN2-ADA.
        code = self.mapping(label)
        return (outputs * code).sum(
            dim=1, keepdim=True) / code.shape[1]**0.5
