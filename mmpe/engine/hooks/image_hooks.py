"""Hooks of StyleGAN2 and MS-PIE: checks, sample sheets and results."""
import json
from logging import WARNING
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.hooks.hook import DATA_BATCH
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from mmpe.registry import HOOKS
from mmpe.utils.files import PathLike, atomic_write
from mmpe.utils.images import contact_sheet, save_image, to_rgb
from mmpe.utils.wrappers import unwrap
from .iteration_hook import IterationHook
from .tracking_hooks import show

__all__ = ['CheckHook', 'ResultsHook', 'SampleSheetHook']


def _scales(model: nn.Module) -> list:
    """The model's scales, smallest image first."""
    # Not needed for SinGAN, and slow to import.
    from mmpe.evaluation import evaluation_scales
    return evaluation_scales(model)


@HOOKS.register_module()
class CheckHook(Hook):
    """Checks that data and checkpoint fit the model.

    Rejects checkpoints of another config, and batches with several image
    sizes, which MMagic would pad. Warns once about images smaller than the
    model's largest scale. Before the training, it also checks that there are
    enough real images for the validation.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the number of real images; look up the largest scale."""
        self._largest = _scales(runner.model)[-1].size
        if runner.val_loop is None:
            return
        from mmpe.evaluation.references import chosen_indices
        for evaluator, loader in zip(runner.val_loop.evaluators,
                                     runner.val_loop.dataloaders):
            for metric in evaluator.metrics or []:
                chosen_indices(
                    len(loader.dataset), getattr(metric, 'real_nums', -1))

    def before_train_iter(self, runner: Runner, batch_idx: int,
                          data_batch: DATA_BATCH = None) -> None:
        """Check the sizes of the images."""
        samples = data_batch['data_samples']
        sizes = {tuple(sample.gt_img.shape[-2:]) for sample in samples}
        if len(sizes) > 1:
            raise ValueError(
                'Images of a batch must have one size, but got '
                f'{sorted(sizes)}: resize them in the pipeline of the '
                'dataset.')
        for sample in samples:
            size = sample.metainfo.get('ori_gt_shape', self._largest)[:2]
            if any(a < b for a, b in zip(size, self._largest)):
                print_log(
                    f'{sample.metainfo.get("gt_path")!r} has {size[0]} x '
                    f'{size[1]} pixels, less than the largest scale of the '
                    f'model, {self._largest[0]} x {self._largest[1]}, and is '
                    'enlarged. Further images are not reported.', 'current',
                    WARNING)
                self._largest = (0, 0)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare the shapes of the weights with those in the checkpoint."""
        state = checkpoint.get('state_dict', checkpoint)
        model = unwrap(runner.model).state_dict()
        for network in ('generator.', 'discriminator.'):
            found, expected = _shapes(state, network), _shapes(model, network)
            for name in sorted({*found, *expected}):
                if found.get(name) != expected.get(name):
                    raise ValueError(
                        f'The checkpoint belongs to another config: `{name}` '
                        f'is {found.get(name, "missing")} in it, but '
                        f'{expected.get(name, "missing")} in the model.')


def _shapes(state: dict, prefix: str) -> Dict[str, tuple]:
    return {
        key: tuple(value.shape)
        for key, value in state.items() if key.startswith(prefix)
    }


@HOOKS.register_module()
class SampleSheetHook(IterationHook):
    """Writes a sheet of samples: one latent per column, one scale per row.

    The sheet is ``samples/iter_{number}.png`` in the work dir. The images
    come from the moving average of the generator.

    Args:
        interval: Iterations between sheets; there is also one at the end.
        num_samples: Number of latents.
        seed: Seed of the samples; the random state of the training is not
            changed.
    """

    priority = 'LOW'

    def __init__(self,
                 interval: int = 5000,
                 num_samples: int = 4,
                 seed: int = 0) -> None:
        self.interval = interval
        self.num_samples = num_samples
        self.seed = seed

    @master_only
    def after_iteration(self, runner: Runner, outputs: dict) -> None:
        """Write the sheet at the interval and at the end."""
        if not (self.every_n_train_iters(runner, self.interval)
                or self.is_last_train_iter(runner)):
            return
        path = Path(
            runner.work_dir) / 'samples' / f'iter_{runner.iter + 1}.png'
        sheet = self._sheet(unwrap(runner.model))
        save_image(path, sheet)
        show(runner, 'samples', sheet)
        runner.logger.info(f'Samples are in {path}')

    @torch.no_grad()
    def _sheet(self, model: Any) -> np.ndarray:
        was_training = model.training
        model.eval()
        rows = []
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            noise = model.noise_fn(num_batches=self.num_samples)
            for scale in _scales(model):
                samples = model(
                    dict(noise=noise, sample_kwargs=scale.sample_kwargs))
                rows.append([(scale.label, to_rgb(sample.fake_img))
                             for sample in samples])
        model.train(was_training)
        return contact_sheet(rows)


@HOOKS.register_module()
class ResultsHook(Hook):
    """Prints the figures of a test and writes them to a JSON file.

    Args:
        path: Path of the file.
        checkpoint: Path of the checkpoint, which is recorded in the file.
    """

    priority = 'LOWEST'  # print after the log

    def __init__(self, path: PathLike, checkpoint: str) -> None:
        self.path = path
        self.checkpoint = checkpoint

    @master_only
    def after_test_epoch(self,
                         runner: Runner,
                         metrics: Optional[Dict[str, float]] = None) -> None:
        """Print and write the figures."""
        figures = {key: float(value) for key, value in (metrics or {}).items()}
        with atomic_write(self.path) as temporary:
            temporary.write_text(
                json.dumps(
                    dict(checkpoint=self.checkpoint, results=figures),
                    indent=2) + '\n')
        for key, value in figures.items():
            print(f'{key}: {value:.6g}')
        print(f'The figures are in {self.path}')
