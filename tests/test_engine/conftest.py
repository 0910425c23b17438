"""A training that takes milliseconds, with everything that runs it."""
import pytest
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from mmpe.engine import Runner
from mmpe.registry import DATASETS, HOOKS, MODELS

from ..hooks import SignalHook  # noqa: F401  (registered)


class ToyData(torch.utils.data.Dataset):

    def __init__(self, size=5):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        return dict(x=torch.tensor([float(index)]))


class ToyModel(BaseModel):
    """Fits a line to noise; every second iteration has one value more."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def init_weights(self):
        nn.init.ones_(self.weight)

    def forward(self, x):
        return self.weight * x

    def train_step(self, data, optim_wrapper):
        x = torch.stack(data['x'])
        loss = (self(x) - torch.randn(1)).square().mean()
        optim_wrapper.update_params(loss)
        values = dict(loss=loss, loss_half=loss / 2, curr_stage=3)
        if float(x[0]) % 2:
            values['other'] = self.weight
        return values


class SpoilHook(Hook):
    """Makes a weight NaN in an iteration, until there were some rollbacks."""

    def __init__(self, at, times=1, rank=0, hook='before_train_iter'):
        self.at, self.times, self.rank = at, times, rank
        setattr(self, hook, self._spoil)

    def _spoil(self, runner, *args, **kwargs):
        done = runner.message_hub.get_info('rollbacks', 0)
        if (runner.iter == self.at and done < self.times
                and get_rank() == self.rank):
            runner.model.weight.data.fill_(float('nan'))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Make a runner; each call has a name and a work dir of its own."""
    for registry, kind in ((DATASETS, ToyData), (MODELS, ToyModel),
                           (HOOKS, SpoilHook)):
        monkeypatch.setitem(registry._module_dict, kind.__name__, kind)
    count = iter(range(100))

    def make(folder='work', hooks=(), loop=None, runner=Runner, **settings):
        config = Config(
            dict(
                model=dict(type='ToyModel'),
                work_dir=str(tmp_path / folder),
                train_dataloader=dict(
                    batch_size=1,
                    sampler=dict(type='ResumableSampler', shuffle=True),
                    dataset=dict(type='ToyData')),
                train_cfg={
                    'type': 'ImageTrainLoop',
                    'max_iters': 12,
                    **(loop or {})
                },
                optim_wrapper=dict(
                    optimizer=dict(type='Adam', lr=0.1)),
                default_hooks=dict(
                    runtime_info=dict(type='RuntimeInfoHook'),
                    logger=dict(type='LoggerHook', interval=5),
                    checkpoint=dict(
                        type='CheckpointHook', interval=4, by_epoch=False),
                    termination=dict(type='TerminationHook')),
                custom_hooks=list(hooks),
                log_processor=dict(type='LogProcessor', by_epoch=False),
                randomness=dict(seed=1),
                default_scope='mmpe',
                experiment_name=f'toy{next(count)}_{tmp_path.name}'))
        config.merge_from_dict(settings)
        return runner.from_cfg(config)

    return make
