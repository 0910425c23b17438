"""Training iterations of rows, without a Runner."""
import os.path as osp
from pathlib import Path
from typing import Dict

import numpy as np
import torch
from mmengine import MessageHub
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapperDict, build_optim_wrapper
from PIL import Image
from torch import Tensor

from benchmarking import core, mspie_models, singan
from mmpe.engine import fit_to_photograph
from mmpe.registry import DATASETS, MODELS, build_from
from mmpe.utils import register_all_modules

from .core import Options

__all__ = [
    'MSPIE_ROWS', 'ROOT', 'SINGAN_ROWS', 'Training', 'config_file',
    'photograph', 'singan_training', 'stylegan2_training'
]

ROOT = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))
_ROWS = Path(ROOT, 'configs', 'positional_encoding_in_gans')
MSPIE_ROWS = sorted(x.stem for x in _ROWS.glob('*stylegan2*.py'))
SINGAN_ROWS = sorted(x.stem for x in _ROWS.glob('singan*.py'))


class Training:
    """A model, its optimisers and its data.

    Args:
        cfg: Config of a training.
        data: A batch.
        device: Device to compute on.
    """

    def __init__(self, cfg: Config, data: dict, device: str) -> None:
        register_all_modules()
        torch.manual_seed(0)
        self.cfg = cfg
        self.model = build_from(MODELS, cfg.model)
        self.model.to(device).train()
        self.wrappers: OptimWrapperDict = build_optim_wrapper(
            self.model, cfg.optim_wrapper)
        self.data = data

    def step(self, iteration: int) -> Dict[str, Tensor]:
        """Run an iteration; returns its losses."""
        MessageHub.get_current_instance().update_info('iter', iteration)
        log_vars = self.model.train_step(self.data, self.wrappers)
        return {
            key: torch.as_tensor(value)
            for key, value in log_vars.items() if key.startswith('loss')
        }


def config_file(name: str) -> str:
    """Path of a config, by its name."""
    found, = Path(ROOT, 'configs').glob(f'*/{name}.py')
    return str(found)


def _shrink(cfg: Config, size: int = 32, width: float = 1 / 32) -> None:
    """Shrink the networks of StyleGAN2 or MS-PIE to a small base size."""
    mspie_models.shrink(cfg.model, size, width)
    cfg.model.generator.width = cfg.model.discriminator.width = width
    settings = cfg.model.get('train_settings', {})
    if 'num_upblocks' in settings:
        settings.num_upblocks = int(np.log2(size)) - 2


def stylegan2_training(name: str,
                       options: Options,
                       wrapper: str = 'OptimWrapper') -> Training:
    """A row of StyleGAN2 or MS-PIE at its largest scale.

    Args:
        name: Name of the row.
        options: Options of all checks.
        wrapper: Type of the optimiser wrappers.
    """
    cfg = Config.fromfile(config_file(name))
    for network in ('generator', 'discriminator'):
        cfg.optim_wrapper[network].type = wrapper
    if options.small:
        _shrink(cfg)
    size = cfg.model.generator.out_size
    settings = cfg.model.get('train_settings')
    if settings:
        largest = max(settings.multi_input_scales)
        settings.multi_input_scales = [largest]
        settings.pop('multi_scale_probability', None)
        size = size * (4 + largest) // 4
    images = _noise_images(cfg.train_dataloader.batch_size, size)
    return Training(cfg, images, options.device)


def _noise_images(num: int, size: int) -> dict:
    """A batch of noise images, in the format of the data loader."""
    from mmagic.structures import DataSample
    images = torch.randint(
        0, 256, (num, 3, size, size),
        generator=torch.Generator().manual_seed(0)).float()
    return dict(
        inputs=list(images),
        data_samples=[DataSample(gt_img=image) for image in images])


def photograph(options: Options, side: int) -> str:
    """Path of a photograph of scikit-image, with a given long side."""
    path = options.folder / f'photograph_{side}.png'
    if not path.is_file():
        image = Image.fromarray(singan.photograph(core.Options())[..., ::-1])
        scale = side / max(image.size)
        size = [round(length * scale) for length in image.size]
        image.resize(size, Image.BICUBIC).save(path)
    return str(path)


def singan_training(name: str,
                    options: Options,
                    rounds: int,
                    side: int = 248,
                    cuda_graphs: bool = False) -> Training:
    """A row or a fast config of SinGAN.

    Args:
        name: Name of the config.
        options: Options of all checks.
        rounds: Rounds per scale.
        side: Long side of the photograph in pixels.
        cuda_graphs: Whether to use CUDA graphs.
    """
    cfg = Config.fromfile(config_file(name))
    cfg.model.update(iters_per_scale=rounds, cuda_graphs=cuda_graphs)
    cfg.train_dataloader.dataset.data_root = photograph(
        options, 52 if options.small else side)
    if options.small:
        for part in (cfg.model.generator, cfg.model.discriminator):
            part.update(base_channels=8, min_feat_channels=8)
    cfg.model.num_scales = None
    fit_to_photograph(cfg)
    data = pseudo_collate([DATASETS.build(cfg.train_dataloader.dataset)[0]])
    return Training(cfg, data, options.device)
