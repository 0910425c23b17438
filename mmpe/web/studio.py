"""Output folder of the page, and its models."""
import base64
import binascii
import errno
import hashlib
import io
import os
import os.path as osp
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import (Any, BinaryIO, Dict, Iterator, List, Optional, Sequence,
                    Tuple, Union)

import numpy as np
from PIL import Image

from mmpe.datasets.singan_dataset import open_rgb
from mmpe.engine.photographs import (Training, estimate_seconds,
                                     plan_training)
from mmpe.engine.training_queue import TrainingQueue, TrainingState
from mmpe.inference import StyleGAN2Sampler, load, write_edits
from mmpe.inference.inputs import is_inside
from mmpe.utils.files import check_folder
from mmpe.utils.images import save_image
from mmpe.utils.locks import FolderLock
from .action import Action, Model
from .trainings import train_config

__all__ = ['Studio', 'plain']

# Limits of uploads.
MOST_BYTES, MOST_PIXELS = 64 * 2**20, 40e6
# Uploads are reduced to this long side, far above that of trainings.
_KEPT_SIZE = 2048
_NUM_SAMPLERS = 3
Size = Tuple[int, int]


class Studio:
    """Photographs, trainings and results in a folder, and models in memory.

    Args:
        folder: The folder; only one process can use it at a time.
        faces: Configs and checkpoints of StyleGAN2 or MS-PIE models.

    Raises:
        FolderInUseError: Another process is using the folder.
        OSError: The folder is not writable.
        ValueError: A model is of another family, or see :func:`load`.
    """

    def __init__(self,
                 folder: Path,
                 faces: Sequence[Tuple[str, str]] = ()) -> None:
        check_folder(folder)
        self._samplers: OrderedDict[Tuple[Any, ...], Any] = OrderedDict()
        self._lock = threading.RLock()
        self.faces: Dict[str, Model] = {}
        for config, checkpoint in faces:
            model = Model(config, checkpoint)
            if not isinstance(self.sampler(model), StyleGAN2Sampler):
                raise ValueError(f'{config!r} is not a config of StyleGAN2 or '
                                 'MS-PIE.')
            self.faces[f'{Path(config).stem}, {Path(checkpoint).name}'] = model
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock_of_folder = FolderLock(self.folder)
        self.queue = TrainingQueue(self.folder / 'trainings')

    def close(self) -> None:
        """Stop trainings with a checkpoint, and unlock the folder."""
        self.queue.close()
        self._lock_of_folder.release()

    # ----------------------------------------------------------------- uploads
    def keep_photograph(self, path: str, name: str) -> Path:
        """Check an uploaded photograph and keep it as PNG.

        Args:
            path: The uploaded file.
            name: Its original name.

        Returns:
            Path of the PNG file, with at most 2048 pixels a side.

        Raises:
            OSError: The file cannot be written.
            ValueError: The upload is not an image, too small or too large.
        """
        image = _read(path, osp.basename(name))
        if min(image.shape[:2]) < 32:
            raise ValueError('The photograph must have at least 32 pixels on '
                             f'each side, but has {image.shape[0]} x '
                             f'{image.shape[1]}.')
        words = re.sub(r'[^A-Za-z0-9]+', '-', Path(name).stem).strip('-')
        words = words[:40] or 'photograph'
        return self._keep('photographs', image, f'{words}-')

    def keep_picture(self, path: str) -> Path:
        """Check an uploaded picture or mask and keep it as PNG.

        Args:
            path: The uploaded file.

        Returns:
            Path of the PNG file.

        Raises:
            OSError: The file cannot be written.
            ValueError: The upload is not an image, or too large.
        """
        return self._keep('inputs', _read(path, osp.basename(path)))

    def keep_drawing(self, url: str) -> Path:
        """Check a drawing of the page and keep it as PNG.

        Args:
            url: The drawing as a data URL.

        Returns:
            Path of the PNG file.

        Raises:
            OSError: The file cannot be written.
            ValueError: The drawing cannot be read, or is too large.
        """
        kind, _, data = url.partition(',')
        if kind != 'data:image/png;base64' or len(data) > MOST_BYTES:
            raise ValueError('The drawing cannot be read, or is too large.')
        try:
            file = io.BytesIO(base64.b64decode(data, validate=True))
        except binascii.Error:
            raise ValueError('The drawing cannot be read.') from None
        return self._keep('inputs', _small(file, 'drawing'))

    def keep_edits(self, edits: Sequence[Dict[str, Any]],
                   size: Size) -> Path:
        """Write a file of edits, for ``layout --edits``."""
        code = _code(repr((edits, size)).encode())
        return write_edits(self.folder / 'edits' / f'{code}.json', edits, size)

    def _keep(self, kind: str, image: np.ndarray, prefix: str = '') -> Path:
        code = _code(str(image.shape).encode() + image.tobytes())
        path = self.folder / kind / f'{prefix}{code}.png'
        return path if path.is_file() else save_image(path, image)

    # ----------------------------------------------------------------- listing
    def photographs(self) -> List[str]:
        """Paths of all photographs, newest first."""
        found = (self.folder / 'photographs').glob('*.png')
        paths = [x for x in found if not x.name.startswith('.')]
        return [str(x) for x in sorted(paths, key=_changed, reverse=True)]

    def trained(self,
                photograph: str,
                states: Optional[List[TrainingState]] = None
                ) -> List[TrainingState]:
        """Finished trainings on a photograph.

        Args:
            photograph: Path of the photograph.
            states: States of all trainings, if they are known.
        """
        states = self.queue.states() if states is None else states
        return [
            x for x in states if x.status == 'trained'
            and osp.abspath(photograph) == osp.abspath(x.training.photograph)
        ]

    # ----------------------------------------------------------------- drawing
    def sampler(self, model: Model) -> Any:
        """Load a model; the last few ones are kept in memory."""
        with self._lock:
            key = (*model, osp.getmtime(model.path)
                   if osp.exists(model.path) else None)
            if key not in self._samplers:
                self._samplers[key] = load(*model[:2], max_size=model.max_size)
            self._samplers.move_to_end(key)
            while len(self._samplers) > _NUM_SAMPLERS:
                self._samplers.popitem(last=False)
            return self._samplers[key]

    def folder_of(self, action: str, *what: object) -> Path:
        """Output folder of an action."""
        code = _code(repr(what).encode())
        return self.folder / 'results' / f'{action}-{code}'

    def run(self, action: Action, folder: Path) -> Iterator[Path]:
        """Draw, one picture at a time over all open pages.

        Args:
            action: What to draw.
            folder: Output folder.

        Yields:
            Path of each file, once it is written.
        """
        paths = action.run(self.sampler(action.model), folder)
        while True:
            # Unlock between pictures: another thread may take over.
            with self._lock:
                path = next(paths, None)
            if path is None:
                return
            yield path

    # --------------------------------------------------------------- trainings
    def plan(self, photograph: str, max_size: int, rounds: int,
             seed: int) -> Training:
        """Plan a training for the queue.

        Raises:
            ValueError: See :func:`.plan_training`.
        """
        return plan_training(
            train_config(max_size, rounds), photograph,
            self.training_folder(photograph, max_size, rounds, seed) /
            Path(photograph).stem, seed)

    def training_folder(self, photograph: str, max_size: int, rounds: int,
                        seed: int) -> Path:
        """``--out-dir`` of the ``train`` command for this training."""
        name = f'{Path(photograph).stem}-{max_size}px-{rounds}-{seed}'
        return self.queue.folder / name

    def estimate(self, photograph: str, max_size: int, rounds: int) -> float:
        """Estimated seconds of a training."""
        with self._lock:
            return estimate_seconds(
                train_config(max_size, rounds), photograph)


