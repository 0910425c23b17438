"""Safe loading of checkpoints (``.pth``) and of SinGAN's ``.pkl`` files.

Loading a pickle can call any function of any module. This module only resolves
names that occur in files of mmengine, MMGeneration and MMagic: tensors, NumPy
numbers and arrays of numbers, and mmengine's log buffers (see
:mod:`mmpe.utils.unpickling`). A file with any other name is refused, and
nothing in it runs.

``import mmpe`` calls :func:`install`, which makes mmengine load checkpoints
through this module, in its ``Runner`` (``resume``, ``load_from``) and in
``load_checkpoint``.

Related modules: :mod:`mmpe.zoo` has the addresses of released weights,
:mod:`mmpe.utils.download` fetches them, :mod:`mmpe.weights` loads them into
models, and :mod:`mmpe.host` installs the loaders.
"""
import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any, Dict, Optional
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, get_rank

from .utils.download import DownloadError, download
from .utils.files import PathLike, atomic_write, check_stored
from .utils.unpickling import MapLocation, Unpickler, torch_load

__all__ = [
    'CheckpointError', 'fetch', 'install', 'is_whole', 'last_checkpoint',
    'latest_checkpoint', 'load_pickle', 'read_checkpoint', 'save_pickle',
    'to_current_layout'
]


class CheckpointError(ValueError):
    """A file is not a checkpoint, is damaged, or is not trusted."""


def install() -> None:
    """Make mmengine load local and ``http(s)`` checkpoints safely."""
    # Not at the top: this import makes the host bridge call this function.
    from mmengine.runner.checkpoint import CheckpointLoader
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    CheckpointLoader.register_scheme(('http://', 'https://'),
                                     load_from_http,
                                     force=True)


# mmengine logs the names of the two loaders without "load_from_".
def load_from_local(filename: PathLike,
                    map_location: MapLocation = None) -> Any:
    """Loader of local paths for mmengine, see :func:`read_checkpoint`."""
    checkpoint = read_checkpoint(os.path.expanduser(filename), map_location)
    if isinstance(checkpoint, dict) and 'state_dict' in checkpoint:
        checkpoint['state_dict'] = to_current_layout(checkpoint['state_dict'])
    return checkpoint


def load_from_http(filename: str, map_location: MapLocation = None) -> Any:
    """Loader of URLs for mmengine: download once, then load safely.

    Raises:
        DownloadError: The file cannot be downloaded.
        CheckpointError: See :func:`read_checkpoint`.
    """
    return load_from_local(fetch(filename), map_location)


def fetch(url: str) -> Path:
    """Download a file to PyTorch's cache, unless it is there.

    The cache is ``torch.hub.get_dir()``, which depends on ``TORCH_HOME``.

    Args:
        url: URL of the file.

    Returns:
        Path of the file.

    Raises:
        DownloadError: The URL has no file name, or see
            :func:`mmpe.utils.download.download`.
    """
    name = Path(urlparse(url).path).name
    if name in ('', '..'):
        raise DownloadError(f'Cannot download {url}: it has no file name.')
    path = Path(torch.hub.get_dir(), 'checkpoints', name)
    if get_rank() > 0:
        barrier()  # rank 0 downloads
    try:
        if not path.exists():
            download(url, path)
    finally:
        if get_rank() == 0:
            barrier()
    return path


def latest_checkpoint(folder: PathLike) -> Optional[Path]:
    """The checkpoint of the highest iteration in a folder.

    Args:
        folder: Folder of a training.

    Returns:
        Path of the ``iter_*.pth`` file with the highest number, or None.
    """
    numbered = [(int(path.stem[5:]), path)
                for path in Path(folder).glob('iter_*.pth')
                if path.stem[5:].isdecimal()]
    return max(numbered)[1] if numbered else None


def last_checkpoint(folder: PathLike) -> Optional[str]:
    """The checkpoint that a training wrote last.

    Args:
        folder: Its work dir.

    Returns:
        The path in mmengine's file ``last_checkpoint`` if it exists, else the
        result of :func:`latest_checkpoint`.
    """
    note = Path(folder, 'last_checkpoint')
    named = note.read_text().strip() if note.is_file() else ''
    if named and Path(named).is_file():
        return named
    latest = latest_checkpoint(folder)
    return str(latest) if latest else None


