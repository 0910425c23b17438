"""Replace the zero padding of any network.

A layer with zero padding gives the same map, except for its border, when its
input is extended and its output cropped; the extension of the input then
replaces the padding. The same rule serves convolutions, transposed
convolutions, filters and pooling: extend the input, run the layer, crop.
"""
import contextlib
from functools import partial
from typing import (Any, Callable, Dict, Iterator, List, NamedTuple, Optional,
                    Sequence, Tuple)

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from mmpe.models.layers.equalized import EqualizedConv2d, EqualizedWeight
from mmpe.models.layers.modulated_conv import (ConvThenResize,
                                               ModulatedConv2d,
                                               ResizeThenConv,
                                               TransposedConvUp)
from mmpe.models.layers.resample import EdgeFIRUpsampler, FIRFilter
from mmpe.models.mspie.head import EncodingHead
from mmpe.models.singan.padding import BorderPadding
from mmpe.models.stylegan2.base_generator import BaseStyleGenerator

__all__ = ['MODES', 'change_inputs', 'continue_map', 'crop', 'pad_with']

Compute = Callable[..., Tensor]
# Positional and keyword arguments of a network.
Arguments = Tuple[Tuple[Any, ...], Dict[str, Any]]
MODES = ('zeros', 'reflect', 'replicate', 'circular', 'none')
_CONVS = (nn.Conv2d, nn.ConvTranspose2d)
_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_RESIZING = (ConvThenResize, ResizeThenConv)
_KNOWN = (*_CONVS, EqualizedConv2d, EqualizedWeight, ModulatedConv2d,
          ParametrizationList)


def continue_map(x: Tensor, margin: int, mode: str) -> Tensor:
    """Extend a map beyond its border, by any number of cells.

    Args:
        x: (N, C, H, W).
        margin: Cells to add on each side.
        mode: 'reflect' (without repeating the border), 'replicate' or
            'circular'.

    Returns:
        (N, C, H + 2 margin, W + 2 margin).
    """
    for axis in (2, 3):
        size = x.shape[axis]
        cells = torch.arange(-margin, size + margin, device=x.device)
        if mode == 'circular':
            cells = cells % size
        elif mode == 'reflect' and size > 1:
            cells = (cells + size - 1) % (2 * size - 2) - (size - 1)
            cells = cells.abs()
        else:
            cells = cells.clamp(0, size - 1)
        x = x.index_select(axis, cells)
    return x


