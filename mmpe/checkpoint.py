"""Safe reading of checkpoints (``.pth``) and of SinGAN's ``.pkl``.

A pickle may name any function of any module and have it called. Here only the
names are resolved that files of mmengine, MMGeneration and MMagic hold:
tensors, NumPy numbers and arrays of numbers, and mmengine's log buffers. A
file with any other name in it is refused, and nothing in it runs.

:func:`install`, which ``import mmpe`` takes care of, makes mmengine read
through this module, so that its ``Runner`` (``resume``, ``load_from``) and
``load_checkpoint`` do so too.
"""
import codecs
import collections
import os
import pickle
import re
import types
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Union
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.dist import barrier, get_rank
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version
from torch._weights_only_unpickler import _get_allowed_globals

from .utils.download import DownloadError, download
from .utils.files import PathLike, atomic_write, check_stored

__all__ = [
    'CheckpointError', 'fetch', 'install', 'is_whole', 'last_checkpoint',
    'latest_checkpoint', 'load_pickle', 'read_checkpoint', 'save_pickle',
    'to_current_layout'
]

MapLocation = Optional[Union[str, torch.device, Callable, Dict[str, str]]]


class CheckpointError(ValueError):
    """A file is not a checkpoint, is damaged, or holds what it must not."""


def install() -> None:
    """Make mmengine read local and ``http(s)`` checkpoints safely."""
    # Only here: importing it makes the host bridge call this function.
    from mmengine.runner.checkpoint import CheckpointLoader
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    CheckpointLoader.register_scheme(('http://', 'https://'),
                                     load_from_http,
                                     force=True)


# mmengine prints these two names without their first ten letters.
def load_from_local(filename: PathLike,
                    map_location: MapLocation = None) -> Any:
    """Loader of local paths for mmengine; see :func:`read_checkpoint`."""
    checkpoint = read_checkpoint(os.path.expanduser(filename), map_location)
    if isinstance(checkpoint, dict) and 'state_dict' in checkpoint:
        checkpoint['state_dict'] = to_current_layout(checkpoint['state_dict'])
    return checkpoint


def load_from_http(filename: str, map_location: MapLocation = None) -> Any:
    """Loader of addresses for mmengine: download once, then read safely.

    Raises:
        DownloadError: The file cannot be downloaded.
        CheckpointError: See :func:`read_checkpoint`.
    """
    return load_from_local(fetch(filename), map_location)


def fetch(url: str) -> Path:
    """Download a file once; later calls find it in PyTorch's cache.

    The cache is ``torch.hub.get_dir()``, which ``TORCH_HOME`` moves.

    Args:
        url: Address of the file.

    Returns:
        Where it is.

    Raises:
        DownloadError: The address names no file; or see
            :func:`mmpe.utils.download.download`.
    """
    name = Path(urlparse(url).path).name
    if name in ('', '..'):
        raise DownloadError(f'Cannot download {url}: it names no file.')
    path = Path(torch.hub.get_dir(), 'checkpoints', name)
    if get_rank() > 0:
        barrier()  # the other ranks find what rank 0 has downloaded
    try:
        if not path.exists():
            download(url, path)
    finally:
        if get_rank() == 0:
            barrier()
    return path


def latest_checkpoint(folder: PathLike) -> Optional[Path]:
    """The checkpoint of the last iteration in a folder of a training.

    Args:
        folder: The folder.

    Returns:
        Path of its ``iter_*.pth`` with the highest number; None without any.
    """
    numbered = [(int(path.stem[5:]), path)
                for path in Path(folder).glob('iter_*.pth')
                if path.stem[5:].isdecimal()]
    return max(numbered)[1] if numbered else None


def last_checkpoint(folder: PathLike) -> Optional[str]:
    """The checkpoint that a training has written last.

    Args:
        folder: Its work dir.

    Returns:
        The path that mmengine's file ``last_checkpoint`` names, if it is
        there, else that of :func:`latest_checkpoint`; None without any.
    """
    note = Path(folder, 'last_checkpoint')
    named = note.read_text().strip() if note.is_file() else ''
    if named and Path(named).is_file():
        return named
    latest = latest_checkpoint(folder)
    return latest and str(latest)


