"""How far a layer with zero padding reaches beyond the border."""
from typing import Any, NamedTuple, Optional, Sequence

from torch import nn

from mmpe.models.layers.equalized import EqualizedConv2d
from mmpe.models.layers.modulated_conv import (ModulatedConv2d,
                                               TransposedConvUp)
from mmpe.models.layers.resample import EdgeFIRUpsampler, FIRFilter

__all__ = ['Window', 'window_of']

_POOLS = (nn.MaxPool2d, nn.AvgPool2d)


class Window(NamedTuple):
    """Reach of a layer beyond the border, and its change of size.

    Attributes:
        margin: Cells by which to extend the input.
        up: Number of output cells for ``down`` input cells.
        down: See ``up``; divides ``margin``.
    """

    margin: int
    up: int = 1
    down: int = 1


def window_of(name: str, module: nn.Module) -> Optional[Window]:
    """Window of a module.

    Args:
        name: Name of the module, for errors.
        module: The module.

    Returns:
        The window, or None for a module without zero padding.

    Raises:
        ValueError: The padding of the module cannot be changed.
    """
    if isinstance(module, (nn.Conv2d, *_POOLS)):
        return _sliding_window(name, module)
    if isinstance(module, nn.ConvTranspose2d):
        stride = _square(name, 'stride', module.stride)
        reach = max(d * (k - 1) for d, k in zip(module.dilation,
                                                module.kernel_size))
        return Window(-(-reach // stride) + 1, up=stride) if reach else None
    if isinstance(module, nn.ConstantPad2d):
        width = 0 if module.value else max(module.padding)
        return Window(width) if width > 0 else None
    if isinstance(module, EqualizedConv2d):
        return Window(-(-module.padding // module.stride) * module.stride,
                      down=module.stride) if module.padding else None
    if isinstance(module, TransposedConvUp):
        return Window(module.blur.kernel.shape[-1], up=2)
    if isinstance(module, ModulatedConv2d):
        return Window(module.padding) if module.padding else None
    if isinstance(module, FIRFilter) and not isinstance(
            module, EdgeFIRUpsampler):
        taps = module.kernel.shape[-1]
        if sum(module.pad) - taps + module.down not in range(module.down):
            raise ValueError(
                f'The padding of `{name}` (FIRFilter) cannot be changed: its '
                'output is not aligned with its input.')
        return Window(taps * module.down, up=module.up, down=module.down)
    return None


def _sliding_window(name: str, module: nn.Module) -> Optional[Window]:
    """Window of a convolution or pooling, with any rectangular kernel."""
    padding: Any = module.padding
    if isinstance(module, nn.Conv2d):
        if module.padding_mode != 'zeros':
            return None
        if padding == 'same':
            padding = module._reversed_padding_repeated_twice
    padding = 0 if padding == 'valid' else max(_pair(padding))
    if not padding:
        return None
    stride = _square(name, 'stride', _pair(module.stride))
    return Window(-(-padding // stride) * stride, down=stride)


def _pair(value: Any) -> Sequence[int]:
    return value if isinstance(value, (tuple, list)) else (value, value)


def _square(name: str, what: str, value: Sequence[int]) -> int:
    if len(set(value)) > 1:
        raise ValueError(f'The padding of `{name}` cannot be changed: its '
                         f'{what} is {tuple(value)}, not the same for both '
                         'axes.')
    return value[0]
