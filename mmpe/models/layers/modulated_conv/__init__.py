"""Modulated convolutions (StyleGAN2, Sec. 2.2), one class per upsampling.

With weight w [O, I, k, k], style s [N, I] and demodulation d [N, O]::

    w'  = s_i w                              (StyleGAN2, Eq. 1: modulation)
    d_o = 1 / sqrt(sum_{i, k} w'^2 + eps)    (StyleGAN2, Eq. 3: demodulation)
    y   = d_o conv(x, w') = d_o conv(s_i x, w)

The last form scales activations, not weights, so that one convolution with
shared weights serves the whole batch. d_o is positive and commutes with the
leaky ReLU; each layer leaves it to the next one, as a factor on that layer's
style, and saves a pass over its feature map. In the code a feature is always
the product of a map `x` [N, C, H, W] and its `factor` [N, C].
"""
from .convolution import ModulatedConv2d
from .styled import NoiseInjection, StyledConv, ToRGB
from .upsampling import ConvThenResize, ResizeThenConv, TransposedConvUp

__all__ = [
    'ConvThenResize', 'ModulatedConv2d', 'NoiseInjection', 'ResizeThenConv',
    'StyledConv', 'ToRGB', 'TransposedConvUp'
]