def crop(x: Tensor, size: Sequence[int]) -> Tensor:
    """Crop the middle of a map.

    Args:
        x: (N, C, H, W).
        size: (H', W') of the result; H - H' and W - W' must be even.

    Returns:
        (N, C, H', W').

    Raises:
        ValueError: The map has no middle of that size.
    """
    extra = [old - new for old, new in zip(x.shape[-2:], size)]
    if min(extra) < 0 or any(cells % 2 for cells in extra):
        raise ValueError(f'A map of {tuple(x.shape[-2:])} cells has no middle '
                         f'of {tuple(size)}.')
    top, left = (cells // 2 for cells in extra)
    return x[..., top:top + size[0], left:left + size[1]]


class _Window(NamedTuple):
    """Reach of a layer beyond the border, and its change of size.

    Attributes:
        margin: Cells by which to extend the input.
        up: Number of output cells for ``down`` input cells.
        down: See ``up``; divides ``margin``.
    """

    margin: int
    up: int = 1
    down: int = 1


def _window(name: str, module: nn.Module) -> Optional[_Window]:
    """Window of a module; None if it has no zero padding."""
    if isinstance(module, (nn.Conv2d, *_POOLS)):
        return _sliding_window(name, module)
    if isinstance(module, nn.ConvTranspose2d):
        stride = _square(name, 'stride', module.stride)
        reach = max(d * (k - 1) for d, k in zip(module.dilation,
                                                module.kernel_size))
        return _Window(-(-reach // stride) + 1, up=stride) \
            if reach else None
    if isinstance(module, nn.ConstantPad2d):
        width = 0 if module.value else max(module.padding)
        return _Window(width) if width > 0 else None
    if isinstance(module, EqualizedConv2d):
        return _Window(-(-module.padding // module.stride) * module.stride,
                       down=module.stride) if module.padding else None
    if isinstance(module, TransposedConvUp):
        return _Window(module.blur.kernel.shape[-1], up=2)
    if isinstance(module, ModulatedConv2d):
        return _Window(module.padding) if module.padding else None
    if isinstance(module, FIRFilter) and not isinstance(
            module, EdgeFIRUpsampler):
        taps = module.kernel.shape[-1]
        if sum(module.pad) - taps + module.down not in range(module.down):
            raise ValueError(
                f'The padding of `{name}` (FIRFilter) cannot be changed: its '
                'output is not aligned with its input.')
        return _Window(taps * module.down, up=module.up, down=module.down)
    return None


def _sliding_window(name: str, module: nn.Module) -> Optional[_Window]:
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
    return _Window(-(-padding // stride) * stride, down=stride)


def _pair(value: Any) -> Sequence[int]:
    return value if isinstance(value, (tuple, list)) else (value, value)


def _square(name: str, what: str, value: Sequence[int]) -> int:
    if len(set(value)) > 1:
        raise ValueError(f'The padding of `{name}` cannot be changed: its '
                         f'{what} is {tuple(value)}, not the same for both '
                         'axes.')
    return value[0]


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


def _continued(compute: Compute, window: _Window, mode: str) -> Compute:
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
                stack.enter_context(_attribute_set(owner, key, value))
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
        window = None if module in inside else _window(name, module)
        if window is not None:
            key = _attribute(module)
            compute = getattr(module, key)
            if isinstance(module, _RESIZING):
                changes.append((module, key, _resizing(module, window, mode)))
            else:
                changes.append((module, key,
                                _continued(compute, window, mode)))
    return changes


def _resizing(module: Any, window: _Window, mode: str) -> Compute:
    """Wrap the convolution only, not the interpolation."""
    convolve = _continued(
        partial(ModulatedConv2d.convolve, module), window, mode)
    if isinstance(module, ConvThenResize):
        return lambda x, weight: module.resize(convolve(x, weight))
    return lambda x, weight: convolve(module.resize(x), weight)


@contextlib.contextmanager
def _attribute_set(owner: Any, key: str, value: Any) -> Iterator[None]:
    """Set an attribute of an object temporarily."""
    missing = object()
    before = owner.__dict__.get(key, missing)
    owner.__dict__[key] = value
    try:
        yield
    finally:
        if before is missing:
            del owner.__dict__[key]
        else:
            owner.__dict__[key] = before


# --- inputs -----------------------------------------------------------------


def _is_map(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dim() == 4 and min(x.shape[2:]) > 1


def _maps(value: Any) -> List[Tensor]:
    """All maps in nested arguments."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [x for part in value for x in _maps(part)]
    return [value] if _is_map(value) else []


def _replaced(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Nested arguments with all their maps changed."""
    if isinstance(value, dict):
        return {key: _replaced(x, change) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_replaced(x, change) for x in value)
    return change(value) if _is_map(value) else value


@contextlib.contextmanager
def change_inputs(model: nn.Module,
                  change: Callable[[Tensor, int], Tensor],
                  first_map: Optional[str] = None) -> Iterator[None]:
    """Change the input maps of a network within this context.

    These are all maps (N, C, H, W) among its arguments, nested or not. If
    there are none, it is the first map: that of mmpe's StyleGAN2 and MS-PIE,
    or else the output of the first module that returns a map. Explicit
    positions of MS-PIE and SinGAN are changed in the same way.

    Args:
        model: Any network.
        change: Returns the new map, given a map and its size relative to the
            smallest one.
        first_map: Name of the module whose output is the first map; found
            automatically if None.

    Raises:
        ValueError: The module does not exist. In the context: sizes of maps
            are not whole multiples of the smallest one.
    """
    modules = dict(model.named_modules())
    if first_map is not None and first_map not in modules:
        raise ValueError('Argument `first_map` must be the name of a module '
                         f'of the network, but got {first_map!r}.')
    waiting = [False]

    def before(module: nn.Module, args: Tuple[Any, ...],
               kwargs: Dict[str, Any]) -> Optional[Arguments]:
        maps = [] if first_map else _maps((args, kwargs))
        waiting[0] = not maps
        if not maps:
            return None
        least = min((x.shape[-2:] for x in maps), key=min)
        for x in maps:
            if x.shape[-2] * least[1] != x.shape[-1] * least[0] \
                    or x.shape[-1] % least[1]:
                raise ValueError(
                    'The input maps of a network must be whole multiples of '
                    f'the smallest one, of {tuple(least)} cells, but one has '
                    f'{tuple(x.shape[-2:])}.')
        return _replaced((args, kwargs),
                         lambda x: change(x, x.shape[-1] // least[1]))

    def after(module: nn.Module, args: Tuple[Any, ...],
              out: Any) -> Optional[Tensor]:
        if not (waiting[0] and _is_map(out)):
            return None
        waiting[0] = False
        return change(out, 1)

    with contextlib.ExitStack() as stack:
        if isinstance(model, BaseStyleGenerator) and first_map is None:
            make = model.first_map
            stack.enter_context(
                _attribute_set(model, 'first_map',
                               lambda scale: change(make(scale), 1)))
        else:
            hooks = [model.register_forward_pre_hook(before, with_kwargs=True)]
            hooks += [
                module.register_forward_hook(after)
                for name, module in modules.items()
                if name and first_map in (None, name)
            ]
            for hook in hooks:
                stack.callback(hook.remove)
        encode = getattr(model, 'head_position_encode', None)
        if encode is not None:  # positions that SinGAN adds to its noise
            stack.enter_context(
                _attribute_set(model, 'head_position_encode',
                               lambda noise: change(encode(noise), 1)))
        yield


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
        return _replaced(out, part)

    stack.enter_context(change_inputs(model, enlarge, first_map))
    for key, positions in _continued_positions(model, margin, sizes):
        stack.enter_context(_attribute_set(model, key, positions))
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