def to_current_layout(state_dict: Dict[str, Any]) -> Dict[str, Any]:
    """Weights of a GAN under the names of MMagic 1.x.

    MMGeneration 0.x has the average of the generator under ``generator_ema``
    itself, without a count of its updates, and the mean path length in the
    loss. Distributed training in mmengine may leave a ``module`` in names.

    Args:
        state_dict: Weights by name; not changed.

    Returns:
        The same weights; those with current names are left alone.

    Raises:
        CheckpointError: It is not a dict with names.
    """
    if not isinstance(state_dict, dict) or not all(
            isinstance(name, str) for name in state_dict):
        raise CheckpointError('The checkpoint holds no weights by name.')
    renamed = type(state_dict)()
    for name, value in state_dict.items():
        for pattern, replacement in _RENAMED:
            name = pattern.sub(replacement, name)
        renamed[name] = value
    if any(name.startswith('generator_ema.') for name in renamed):
        # With zero updates, training would overwrite the average at once.
        renamed.setdefault('generator_ema.steps', torch.tensor(1))
    if hasattr(state_dict, '_metadata'):
        renamed._metadata = state_dict._metadata  # versions of the layers
    return renamed


_RENAMED = [(re.compile(pattern), replacement) for pattern, replacement in (
    (r'^module\.', ''),
    (r'^(generator|discriminator)\.module\.', r'\1.'),
    (r'^generator_ema\.(?!module\.|steps$)', 'generator_ema.module.'),
    (r'^generator_ema\.module\.module\.', 'generator_ema.module.'),
    (r'^gen_auxiliary_losses\.\d+\.mean_path_length$', 'mean_path_length'),
)]


def read_checkpoint(path: PathLike,
                    map_location: MapLocation = 'cpu') -> Any:
    """Read a ``.pth`` file without running anything in it.

    Args:
        path: A file written by ``torch.save``, in its zip or older format.
        map_location: As in ``torch.load``.

    Returns:
        What the file holds, usually a dict.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is not a checkpoint, is truncated, or holds a
            type that is not allowed (which the error names).
    """
    path = Path(path)
    _check_beginning(path)
    try:
        return _torch_load(path, map_location)
    except OSError:
        raise
    except Exception as error:  # damaged data can fail in any way
        raise _explain(path, error) from error


def load_pickle(path: PathLike) -> Any:
    """Read a ``.pkl`` file of plain containers, numbers and number arrays.

    MMagic and MMGeneration write SinGAN's ``noise_weights``, ``fixed_noises``
    and ``curr_stage`` in this way.

    Args:
        path: A file written by :func:`save_pickle`, MMagic or MMGeneration.

    Returns:
        What the file holds; arrays are NumPy arrays.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: The file is not a pickle, is truncated, or holds a
            type that is not allowed (which the error names).
    """
    path = Path(path)
    _check_beginning(path)
    try:
        with open(path, 'rb') as file:
            return _Unpickler(file).load()
    except OSError:
        raise
    except Exception as error:  # damaged data can fail in any way
        raise _explain(path, error) from error


def is_whole(value: Any) -> bool:
    """Whether a value of a checkpoint is a tensor of real numbers, all there.

    A tensor may claim any size, and repeat the few numbers that a file holds.
    """
    return (isinstance(value, torch.Tensor) and value.layout == torch.strided
            and not value.is_meta and not value.is_quantized
            and not value.is_complex() and value.numel() *
            value.element_size() <= value.untyped_storage().nbytes())


def save_pickle(data: Any, path: PathLike) -> None:
    """Write what :func:`load_pickle` and MMagic read, whole or not at all.

    Args:
        data: Dicts, lists, tuples, numbers, strings, arrays and tensors;
            tensors become arrays.
        path: Where to write.

    Raises:
        OSError: The file cannot be written.
    """
    with atomic_write(path) as temporary, open(temporary, 'wb') as file:
        pickle.dump(_to_numpy(data), file)


