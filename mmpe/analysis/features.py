"""Features of any network, collected by hooks on its modules."""
import contextlib
from typing import (Any, Callable, Dict, List, Mapping, Optional, Sequence,
                    Tuple)

import torch
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmpe.models.layers.modulated_conv import StyledConv
from .maps import crop

__all__ = ['collect', 'feature_layers']

Size = Tuple[int, int]
# Convolutions with norm and activation, and bare ones.
_BLOCKS = (ConvModule, StyledConv)
_CONVS = (nn.Conv2d, nn.ConvTranspose2d)


def _features(out: Any) -> Optional[Tensor]:
    """The map that a module returns, or None."""
    if isinstance(out, (tuple, list)) and len(out) == 2 \
            and isinstance(out[1], Tensor) and out[1].dim() == 2:
        return out[0] * out[1][..., None, None]  # a layer of StyleGAN2
    if isinstance(out, Tensor) and out.dim() == 4:
        return out
    return None


def collect(model: nn.Module,
            run: Callable[[], Any],
            layers: Sequence[str],
            sizes: Optional[Mapping[str, Size]] = None) -> Dict[str, Tensor]:
    """Collect the outputs of modules while a function runs.

    Args:
        model: Any network.
        run: Runs the network, once or for several batches.
        layers: Names of modules, '' for the network itself. They must return
            a map (N, C, H, W) or, as in StyleGAN2, a map and its pending
            factor (N, C). Maps of several calls are concatenated.
        sizes: (H, W) to crop the maps to.

    Returns:
        Float32 (N, C, H, W) of each layer, in the order of ``layers``.

    Raises:
        ValueError: A module does not exist or returns no map.
    """
    modules = dict(model.named_modules())
    found: Dict[str, List[Tensor]] = {name: [] for name in layers}
    with contextlib.ExitStack() as stack, torch.no_grad():
        for name in layers:
            if name not in modules:
                raise ValueError('Argument `layers` must be names of modules '
                                 f'of the network, but got {name!r}.')

            def keep(module: nn.Module, args: Tuple[Any, ...], out: Any,
                     name: str = name) -> None:
                x = _features(out)
                if x is None:
                    raise ValueError(f'The module {name!r} returns no map '
                                     '(N, C, H, W).')
                if sizes is not None:
                    try:
                        x = crop(x, sizes[name])
                    except ValueError as error:
                        raise ValueError(f'Module {name!r}: {error} Another '
                                         'margin may help.') from None
                # Cloned, as a later activation may work in place.
                found[name].append(x.detach().float().clone(
                    memory_format=torch.contiguous_format))

            stack.callback(
                modules[name].register_forward_hook(keep).remove)
        run()
    unused = [name for name, maps in found.items() if not maps]
    if unused:
        raise ValueError(f'The module {unused[0]!r} was not used.')
    return {name: torch.cat(maps) for name, maps in found.items()}


def feature_layers(model: nn.Module,
                   run: Callable[[], Any],
                   min_size: int = 4) -> Dict[str, Size]:
    """Find the layers to analyse: convolutions, with norm and activation.

    Args:
        model: Any network.
        run: Runs the network.
        min_size: Smallest height and width of a layer's map.

    Returns:
        (H, W) of the maps of mmcv's ``ConvModule``, StyleGAN2's layers and
        bare convolutions, in order of use, and of the network itself ('').

    Raises:
        ValueError: There are no such layers.
    """
    sizes: Dict[str, Size] = {}
    hooks = []
    for name, module in _outermost(model):

        def note(module: nn.Module, args: Tuple[Any, ...], out: Any,
                 name: str = name) -> None:
            x = _features(out)
            if x is not None and min(x.shape[2:]) >= min_size:
                sizes[name] = x.shape[2], x.shape[3]

        hooks.append(module.register_forward_hook(note))
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    if not sizes:
        raise ValueError('The network must have convolutions with maps of at '
                         f'least {min_size} x {min_size} cells, but has none.')
    return sizes


def _outermost(model: nn.Module) -> List[Tuple[str, nn.Module]]:
    """Blocks, convolutions outside of blocks, and the network."""
    named = [('', model)]
    blocks: Tuple[str, ...] = ()
    for name, module in model.named_modules():
        if isinstance(module, (*_BLOCKS, *_CONVS)) and not (
                blocks and name.startswith(blocks)):
            named.append((name, module))
            if isinstance(module, _BLOCKS):
                blocks += (f'{name}.', )
    return named