def _read(path: str, name: str) -> np.ndarray:
    """Read an uploaded picture as uint8 (H, W, 3)."""
    if os.path.getsize(path) > MOST_BYTES:
        raise ValueError(f'{name!r} must have at most {MOST_BYTES // 2**20} '
                         'megabytes: reduce it first.')
    return _small(path, name)


def _small(file: Union[str, BinaryIO], name: str) -> np.ndarray:
    image = open_rgb(file, name, MOST_PIXELS)
    image.thumbnail((_KEPT_SIZE, _KEPT_SIZE), Image.Resampling.LANCZOS)
    return np.asarray(image)


def check_mask(path: Path) -> None:
    """Check that a mask is not empty.

    Args:
        path: Path of the mask.

    Raises:
        ValueError: It is.
    """
    try:
        is_inside(np.asarray(Image.open(path)).max(axis=2))
    except ValueError:
        raise ValueError('Nothing is marked: paint over the changed pixels, '
                         'or upload a mask that is white there.') from None


def plain(error: BaseException) -> str:
    """An error in plain words.

    Args:
        error: The error.
    """
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return ('The disk is full, so nothing was written: free some space, '
                'then try again.')
    if isinstance(error, MemoryError):
        return 'Out of memory: choose a smaller size.'
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(
        r'Arguments? `(\w+)`',
        lambda match: f'The {match[1].replace("_", " ")}', text)


def _code(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _changed(path: Path) -> float:
    return path.stat().st_mtime