def _to_numpy(data: Any) -> Any:
    if isinstance(data, torch.Tensor):
        return data.detach().cpu().numpy()
    if isinstance(data, dict):
        return {key: _to_numpy(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return type(data)(_to_numpy(value) for value in data)
    return data


def _check_beginning(path: Path) -> None:
    """Tell a checkpoint from what is often found in its place."""
    if not path.is_file():
        raise FileNotFoundError(f'`{path}` does not exist or is not a file.')
    with open(path, 'rb') as file:
        beginning = file.read(40)
    if not beginning:
        raise CheckpointError(f'`{path}` is empty.')
    if beginning.startswith(b'PK'):
        try:
            if not zipfile.is_zipfile(path):
                raise CheckpointError(f'`{path}` is truncated: it has no end.')
            check_stored(path)
        except CheckpointError:
            raise
        except (ValueError, zipfile.BadZipFile) as error:
            raise CheckpointError(f'`{path}` is damaged: {error}.') from error
    elif not beginning.startswith(b'\x80'):  # every pickle does
        raise CheckpointError(f'`{path}` is not a checkpoint: it begins with '
                              f'{beginning!r}.')


def _explain(path: Path, error: Exception) -> CheckpointError:
    name = re.search(r'GLOBAL ([\w.]+)', str(error))
    if name:
        return CheckpointError(
            f'`{path}` is refused: it holds `{name[1]}`, which does not '
            'belong in a checkpoint. Nothing in it was executed.')
    # torch wraps the reason in advice on how to read the file unsafely.
    reason = str(error).split('WeightsUnpickler error: ')[-1].strip()
    reason = reason.split('\n')[0] or 'unexpected end'
    return CheckpointError(f'`{path}` cannot be read, it may be damaged: '
                           f'{type(error).__name__}: {reason}.')


def _torch_load(path: Path, map_location: MapLocation) -> Any:
    # Since 2.6 a name can be allowed together with what stands in for it.
    if digit_version(torch.__version__) >= digit_version('2.6'):
        allowed = [(value, name) for name, value in _ALLOWED.items()]
        with torch.serialization.safe_globals(allowed):
            return torch.load(
                path, map_location=map_location, weights_only=True)
    return torch.load(
        path,
        map_location=map_location,
        pickle_module=_RESTRICTED_PICKLE,
        weights_only=False)


def _number_dtype(*args: Any) -> np.dtype:
    """``numpy.dtype`` for numbers alone."""
    dtype = np.dtype(*args)
    if dtype.kind not in 'biufc':
        kind = dtype.type
        raise pickle.UnpicklingError(
            f'GLOBAL {kind.__module__}.{kind.__name__} is not a number')
    return dtype


def _history_statistic(owner: Any, name: str) -> Callable:
    """``getattr`` as far as a pickled ``HistoryBuffer`` needs it."""
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
    # Never named in a file, but torch looks here for what may have a state.
    for code in '?bBhHiIlLqQefdgFDG':
        dtype_class = type(np.dtype(code))
        names[f'numpy.dtypes.{dtype_class.__name__}'] = dtype_class
    return names


# What stands behind each name that a file may use.
_ALLOWED_IN_PICKLE = {'_codecs.encode': codecs.encode, **_numpy_names()}
_ALLOWED = {
    'builtins.getattr': _history_statistic,
    'collections.Counter': collections.Counter,  # milestones of a schedule
    'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
    **_ALLOWED_IN_PICKLE
}


class _Unpickler(pickle.Unpickler):
    """Resolves the names in ``allowed`` and no others."""

    allowed = _ALLOWED_IN_PICKLE

    def find_class(self, module: str, name: str) -> Any:
        module = {'__builtin__': 'builtins'}.get(module, module)
        try:
            return self.allowed[f'{module}.{name}']
        except KeyError:
            raise pickle.UnpicklingError(
                f'GLOBAL {module}.{name} is not allowed') from None


class _TorchUnpickler(_Unpickler):
    allowed = {**_get_allowed_globals(), **_ALLOWED}


# What `torch.load` uses of a pickle module, for torch below 2.6.
_RESTRICTED_PICKLE = types.ModuleType('restricted_pickle')
_RESTRICTED_PICKLE.Unpickler = _TorchUnpickler
_RESTRICTED_PICKLE.load = (
    lambda file, **kwargs: _TorchUnpickler(file, **kwargs).load())
