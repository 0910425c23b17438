"""Pictures of a SinGAN training."""
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.runner import Runner
from torch import nn

from mmpe.registry import HOOKS
from mmpe.utils.images import contact_sheet, save_image, to_rgb
from mmpe.utils.wrappers import unwrap

__all__ = ['SinGANVisualizationHook']


@HOOKS.register_module()
class SinGANVisualizationHook(Hook):
    """Writes a sheet of pictures at the end of each scale.

    The sheet ``scales/scale_{i}_{height}x{width}.png`` in the work dir shows
    the photograph at this scale, its reconstruction and random samples.

    Args:
        num_samples: Number of random samples.
        seed: Seed of the samples; the training's random numbers are not
            touched.
    """

    priority = 'LOW'

    def __init__(self, num_samples: int = 3, seed: int = 0) -> None:
        self.num_samples = num_samples
        self.seed = seed

    @master_only
    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: DATA_BATCH = None,
                         outputs: Optional[dict] = None) -> None:
        """Write the sheet if the scale ends with this iteration."""
        model = unwrap(runner.model)
        if (runner.iter + 1) % model.iters_of_scale:
            return
        stage = model.curr_stage
        height, width = model.pyramid_sizes[stage]
        path = Path(
            runner.work_dir) / 'scales' / f'scale_{stage}_{height}x{width}.png'
        save_image(path, self._sheet(model))
        runner.logger.info(f'Scale {stage} is done; pictures are in {path}')

    @torch.no_grad()
    def _sheet(self, model: nn.Module) -> np.ndarray:
        was_training = model.training
        model.eval()
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            images = [
                model.reals[model.curr_stage],
                model.sample(mode='recon'),
                model.sample(num_batches=self.num_samples)
            ]
        model.train(was_training)
        pictures = [
            to_rgb(x) for x in model.data_preprocessor.destruct(
                torch.cat(images).float())
        ]
        labels = ['photograph', 'reconstruction']
        labels += ['sample'] * self.num_samples
        return contact_sheet([list(zip(labels, pictures))])
