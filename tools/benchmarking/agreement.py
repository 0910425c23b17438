"""How far the results of two sides differ, and how far they may."""
import math
from typing import Dict, List, Sequence, Tuple

import torch

from .core import Results, Task

__all__ = [
    'allowed_differences', 'differences', 'effect_of_rounding', 'worst_of'
]

# Rounding error of sums of thousands of products, in units in the last place.
_UNITS_IN_THE_LAST_PLACE = 4
_TRIALS = 4
# Tolerated multiple of the effect of rounding errors.
_ROUNDING = 3


def differences(results: Results, expected: Results) -> Dict[str, float]:
    """Relative differences between results.

    For images and losses, the largest difference relative to the largest
    value. For gradients, the norm of the difference relative to the norm, over
    all parameters of a network, as single gradients may be nearly zero.

    Args:
        results, expected: Tensors by name; the name of a gradient is
            'gradient of NETWORK.PARAMETER'.

    Returns:
        Differences by name, with 'gradient of NETWORK' for gradients.

    Raises:
        ValueError: Only one side has a result.
    """
    for key in results.keys() ^ expected.keys():
        # A side may omit gradients that are zero.
        present = {**results, **expected}[key]
        if not key.startswith('gradient') or present.any():
            raise ValueError(f'Only one side has {key!r}.')
    pairs: Dict[str, List[tuple]] = {}
    for key in sorted(results.keys() & expected.keys()):
        name = key.split('.')[0] if key.startswith('gradient') else key
        pairs.setdefault(name, []).append((results[key], expected[key]))
    return {
        name: _difference(*map(_vector, zip(*values)),
                          2 if name.startswith('gradient') else math.inf)
        for name, values in pairs.items()
    }


def effect_of_rounding(task: Task, expected: Results) -> Dict[str, float]:
    """Effect of rounding errors on the results of a side.

    Temporarily perturbs its weights by a few units in the last place, up or
    down at random. Several trials are needed, as it is a matter of chance
    whether an activation changes its sign in a small network.

    Args:
        task: The side.
        expected: Its results.

    Returns:
        The largest :func:`differences` from the expected results.
    """
    parameters = list(task.model.parameters())
    before = [parameter.detach().clone() for parameter in parameters]
    generator = torch.Generator().manual_seed(0)
    largest: Dict[str, float] = {}
    for _ in range(_TRIALS):
        for parameter, value in zip(parameters, before):
            signs = torch.randint(
                0, 2, value.shape, generator=generator) * 2. - 1
            towards, moved = signs.to(value) * math.inf, value
            for _ in range(_UNITS_IN_THE_LAST_PLACE):
                moved = torch.nextafter(moved, towards)
            parameter.data.copy_(moved)
        for key, value in differences(task.record(), expected).items():
            largest[key] = max(largest.get(key, 0.), value)
    for parameter, value in zip(parameters, before):
        parameter.data.copy_(value)
    return largest


def allowed_differences(
        found: Dict[str, float], tolerances: Dict[str, float], task: Task,
        expected: Results) -> Tuple[Dict[str, float], List[str]]:
    """Tolerances that account for the effect of rounding errors.

    A rounding error can flip the sign at a leaky ReLU, so gradients in float32
    are not always accurate to 1e-4.

    Args:
        found: Result of :func:`differences`.
        tolerances: Tolerance of each difference.
        task: The reference side.
        expected: Its results.

    Returns:
        The tolerances, raised to three times the :func:`effect_of_rounding`
        if a difference exceeds its tolerance; and a note on each of those.
    """
    larger = [key for key in found if not found[key] <= tolerances[key]]
    if not larger:
        return tolerances, []
    effect = effect_of_rounding(task, expected)
    allowed, notes = dict(tolerances), []
    for key in larger:
        allowed[key] = max(allowed[key], _ROUNDING * effect[key])
        notes.append(f'{key} differs by {found[key]:.1e}, and by '
                     f'{effect[key]:.1e} on the reference side alone when its '
                     'weights are rounded differently')
    return allowed, notes


def worst_of(found: Dict[str, float], tolerances: Dict[str, float]) -> str:
    """Name of the difference that is largest relative to its tolerance."""
    # NaN is the worst.
    return max(
        found,
        key=lambda key:
        (found[key] != found[key], found[key] / tolerances[key]))


def _vector(values: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat([value.flatten() for value in values]).double()


def _difference(actual: torch.Tensor, expected: torch.Tensor,
                order: float) -> float:
    # NaN in either vector gives NaN.
    distance = torch.linalg.vector_norm(actual - expected, order)
    norm = torch.linalg.vector_norm(expected, order)
    return float(distance / norm) if norm else float(distance)