def to_current_layout(state_dict: Dict[str, Any]) -> Dict[str, Any]:
    """Rename the weights of a GAN to the names of MMagic 1.x.

    In MMGeneration 0.x, ``generator_ema`` is the average itself, without its
    number of updates, and the mean path length is part of the loss.
    Distributed training in mmengine can add ``module`` to names.

    Args:
        state_dict: Weights by name; not changed.

    Returns:
        The weights; current names stay as they are.

    Raises:
        CheckpointError: ``state_dict`` is not a dict with string keys.
    """
    if not isinstance(state_dict, dict) or not all(
            isinstance(name, str) for name in state_dict):
        raise CheckpointError('The checkpoint has no weights by name.')
    renamed: Any = type(state_dict)()
    for name, value in state_dict.items():
        for pattern, replacement in _RENAMED:
            name = pattern.sub(replacement, name)
        renamed[name] = value
    if any(name.startswith('generator_ema.') for name in renamed):
        # At zero updates, training would overwrite the average.
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
    """Load a ``.pth`` file without running anything in it.

    Args:
        path: A file written by ``torch.save``, in its zip or older format.
        map_location: As in ``torch.load``.

    Returns:
        Content of the file, usually a dict.

    Raises:
        FileNotFoundError: The file does not exist.
        CheckpointError: The file is not a checkpoint, is truncated, or
            contains a type that is not trusted (named in the message).
    """
    path = Path(path)
    _check_beginning(path)
    try:
        return torch_load(path, map_location)
    except OSError:
        raise
    except Exception as error:  # damaged data can fail in any way
        raise _explain(path, error) from error


def load_pickle(path: PathLike) -> Any:
    """Load a ``.pkl`` file of containers, numbers and arrays of numbers.

    MMagic and MMGeneration save SinGAN's ``noise_weights``, ``fixed_noises``
    and ``curr_stage`` in this format.

    Args:
        path: A file written by :func:`save_pickle`, MMagic or MMGeneration.

    Returns:
        Content of the file, with NumPy arrays.

    Raises:
        FileNotFoundError: The file does not exist.
        CheckpointError: The file is not a pickle, is truncated, or contains a
            type that is not trusted (named in the message).
    """
    path = Path(path)
    _check_beginning(path)
    try:
        with open(path, 'rb') as file:
            return Unpickler(file).load()
    except OSError:
        raise
    except Exception as error:  # damaged data can fail in any way
        raise _explain(path, error) from error


def is_whole(value: Any) -> bool:
    """Whether a value is a dense tensor of real numbers with full storage.

    A tensor in a file can have any shape with a small storage.
    """
    return (isinstance(value, torch.Tensor) and value.layout == torch.strided
            and not value.is_meta and not value.is_quantized
            and not value.is_complex() and value.numel() *
            value.element_size() <= value.untyped_storage().nbytes())


def save_pickle(data: Any, path: PathLike) -> None:
    """Write a file for :func:`load_pickle` and MMagic, atomically.

    Args:
        data: Dicts, lists, tuples, numbers, strings, arrays and tensors;
            tensors become arrays.
        path: Output path.

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
    """Reject common files that are not checkpoints, with a clear error."""
    if not path.is_file():
        raise FileNotFoundError(f'`{path}` does not exist or is not a file.')
    with open(path, 'rb') as file:
        beginning = file.read(40)
    if not beginning:
        raise CheckpointError(f'`{path}` is empty.')
    if beginning.startswith(b'PK'):
        try:
            if not zipfile.is_zipfile(path):
                raise CheckpointError(f'`{path}` is truncated: its end is '
                                      'missing.')
            check_stored(path)
        except CheckpointError:
            raise
        except (ValueError, zipfile.BadZipFile) as error:
            raise CheckpointError(f'`{path}` is damaged: {error}.') from error
    elif not beginning.startswith(b'\x80'):  # every pickle does
        raise CheckpointError(f'`{path}` is not a checkpoint: it starts with '
                              f'{beginning!r}.')


def _explain(path: Path, error: Exception) -> CheckpointError:
    name = re.search(r'GLOBAL ([\w.]+)', str(error))
    if name:
        return CheckpointError(
            f'`{path}` is refused: it contains `{name[1]}`, which does not '
            'belong in a checkpoint. Nothing in it was executed.')
    # torch adds advice on how to load the file unsafely.
    reason = str(error).split('WeightsUnpickler error: ')[-1].strip()
    reason = reason.split('\n')[0] or 'unexpected end'
    return CheckpointError(f'`{path}` cannot be read, it may be damaged: '
                           f'{type(error).__name__}: {reason}.')
