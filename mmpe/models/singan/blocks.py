"""The stack of convolutions that SinGAN trains at each scale."""
from typing import Any, Dict, Optional

import torch
import torch.nn as nn
from mmcv.cnn import ConvModule
from mmengine.model import constant_init, normal_init
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor

from mmpe.functional.batch_norm import batch_norm
from mmpe.functional.bias_act import leaky_relu_
from mmpe.functional.conv import conv2d

__all__ = [
    'TANH', 'DiscriminatorBlock', 'GeneratorBlock', 'copy_previous_block',
    'stage_channels'
]

_BATCH_NORM = dict(type='BN')
_LEAKY_RELU = dict(type='LeakyReLU', negative_slope=0.2)
TANH = dict(type='Tanh')
# From this many channels on, inference trades MMagic's rounding for speed
# (folded norms, channels last). Narrower stacks keep its rounding: in their
# small maps a single leaky ReLU that rounding flips changes a gradient.
_MEDIUM = 64
# From this many channels on, channels last and the convolutions of
# `mmpe.functional.conv` are faster in training, too.
_WIDE = 128


# In mmcv's own registry, where it looks for layers in any default scope.
@ROOT_MODELS.register_module('mmpe_Conv2d')
class _Conv2d(nn.Conv2d):
    """Uses :func:`mmpe.functional.conv.conv2d` where it applies."""

    def _conv_forward(self, x: Tensor, weight: Tensor,
                      bias: Optional[Tensor]) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H', W')."""
        stride, padding = self.stride[0], self.padding[0]
        if isinstance(padding, int) and (
                self.padding_mode, self.groups, self.dilation, self.stride,
                self.padding) == ('zeros', 1, (1, 1), (stride, ) * 2,
                                  (padding, ) * 2):
            return conv2d(x, weight, bias, stride, padding)
        return super()._conv_forward(x, weight, bias)


@ROOT_MODELS.register_module('mmpe_BN')
class _BatchNorm2d(nn.BatchNorm2d):
    """Uses :func:`mmpe.functional.batch_norm.batch_norm` where it is faster.

    That is in training on a CPU, for the double backward of WGAN-GP.
    """

    num_batches_tracked: Tensor
    running_mean: Tensor
    running_var: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        if not (self.training and torch.is_grad_enabled()
                and x.device.type == 'cpu' and self.affine
                and self.track_running_stats and self.momentum is not None
                and x.numel() > x.shape[1]):
            return super().forward(x)
        self.num_batches_tracked.add_(1)
        return batch_norm(x, self.weight, self.bias, self.running_mean,
                          self.running_var, self.momentum, self.eps)


class _LeakyReLU(nn.LeakyReLU):
    """In-place leaky ReLU that skips its second derivative, which is zero."""

    def forward(self, x: Tensor) -> Tensor:
        """Overwrite (N, C, H, W)."""
        return leaky_relu_(x, self.negative_slope)


class _MediumConvModule(ConvModule):
    """mmcv's ``ConvModule`` with the norm folded into the convolution.

    In evaluation mode without gradients only. With running mean m and
    variance v, gamma (w * x - m) / sqrt(v + eps) + beta is a convolution with
    weight w gamma / sqrt(v + eps) and one bias.
    """

    def forward(self, x: Tensor, *args, **kwargs) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        # Missing in mmcv 2.0.0.
        if hasattr(self, 'turn_on_efficient_conv_bn_eval'):
            self.turn_on_efficient_conv_bn_eval(not torch.is_grad_enabled())
        return super().forward(x, *args, **kwargs)


class _WideConvModule(_MediumConvModule):
    """Uses this module's convolution and leaky ReLU, too."""

    def __init__(self, *args, **kwargs) -> None:
        kwargs.setdefault('conv_cfg', dict(type='mmpe_Conv2d'))
        super().__init__(*args, **kwargs)
        activate = getattr(self, 'activate', None)
        if type(activate) is nn.LeakyReLU:
            self.activate = _LeakyReLU(activate.negative_slope)


