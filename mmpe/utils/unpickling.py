"""Unpickling of trusted names only.

``_ALLOWED`` is the list of what is trusted; everything else is refused before
anything in the file runs.
"""
import codecs
import collections
import pickle
import types
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version
from torch._weights_only_unpickler import _get_allowed_globals

__all__ = ['MapLocation', 'Unpickler', 'torch_load']

MapLocation = Optional[Union[str, torch.device, Callable, Dict[str, str]]]


def torch_load(path: Path, map_location: MapLocation) -> Any:
    """``torch.load`` with trusted names only.

    Args:
        path: A file written by ``torch.save``.
        map_location: As in ``torch.load``.

    Raises:
        Exception: The file is damaged, or has a name that is not trusted.
    """
    # Since 2.6, a name can be allowed together with a replacement.
    if digit_version(torch.__version__) >= digit_version('2.6'):
        allowed: List[Any] = [(value, name)
                              for name, value in _ALLOWED.items()]
        with torch.serialization.safe_globals(allowed):
            return torch.load(
                path, map_location=map_location, weights_only=True)
    return torch.load(
        path,
        map_location=map_location,
        pickle_module=_RESTRICTED_PICKLE,
        weights_only=False)


def _number_dtype(*args: Any) -> np.dtype:
    """``numpy.dtype``, for numbers only."""
    dtype = np.dtype(*args)
    if dtype.kind not in 'biufc':
        kind = dtype.type
        raise pickle.UnpicklingError(
            f'GLOBAL {kind.__module__}.{kind.__name__} is not a number')
    return dtype


def _history_statistic(owner: Any, name: str) -> Callable:
    """``getattr``, for what a pickled ``HistoryBuffer`` needs only."""
    if owner is HistoryBuffer and name in ('current', 'max', 'mean', 'min'):
        return getattr(HistoryBuffer, name)
    raise pickle.UnpicklingError(f'GLOBAL builtins.getattr of {owner}.{name}')


def _numpy_names() -> Dict[str, Any]:
    array = np.ones(1)
    names = {'numpy.dtype': _number_dtype, 'numpy.ndarray': np.ndarray}
    for core in ('numpy.core', 'numpy._core'):  # NumPy 1 and 2
        names[f'{core}.multiarray._reconstruct'] = array.__reduce__()[0]
        names[f'{core}.multiarray.scalar'] = array[0].__reduce__()[0]
        names[f'{core}.numeric._frombuffer'] = array.__reduce_ex__(5)[0]
    # Not named in files, but torch checks these before it sets a state.
    for code in '?bBhHiIlLqQefdgFDG':
        dtype_class = type(np.dtype(code))
        names[f'numpy.dtypes.{dtype_class.__name__}'] = dtype_class
    return names


# Trusted names, and the objects they resolve to.
_ALLOWED_IN_PICKLE = {'_codecs.encode': codecs.encode, **_numpy_names()}
_ALLOWED = {
    'builtins.getattr': _history_statistic,
    'collections.Counter': collections.Counter,  # milestones of a schedule
    'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
    **_ALLOWED_IN_PICKLE
}


class Unpickler(pickle.Unpickler):
    """Resolves only the names in ``allowed``."""

    allowed = _ALLOWED_IN_PICKLE

    def find_class(self, module: str, name: str) -> Any:
        """Look a name up.

        Raises:
            pickle.UnpicklingError: The name is not trusted.
        """
        module = {'__builtin__': 'builtins'}.get(module, module)
        try:
            return self.allowed[f'{module}.{name}']
        except KeyError:
            raise pickle.UnpicklingError(
                f'GLOBAL {module}.{name} is not allowed') from None


class _TorchUnpickler(Unpickler):
    allowed = {**_get_allowed_globals(), **_ALLOWED}


# The parts of a pickle module that `torch.load` uses, for torch below 2.6.
_RESTRICTED_PICKLE: Any = types.ModuleType('restricted_pickle')
_RESTRICTED_PICKLE.Unpickler = _TorchUnpickler
_RESTRICTED_PICKLE.load = (
    lambda file, **kwargs: _TorchUnpickler(file, **kwargs).load())
