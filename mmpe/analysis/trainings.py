"""Small trainings on which the claims are measured."""
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from mmengine.config import Config

from mmpe.checkpoint import latest_checkpoint
from mmpe.engine.runner import fit_to_photograph
from mmpe.utils.command_line import open_config
from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.progress import ProgressBar
from mmpe.zoo import root

__all__ = ['Trained', 'config_of', 'train_all']

_FINISHED = 'finished.json'
_DECISIVE = ('model', 'optim_wrapper', 'train_cfg', 'custom_hooks')


class Trained(NamedTuple):
    """A finished training.

    Attributes:
        name: Config in ``configs/analysis``, without suffix.
        seed: Random seed.
        config: Path of the config.
        checkpoint: Path of the last checkpoint.
    """

    name: str
    seed: int
    config: str
    checkpoint: str


def train_all(names: Sequence[str],
              seeds: Sequence[int],
              data_root: PathLike,
              photograph: PathLike,
              folder: PathLike,
              options: Optional[Dict[str, Any]] = None) -> List[Trained]:
    """Run all trainings that are not finished, one by one.

    Each training has its own folder. Finished ones are reused, interrupted
    ones are resumed.

    Args:
        names: Configs in ``configs/analysis``, without suffix.
        seeds: Random seeds of each.
        data_root: Folder of images.
        photograph: Photograph for SinGANs.
        folder: Parent of the trainings' folders.
        options: Settings that override those of all configs that have them.

    Returns:
        All trainings, seed by seed.

    Raises:
        FileNotFoundError: A config does not exist.
        ValueError: A folder has another training, or the photograph is too
            small.
        OSError: A training failed, or a file cannot be written.
    """
    trainings = []
    for seed in seeds:
        for name in names:
            images = photograph if 'singan' in name else data_root
            trainings.append(
                _Training(name, seed, str(images), Path(folder), options))
    for training in trainings:
        training.check()
    with ProgressBar(total=len(trainings), desc='Trainings') as bar:
        for training in trainings:
            training.run()
            bar.update()
    return [training.result() for training in trainings]


def config_of(name: str) -> str:
    """Path of a config in ``configs/analysis``, named without suffix."""
    return str(root() / 'configs/analysis' / f'{name}.py')


class _Training:
    """One training, in its folder."""

    def __init__(self, name: str, seed: int, images: str, folder: Path,
                 options: Optional[Dict[str, Any]]) -> None:
        self.name, self.seed, self.images = name, seed, images
        self.config = config_of(name)
        self.folder = folder / f'{name}-{seed}'
        cfg = open_config(self.config)
        self.options = _options_of(cfg, options or {})
        cfg.merge_from_dict(self.options)
        cfg.train_dataloader.dataset.data_root = images
        self.cfg = cfg
        dataset = dict(cfg.train_dataloader.dataset, data_root=None)
        decisive = json.dumps(
            [dataset, *(cfg.get(key) for key in _DECISIVE)],
            sort_keys=True,
            default=str)
        self.settings = dict(
            images=str(Path(images).resolve()),
            config=hashlib.sha256(decisive.encode()).hexdigest()[:16])

    def check(self) -> None:
        """Check that it can start, and that its folder is new or its own."""
        fit_to_photograph(self.cfg)
        path = self.folder / 'settings.json'
        if path.is_file() and json.loads(path.read_text()) != self.settings:
            raise ValueError(f'The folder {str(self.folder)!r} has a training '
                             'with other images or settings: use another '
                             '--work-dir.')

    def run(self) -> None:
        """Train, unless it is finished."""
        if (self.folder / _FINISHED).is_file():
            return
        _write(self.folder / 'settings.json', self.settings)
        command = [
            sys.executable,
            str(root() / 'tools/train.py'),
            self.config, '--data-root', self.images, '--work-dir',
            str(self.folder), '--seed', str(self.seed), '--no-validate'
        ]
        if self.options:
            command += ['--cfg-options'] + [
                f'{key}={value}' for key, value in self.options.items()
            ]
        if latest_checkpoint(self.folder):
            command.append('--resume')
        log = self.folder / 'train.log'
        with open(log, 'w') as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT)
            try:
                code = process.wait()
            finally:
                process.terminate()  # must not outlive this process
                process.wait()
        latest = latest_checkpoint(self.folder)
        if code or latest is None:
            lines = log.read_text().strip().splitlines() or ['']
            raise OSError(f'The training {self.folder.name!r} failed, see '
                          f'{str(log)!r}: {lines[-1]}')
        _write(self.folder / _FINISHED, dict(checkpoint=latest.name))

    def result(self) -> Trained:
        """The finished training."""
        finished = json.loads((self.folder / _FINISHED).read_text())
        return Trained(self.name, self.seed, self.config,
                       str(self.folder / finished['checkpoint']))


def _options_of(cfg: Config, options: Dict[str, Any]) -> Dict[str, Any]:
    """Options whose keys a config has."""
    known = {}
    for key, value in options.items():
        part = cfg
        for name in key.split('.'):
            part = part.get(name) if hasattr(part, 'get') else None
        if part is not None:
            known[key] = value
    return known


def _write(path: Path, value: object) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value) + '\n')