class ConvStack(nn.Module):
    """Convolutions ``head``, ``body`` and ``tail``; the tail has no norm.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        kernel_size: Kernel size of all convolutions.
        padding: Padding of all convolutions.
        num_layers: Number of convolutions, at least 3.
        base_channels: Channels of the head, halved in each further layer.
        min_feat_channels: Lower bound on the channels of the body.
        norm_cfg: Normalisation of head and body, or None.
        act_cfg: Activation of head and body.
        out_act_cfg: Activation of the tail, or None.
        stride: Stride of the body.
        kwargs: Further arguments of ``mmcv.cnn.ConvModule``.
    """

    def __init__(self,
                 in_channels: int,
                 out_channels: int,
                 kernel_size: int,
                 padding: int,
                 num_layers: int,
                 base_channels: int,
                 min_feat_channels: int,
                 norm_cfg: Optional[dict] = _BATCH_NORM,
                 act_cfg: Optional[dict] = _LEAKY_RELU,
                 out_act_cfg: Optional[dict] = None,
                 stride: int = 1,
                 **kwargs) -> None:
        super().__init__()
        if num_layers < 3:
            raise ValueError('Argument `num_layers` must be at least 3, but '
                             f'got {num_layers}.')
        self.in_channels = in_channels
        self.base_channels = base_channels
        # Cells per side that unpadded convolutions remove.
        self.radius = num_layers * (kernel_size - 1) // 2
        kwargs.update(kernel_size=kernel_size, padding=padding)
        conv_module = _WideConvModule if base_channels >= _WIDE else \
            _MediumConvModule if base_channels >= _MEDIUM else ConvModule
        inner = dict(norm_cfg=norm_cfg, act_cfg=act_cfg, **kwargs)
        self.head = conv_module(in_channels, base_channels, **inner)
        self.body = nn.Sequential()
        for index in range(1, num_layers - 1):
            width = base_channels // 2**index
            self.body.add_module(
                f'block{index}',
                conv_module(
                    max(2 * width, min_feat_channels),
                    max(width, min_feat_channels),
                    stride=stride,
                    **inner))
        self.tail = conv_module(
            max(width, min_feat_channels),
            out_channels,
            norm_cfg=None,
            act_cfg=out_act_cfg,
            **kwargs)
        self.init_weights()

    def init_weights(self) -> None:
        """Draw weights from N(0, 0.02^2) and set the norms' weights to 1."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                normal_init(module, 0, 0.02)
            elif isinstance(module, (_BatchNorm, nn.InstanceNorm2d)):
                constant_init(module, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        least = _WIDE if torch.is_grad_enabled() else _MEDIUM
        memory_format = torch.channels_last if self.base_channels >= least \
            else torch.contiguous_format
        x = x.contiguous(memory_format=memory_format)
        return self.tail(self.body(self.head(x)))


class GeneratorBlock(ConvStack):
    r"""Refines the image of the coarser scale.

    .. math:: \tilde x_n = (\tilde x_{n+1})\uparrow^r
        + \psi_n(z_n + (\tilde x_{n+1})\uparrow^r)

    SinGAN, Multi-scale architecture; :math:`\psi_n` is the stack of
    convolutions.

    Args:
        allow_no_residual: Return the output alone if its channels differ from
            the image's, instead of failing.
        kwargs: As for :class:`ConvStack`.
    """

    def __init__(self,
                 *args,
                 out_act_cfg: Optional[dict] = TANH,
                 allow_no_residual: bool = False,
                 **kwargs) -> None:
        kwargs['out_act_cfg'] = out_act_cfg
        super().__init__(*args, **kwargs)
        self.allow_no_residual = allow_no_residual

    def forward(  # type: ignore[override]  # needs the image, too
            self, x: Tensor, prev: Tensor) -> Tensor:
        """Add the convolutions' output to the image ``prev``.

        Args:
            x: Noise, positions and image, (N, in_channels, H', W').
            prev: Upsampled image of the coarser scale, (N, C, H, W).

        Returns:
            Image (N, C, H, W).
        """
        x = super().forward(x)
        if self.allow_no_residual and x.shape[1] != prev.shape[1]:
            return x
        return x + prev


class DiscriminatorBlock(ConvStack):
    """Patch discriminator of one scale (Markovian, as in PatchGAN).

    Args:
        in_channels: Input channels.
        norm_cfg: Normalisation of head and body, or None.
        kwargs: As for :class:`ConvStack`, without ``out_channels``.
    """

    def __init__(self,
                 in_channels: int,
                 norm_cfg: Optional[dict] = _BATCH_NORM,
                 **kwargs) -> None:
        if norm_cfg and norm_cfg['type'] in ('BN', 'BN2d'):
            # The gradient penalty differentiates the norm twice.
            norm_cfg = {**norm_cfg, 'type': 'mmpe_BN'}
        super().__init__(in_channels, 1, norm_cfg=norm_cfg, **kwargs)


def stage_channels(base_channels: int, min_feat_channels: int, stage: int,
                   double: bool) -> Dict[str, Any]:
    """Channels at a scale, as arguments of :class:`ConvStack`.

    Args:
        base_channels: Channels of the head at the first four scales.
        min_feat_channels: Lower bound on the body's channels there.
        stage: Index of the scale.
        double: Double both every four scales, up to 128.

    Returns:
        ``base_channels`` and ``min_feat_channels``.
    """
    widths = dict(
        base_channels=base_channels, min_feat_channels=min_feat_channels)
    if not double:
        return widths
    return {
        name: min(channels * 2**(stage // 4), 128)
        for name, channels in widths.items()
    }


def copy_previous_block(blocks: nn.ModuleList, stage: int) -> bool:
    """Initialise a scale with the weights of the previous one, if they fit.

    Args:
        blocks: The blocks of all scales.
        stage: Index of the scale to initialise.

    Returns:
        Whether the weights were copied.
    """
    if stage == 0:
        return False
    source, target = (block.state_dict() for block in blocks[stage - 1:stage +
                                                             1])
    if any(value.shape != target[key].shape for key, value in source.items()):
        return False
    blocks[stage].load_state_dict(source)
    return True
