"""Trainings of StyleGAN2 and MS-PIE, and what is measured of their images."""
import json
import re
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from mmpe.datasets import deliver_size
from mmpe.evaluation import EffLite0Distances, SlicedWassersteinDistance
from mmpe.functional.distances import resize_images, self_ssim
from mmpe.inference import StyleGAN2Sampler, load
from mmpe.inference.loading import find_training
from mmpe.utils.command_line import open_config

__all__ = [
    'Reals', 'Run', 'consistency', 'draw', 'find_runs', 'iteration_of', 'label'
]

Size = Tuple[int, int]
# Both metrics, and the state of the generator that draws places of patches.
Metrics = Tuple[Any, Any, Tensor]


def iteration_of(checkpoint: str) -> Optional[int]:
    """Iteration of a checkpoint, if its file name has one."""
    found = re.fullmatch(r'iter_(\d+)', Path(checkpoint).stem)
    return int(found[1]) if found else None


class Run(NamedTuple):
    """A training.

    Attributes:
        row: Name of its row.
        name: Name of the run.
        config: Path of its config.
        checkpoints: Paths of its checkpoints, the last one last.
        sampler: Model of the last checkpoint.
        seconds: Time of an iteration in training, if known.
    """

    row: str
    name: str
    config: str
    checkpoints: List[str]
    sampler: StyleGAN2Sampler
    seconds: Optional[float] = None

    @property
    def sizes(self) -> List[Size]:
        """Training sizes."""
        return self.sampler.sizes

    def minutes(self, iteration: Optional[int]) -> Optional[float]:
        """Training time in minutes, if it is known."""
        if not (self.seconds and iteration):
            return None
        return self.seconds * iteration / 60


def _logged_seconds(folder: Path) -> Optional[float]:
    """Median time of an iteration in the logs of a work dir."""
    seconds = [
        values['time']
        for path in sorted(folder.glob('*/vis_data/scalars.json'))
        for values in map(json.loads, path.read_text().splitlines())
        if 'time' in values
    ]
    return median(seconds) if seconds else None


def find_runs(models: Sequence[Sequence[str]],
              trainings: Sequence[Sequence[str]], sizes: Sequence[Size],
              device: str) -> List[Run]:
    """Find runs, and load the last checkpoint of each.

    Args:
        models: Config and checkpoints of each model.
        trainings: Name and work dirs of each row.
        sizes: Sizes that every multi-scale model must be able to draw.
        device: Where to compute.

    Raises:
        ValueError: A model is of another family or cannot draw a size, or two
            runs have the same name.
    """
    runs = []
    for config, *paths in models:
        name = Path(paths[-1]).absolute().parent.name
        runs.append(
            Run(
                Path(config).stem, name, config, paths,
                _load(config, paths[-1], sizes, device)))
    for row, *folders in trainings:
        for folder in map(Path, folders):
            found, latest = find_training(folder)
            checkpoints = [
                x for x in map(str, folder.glob('iter_*.pth'))
                if iteration_of(x)
            ]
            checkpoints.sort(key=lambda x: iteration_of(x) or 0)
            runs.append(
                Run(row, folder.absolute().name, str(found), checkpoints,
                    _load(str(found), str(latest), sizes, device),
                    _logged_seconds(folder)))
    names = [(run.row, run.name) for run in runs]
    for row, name in names:
        if names.count((row, name)) > 1:
            raise ValueError(f'There are two runs {name!r} of {row!r}: rename '
                             'a folder or row.')
    return runs


def _load(config: str, checkpoint: str, sizes: Sequence[Size],
          device: str) -> StyleGAN2Sampler:
    sampler = load(config, checkpoint, device)
    if not isinstance(sampler, StyleGAN2Sampler):
        raise ValueError(f'{config!r} is not a config of StyleGAN2 or '
                         'MS-PIE.')
    if len(sampler.sizes) > 1:
        for wanted in sizes:
            sampler.options(wanted)
    return sampler


class Reals:
    """Real images, and distances to them.

    Args:
        config: Config with the pipeline of the test data.
        data_root: Folder of the images.
        num: Number of real and of generated images; None for all real ones.
    """

    def __init__(self, config: str, data_root: str,
                 num: Optional[int]) -> None:
        self.config = config
        self.data_root = data_root
        dataset: Any = self.loader().dataset
        self.num_found = len(dataset)
        self.num = num or self.num_found
        self._metrics: Dict[Size, Metrics] = {}

    def loader(self, size: Size = (1, 1)) -> DataLoader[Any]:
        """Loader of the images, at a size or larger."""
        dataloader = open_config(self.config).get('test_dataloader')
        if not dataloader:
            raise ValueError(f'The config {self.config!r} has no '
                             '`test_dataloader` to read real images with.')
        dataloader.dataset.data_root = self.data_root
        deliver_size(dataloader.dataset.get('pipeline') or [], size)
        return Runner.build_dataloader(dataloader)

    def distances(self, fakes: Tensor,
                  sampler: StyleGAN2Sampler) -> Dict[str, float]:
        """Distances to the real images at the size of the fakes."""
        size = fakes.shape[-2], fakes.shape[-1]
        if size not in self._metrics:
            self._metrics[size] = self._prepared(size, sampler)
        swd, network, places = self._metrics[size]
        # The patches of all checkpoints come from the same places.
        swd.network.generator.set_state(places)
        swd, network = (
            metric.figures(
                torch.cat([
                    metric.rows_of(batch.to(metric.device))
                    for batch in fakes.split(8)
                ])) for metric in (swd, network))
        return {
            'SWD': swd['avg'],
            'EffLite0-KID x 1000': 1000 * network['EffLite0-KID'],
            **{name: network[name] for name in ('EffLite0-precision',
                                                'EffLite0-recall')}
        }

    def _prepared(self, size: Size, sampler: StyleGAN2Sampler) -> Metrics:
        options: Dict[str, Any] = dict(fake_nums=self.num, real_size=size)
        swd: Any = SlicedWassersteinDistance(**options)
        network: Any = EffLite0Distances(
            real_nums=self.num, figures=['KID', 'PR'], **options)
        loader = self.loader(size)
        for metric in (swd, network):
            metric.prepare(sampler.model, loader)
        return swd, network, swd.network.generator.get_state()


def draw(sampler: StyleGAN2Sampler, size: Size, num: int,
         seed: int) -> Tensor:
    """Draw images (N, 3, H, W) in BGR order, resized if necessary."""
    is_drawn = size in sampler.sizes or len(sampler.sizes) > 1
    images = np.stack(
        sampler.sample(num, size if is_drawn else sampler.size, seed))
    batch = torch.from_numpy(images[..., ::-1].copy())
    return resize_images(batch.permute(0, 3, 1, 2).float(), size)


def label(size: Size) -> str:
    """Name of a size, e.g. '48x64' (height first)."""
    return 'x'.join(map(str, size))


def consistency(images: Dict[Size, Tensor]) -> Dict[str, float]:
    """SelfSSIM of each pair of sizes, and the mean."""
    values = {
        f'{label(x)}-{label(y)}': float(
            self_ssim(images[x], images[y]).mean())
        for x, y in combinations(images, 2)
    }
    return dict(values, mean=float(np.mean(list(values.values()))))
