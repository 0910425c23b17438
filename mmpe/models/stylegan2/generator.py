"""Generator of StyleGAN2 (rows a and b)."""
from typing import Any, Dict, Optional, Sequence, Union

import torch
from torch import Tensor, nn

from mmpe.models.layers.equalized import EqualizedLinear, PixelNorm
from mmpe.models.layers.modulated_conv import (ModulatedConv2d,
                                               TransposedConvUp)
from mmpe.models.layers.resample import FIRFilter
from mmpe.registry import MODELS
from .base_generator import BaseStyleGenerator, Size
from .mapping import StyleMapping, codes_per_layer
from .pretrained import load_pretrained
from .style_codes import Styles

__all__ = ['ConstantInput', 'StyleGAN2Generator']


class ConstantInput(nn.Module):
    """Learned constant as the first feature map.

    Args:
        num_channels: Number of channels.
        size: Height and width.
    """

    def __init__(self, num_channels: int, size: int = 4) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, num_channels, size, size))


@MODELS.register_module('StyleGANv2Generator')
@MODELS.register_module()
class StyleGAN2Generator(BaseStyleGenerator):
    """Generator of StyleGAN2 with output skips (StyleGAN2, Sec. 2 and 4.1).

    Args:
        out_size: Size of the image, a power of 2 from 8 to 1024.
        style_channels: Channels of the style code.
        out_channels: Channels of the image.
        noise_size: Channels of the noise; ``style_channels`` if None.
        cond_size: Channels of a label to condition on; None for no label.
        cond_mapping_channels: Channels of the label's embedding;
            ``style_channels`` if None.
        num_mlps: Layers of the mapping network.
        channel_multiplier: Factor on the channels from 64 x 64 on.
        blur_kernel: Taps of the filters after transposed convolutions.
        lr_mlp: Learning rate multiplier of the mapping network.
        default_style_mode: 'mix' or 'single': style mixing in training.
        eval_style_mode: The same in evaluation.
        norm_eps: Keeps the normalisation of the noise finite.
        mix_prob: Probability of mixing two style codes in mode 'mix'.
        update_mean_latent_with_ema: Keep a running mean of the style code
            (``w_avg``).
        w_avg_beta: Decay of the running mean.
        num_fp16_scales: Number of (highest) resolutions in half precision.
        fp16_enabled: Use half precision at all resolutions.
        bgr2rgb: Reverse the channels of the image.
        pretrained: ``ckpt_path`` and ``prefix`` of weights to load.
        fixed_noise: Use the same noise in every call.
        width: Factor on all channels, for smaller networks.
    """

    def __init__(self,
                 out_size: int,
                 style_channels: int,
                 out_channels: int = 3,
                 noise_size: Optional[int] = None,
                 cond_size: Optional[int] = None,
                 cond_mapping_channels: Optional[int] = None,
                 num_mlps: int = 8,
                 channel_multiplier: float = 2,
                 blur_kernel: Sequence[float] = (1, 3, 3, 1),
                 lr_mlp: float = 0.01,
                 default_style_mode: str = 'mix',
                 eval_style_mode: str = 'single',
                 norm_eps: float = 1e-6,
                 mix_prob: float = 0.9,
                 update_mean_latent_with_ema: bool = False,
                 w_avg_beta: float = 0.998,
                 num_fp16_scales: int = 0,
                 fp16_enabled: bool = False,
                 bgr2rgb: bool = False,
                 pretrained: Optional[dict] = None,
                 fixed_noise: bool = False,
                 width: float = 1.) -> None:
        noise_size = noise_size or style_channels
        cond_size = cond_size or 0
        cond_channels = 0
        if cond_size > 0:
            cond_channels = cond_mapping_channels or style_channels
        norm = PixelNorm(norm_eps)
        # With a label, noise and embedding are normalised separately.
        mapping = StyleMapping(noise_size + cond_channels, style_channels,
                               num_mlps, lr_mlp,
                               None if cond_channels else norm)
        # There are at most nine resolutions, 4 to 1024.
        super().__init__(
            out_size,
            style_channels,
            mapping,
            channel_multiplier,
            width,
            out_channels,
            9 if fp16_enabled else num_fp16_scales,
            default_style_mode=default_style_mode,
            eval_style_mode=eval_style_mode,
            mix_prob=mix_prob)
        self.noise_size = noise_size
        self.cond_size = cond_size
        self.pixel_norm = norm
        if cond_channels:
            self.embed = EqualizedLinear(cond_size, cond_channels)
        self.blur_kernel = tuple(blur_kernel)
        self.bgr2rgb = bgr2rgb
        self.randomize_noise = not fixed_noise
        self.constant_input = ConstantInput(self.channels[4])
        self._build_layers(self.channels[4])
        self.w_avg_beta = w_avg_beta
        if cond_channels or update_mean_latent_with_ema:
            self.register_buffer('w_avg', torch.zeros(style_channels))
        if pretrained is not None:
            load_pretrained(self, **pretrained)

    def make_conv(self, in_channels: int, out_channels: int, block: int,
                  upsample: bool) -> ModulatedConv2d:
        """Padded convolution; transposed and filtered if it upsamples."""
        args = (in_channels, out_channels, 3, self.style_channels)
        if upsample:
            return TransposedConvUp(*args, blur_kernel=self.blur_kernel)
        return ModulatedConv2d(*args)

    def make_skip_upsample(self, block: int) -> nn.Module:
        """Filtered upsampling with zero padding."""
        return FIRFilter.upsampler()

    def first_map_size(self, chosen_scale: Size) -> Size:
        """Size of the learned constant."""
        height, width = self.constant_input.input.shape[-2:]
        return height, width

    def first_map(self, chosen_scale: Size) -> Tensor:
        """The learned constant."""
        return self.constant_input.input

    def get_mean_latent(self,
                        num_samples: int = 4096,
                        bs_per_repeat: int = 1024) -> Tensor:
        """Mean style code: the running mean if there is one."""
        if hasattr(self, 'w_avg'):
            return self.w_avg
        return super().get_mean_latent(num_samples, bs_per_repeat)

    def map_noise(self, noise: Tensor, label: Optional[Tensor]) -> Tensor:
        """Style code of noise and, for a conditional generator, a label."""
        if not self.cond_size:
            return self.style_mapping(noise)
        if label is None or label.shape[-1] != self.cond_size:
            raise ValueError('Argument `label` must have '
                             f'{self.cond_size} channels, but got '
                             f'{None if label is None else label.shape}.')
        embedding = self.pixel_norm(self.embed(label))
        return self.style_mapping(
            torch.cat((self.pixel_norm(noise), embedding), dim=1))

    def forward(self,
                styles: Styles,
                label: Optional[Tensor] = None,
                num_batches: int = -1,
                return_noise: bool = False,
                return_latents: bool = False,
                inject_index: Optional[int] = None,
                truncation: float = 1,
                truncation_latent: Optional[Tensor] = None,
                input_is_latent: bool = False,
                injected_noise: Optional[Sequence[Optional[Tensor]]] = None,
                add_noise: bool = True,
                randomize_noise: bool = True,
                update_ws: bool = False,
                return_features: bool = False,
                feat_idx: int = 5,
                return_latent_only: bool = False
                ) -> Union[Tensor, Dict[str, Any]]:
        """Make images.

        Args:
            styles: One or two tensors of noise (N, noise_size) or style codes
                (N, style_channels) or (N, L, style_channels); a function that
                draws noise of a given shape; or None to draw it here.
            label: (N, cond_size) for a conditional generator.
            num_batches: Batch size N if noise is drawn.
            return_noise: Return a dict with the noise.
            return_latents: Return a dict with the style codes.
            inject_index: First layer that takes the second of two codes.
            truncation: Truncation factor; 1 disables truncation.
            truncation_latent: Mean style code; computed if None.
            input_is_latent: Whether ``styles`` are style codes.
            injected_noise: Noise for each layer, (1 or N, 1, H, W).
            add_noise: Add noise in the layers.
            randomize_noise: Draw new noise; if False, use the fixed noise.
            update_ws: Update the running mean of the style code.
            return_features: Return a dict with a feature map.
            feat_idx: Index of that feature map; 0 is 4 x 4.
            return_latent_only: Return the style codes (N, L, C).

        Returns:
            Float32 images (N, out_channels, H, W), or a dict with the images
            as ``fake_img``.
        """
        codes, noise = self._style_codes(styles, label, num_batches,
                                         input_is_latent)
        if update_ws and self.training and hasattr(self, 'w_avg'):
            self.w_avg.lerp_(codes[0].detach().mean(dim=0),
                             1 - self.w_avg_beta)
        codes = self._truncate(codes, truncation, truncation_latent)
        if return_latent_only:
            return codes_per_layer(codes, self.num_latents, inject_index)[0]
        outputs = self._generate(codes, inject_index, injected_noise,
                                 randomize_noise and self.randomize_noise,
                                 (0, 0), add_noise)
        if self.bgr2rgb:
            outputs['fake_img'] = outputs['fake_img'].flip(1)
        if not (return_noise or return_latents):
            return outputs['fake_img']
        features = outputs.pop('feats')
        if return_features:
            x, factor = features[feat_idx]
            outputs['feats'] = x * factor[..., None, None]
        return dict(outputs, noise_batch=noise)
