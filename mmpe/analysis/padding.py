"""Replace the zero padding of any network.

A layer with zero padding gives the same map, except for its border, when its
input is extended and its output cropped; the extension of the input then
replaces the padding. The same rule serves convolutions, transposed
convolutions, filters and pooling: extend the input, run the layer, crop.
"""
import contextlib
from functools import partial
from typing import Any, Callable, Iterator, List, Optional, Sequence, Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from mmpe.models.layers.equalized import EqualizedConv2d, EqualizedWeight
from mmpe.models.layers.modulated_conv import (ConvThenResize,
                                               ModulatedConv2d,
                                               ResizeThenConv,
                                               TransposedConvUp)
from mmpe.models.mspie.head import EncodingHead
from mmpe.models.singan.padding import BorderPadding
from .inputs import attribute_set, change_inputs, replaced
from .maps import continue_map, crop
from .windows import Window, window_of

__all__ = ['MODES', 'change_inputs', 'continue_map', 'crop', 'pad_with']

Compute = Callable[..., Tensor]
MODES = ('zeros', 'reflect', 'replicate', 'circular', 'none')
_RESIZING = (ConvThenResize, ResizeThenConv)
_KNOWN = (nn.Conv2d, nn.ConvTranspose2d, EqualizedConv2d, EqualizedWeight,
          ModulatedConv2d, ParametrizationList)


def _check_known(model: nn.Module) -> None:
    """Reject layers whose padding cannot be determined."""
    for name, module in model.named_modules():
        if isinstance(module, _KNOWN):
            continue
        for key, weight in module.named_parameters(recurse=False):
            if weight.dim() >= 4 and len(weight) > 1 \
                    and min(weight.shape[-2:]) > 1:
                raise ValueError(
                    f'The padding of `{name}` ({type(module).__name__}) '
                    f'cannot be changed: its parameter `{key}` of shape '
                    f'{tuple(weight.shape)} is not that of a known '
                    'convolution.')


def _attribute(module: nn.Module) -> str:
    """Name of the innermost method that computes a layer."""
    if isinstance(module, nn.Conv2d):
        return '_conv_forward'  # called by mmcv with a folded norm
    if isinstance(module, ModulatedConv2d):
        return 'convolve'
    return 'forward'


