"""Change the input maps of any network, or its first map."""
import contextlib
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from torch import Tensor, nn

from mmpe.models.stylegan2.base_generator import BaseStyleGenerator

__all__ = ['attribute_set', 'change_inputs', 'replaced']

# Positional and keyword arguments of a network.
Arguments = Tuple[Tuple[Any, ...], Dict[str, Any]]


@contextlib.contextmanager
def attribute_set(owner: Any, key: str, value: Any) -> Iterator[None]:
    """Set an attribute of an object within this context.

    Args:
        owner: The object.
        key: Name of the attribute.
        value: Its value, which hides a module or parameter of that name.
    """
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


def _is_map(x: Any) -> bool:
    return isinstance(x, Tensor) and x.dim() == 4 and min(x.shape[2:]) > 1


def _maps(value: Any) -> List[Tensor]:
    """All maps in nested arguments."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [x for part in value for x in _maps(part)]
    return [value] if _is_map(value) else []


def replaced(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """Change all maps (N, C, H, W) in nested arguments.

    Args:
        value: A tensor, anything else, or lists, tuples and dicts of those.
        change: Returns the new map, given a map.

    Returns:
        The same structure with the new maps.
    """
    if isinstance(value, dict):
        return {key: replaced(x, change) for key, x in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(replaced(x, change) for x in value)
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
        return replaced((args, kwargs),
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
                attribute_set(model, 'first_map',
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
                attribute_set(model, 'head_position_encode',
                               lambda noise: change(encode(noise), 1)))
        yield
