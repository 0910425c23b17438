"""Metrics on features, and start-up time.

Equal work: MMagic rounds the radii of precision and recall to float16, so each
sample is clearly inside or clearly outside of the other manifold. Start-up is
a new process that imports, registers and builds config-f's networks: those of
mmpe, or MMagic's after ``import mmpe``, as MMagic alone cannot be imported
here.
"""
import subprocess
import sys
from functools import lru_cache
from types import SimpleNamespace
from typing import Tuple

import torch
from torch import Tensor

from .core import Options, Results, Task, Workload, WorkloadList

__all__ = ['workloads']

_START = {
    'mmpe':
    'import mmpe; from mmpe.utils import register_all_modules; '
    'register_all_modules(); '
    'from mmpe.registry import MODELS, build_from; '
    'model = build_from(MODELS, config)',
    'mmagic':
    'import mmpe; from mmagic.utils import register_all_modules; '
    'register_all_modules(); import mmagic.models.editors.mspie; '
    'from mmagic.registry import MODELS; '
    'model = MODELS.build(config)',
}


def _features(num: int, width: int, seed: int) -> Tensor:
    """Features along a few directions, like those of networks."""
    generator = torch.Generator().manual_seed(seed)
    latent = torch.randn(num, width, generator=generator)
    latent *= torch.linspace(0, -6, width).exp()
    return latent + 0.01 * torch.randn(num, width, generator=generator)


@lru_cache
def _statistics(small: bool) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    from mmpe.functional.distances import feature_statistics
    width = 64 if small else 2048
    return (*feature_statistics(_features(2 * width, width, 0)),
            *feature_statistics(_features(2 * width, width, 1)))


def fid(side: str, options: Options) -> Task:
    """FID from means and covariances."""
    statistics = _statistics(options.small)

    def run() -> Results:
        if side == 'mmpe':
            from mmpe.functional.distances import frechet_distance
            value = frechet_distance(*statistics)
        else:
            from mmagic.evaluation.metrics import FrechetInceptionDistance
            value = FrechetInceptionDistance._calc_fid(
                *(x.numpy() for x in statistics))[0]
        return dict(value=torch.tensor(value, dtype=torch.float64))

    return Task(run)


def precision_recall(side: str, options: Options) -> Task:
    """Precision and recall from features of reals and fakes."""
    num, width = (200, 32) if options.small else (10000, 4096)
    # Half of the fakes are near reals, the others are far from everything.
    real, fake = _features(num, width, 0), _features(num, width, 1)
    fake[:num // 2] = real[:num // 2] + 1e-3
    fake[num // 2:, 0] += 100
    real[num // 2:, 0] -= 100

    def run() -> Results:
        if side == 'mmpe':
            from mmpe.functional.distances import precision_recall
            values = precision_recall(real, fake, 3)
        else:
            from mmagic.evaluation.metrics import PrecisionAndRecall
            values = PrecisionAndRecall.compute_metrics(
                SimpleNamespace(
                    collect_device='cpu',
                    results_real=real,
                    row_batch_size=10000,
                    col_batch_size=10000,
                    k=3), [fake]).values()
        return dict(value=torch.tensor(list(values)))

    return Task(run)


def start(side: str, options: Options) -> Task:
    """A new process that imports, registers and builds config-f."""
    from .mspie_models import config_f
    setting = config_f(options._replace(small=False))
    config = setting.model.to_dict()
    program = (f'config = {config!r}\n{_START[side]}\n'
               'print(sum(p.numel() for p in model.parameters()))')

    def run() -> Results:
        output = subprocess.run([sys.executable, '-c', program],
                                check=True,
                                capture_output=True,
                                text=True).stdout
        return dict(value=torch.tensor(int(output.split()[-1])))

    return Task(run)


def workloads(options: Options) -> WorkloadList:
    """Workloads other than training and sampling."""
    return [
        Workload('fid', fid, has_dtype=False),
        Workload('precision-recall', precision_recall, has_dtype=False),
        Workload('start', start, has_dtype=False, in_process=False)
    ]