def _continued(compute: Compute, window: Window, mode: str) -> Compute:
    """Wrap a layer to pad in another mode."""
    margin, up, down = window

    def run(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if x.shape[-2:] == (1, 1):  # a latent that becomes a map
            return compute(x, *args, **kwargs)
        # Simpler than deriving the size for each kind of layer.
        with torch.no_grad():
            size = compute(x[:1], *args, **kwargs).shape[-2:]
        out = compute(continue_map(x, margin, mode), *args, **kwargs)
        first = margin * up // down
        return out[..., first:first + size[0], first:first + size[1]]

    return run


@contextlib.contextmanager
def pad_with(model: nn.Module,
             mode: str,
             margin: int = 0,
             first_map: Optional[str] = None) -> Iterator[None]:
    """Change the padding of a network's layers within this context.

    This changes convolutions, transposed convolutions, pooling, and filters
    and borders of mmpe's layers that add zeros. Other paddings are kept, as
    are calls such as ``F.pad`` in a network's ``forward``, which are not
    visible. A map of one cell counts as a latent; the layer that turns it
    into a larger map is not changed. Afterwards the network is as before.

    With 'none' each layer runs on a larger map, so that padding does not
    reach the part that is kept, and the output is cropped to its usual size
    (the optimal padding of Lin et al., ICML 2023). Maps among the arguments
    are extended by reflection, or else the first map is (see
    :func:`change_inputs`); explicit positions continue.

    Args:
        model: Any network.
        mode: 'zeros' (no change), 'reflect', 'replicate', 'circular' or
            'none'.
        margin: For 'none', cells added on each side of the smallest input map
            or of the first map. Must be at least the receptive radius of an
            output; otherwise some padding remains visible.
        first_map: For 'none', as for :func:`change_inputs`.

    Raises:
        ValueError: The mode is unknown, or the padding of a module cannot be
            changed; the error names the module.
    """
    if mode not in MODES:
        raise ValueError(f'Argument `mode` must be one of {MODES}, but got '
                         f'{mode!r}.')
    with contextlib.ExitStack() as stack:
        if mode == 'none':
            _enlarge(stack, model, margin, first_map)
        elif mode != 'zeros':
            for owner, key, value in _changes(model, mode):
                stack.enter_context(attribute_set(owner, key, value))
        yield


def _changes(model: nn.Module, mode: str) -> List[Tuple[Any, str, Any]]:
    """Attributes to set: owner, name and value."""
    _check_known(model)
    changes: List[Tuple[Any, str, Any]] = []
    inside = set()
    for name, module in model.named_modules():
        head = getattr(module, 'head_padding', None)
        if isinstance(head, BorderPadding) and head.mode == 'constant':
            border = BorderPadding(head.width, mode)
            changes.append((module, 'head_padding', border))
        if isinstance(module, TransposedConvUp):
            inside.add(module.blur)
        window = None if module in inside else window_of(name, module)
        if window is not None:
            key = _attribute(module)
            compute = getattr(module, key)
            if isinstance(module, _RESIZING):
                changes.append((module, key, _resizing(module, window, mode)))
            else:
                changes.append((module, key,
                                _continued(compute, window, mode)))
    return changes


def _resizing(module: Any, window: Window, mode: str) -> Compute:
    """Wrap the convolution only, not the interpolation."""
    convolve = _continued(
        partial(ModulatedConv2d.convolve, module), window, mode)
    if isinstance(module, ConvThenResize):
        return lambda x, weight: module.resize(convolve(x, weight))
    return lambda x, weight: convolve(module.resize(x), weight)


def _enlarge(stack: contextlib.ExitStack, model: nn.Module, margin: int,
             first_map: Optional[str]) -> None:
    """Extend inputs, and crop outputs by the same amount."""
    sizes: List[int] = []

    def enlarge(x: Tensor, ratio: int) -> Tensor:
        if ratio == 1:
            sizes[:] = x.shape[-2:]
        return continue_map(x, margin * ratio, 'reflect')

    def cut(module: nn.Module, args: Tuple[Any, ...], out: Any) -> Any:
        def part(x: Tensor) -> Tensor:
            return crop(x, [
                side * cells // (cells + 2 * margin)
                for side, cells in zip(x.shape[-2:], sizes)
            ])
        return replaced(out, part)

    stack.enter_context(change_inputs(model, enlarge, first_map))
    for key, positions in _continued_positions(model, margin, sizes):
        stack.enter_context(attribute_set(model, key, positions))
    stack.callback(model.register_forward_hook(cut).remove)


def _continued_positions(model: Any, margin: int,
                         sizes: List[int]) -> Iterator[Tuple[str, Compute]]:
    """Extended positions of MS-PIE or SinGAN, if they have explicit ones."""
    head = getattr(model, 'head', None)
    if isinstance(head, EncodingHead):

        def first_map(scale: Tuple[int, int]) -> Tensor:
            sizes[:] = model.first_map_size(scale)
            return _positions_around(head.encoding, sizes, margin)

        yield 'first_map', first_map
    encoding = model._modules.get('head_position_encode')
    if encoding is not None:
        yield 'head_position_encode', lambda noise: _positions_around(
            encoding, [side - 2 * margin for side in noise.shape[-2:]], margin)


def _positions_around(encoding: Any, size: Sequence[int],
                      margin: int) -> Tensor:
    """Encoding (1, C, H', W') of a grid and the cells around it."""
    y, x = (torch.arange(-margin, cells + margin) for cells in size)
    positions = torch.stack(torch.meshgrid(y, x, indexing='ij')).float()
    return encoding.encode_positions(positions, tuple(size))[None]
