import os.path as osp

import pytest
import torch
from mmengine.config import Config

from mmpe.registry import MODELS, build_from

CONFIGS = osp.join(
    osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__)))),
    'configs/mspie_small')


def small_config(name, **model):
    """A small row with 8 channels."""
    config = Config.fromfile(osp.join(CONFIGS, f'{name}.py'))
    config.merge_from_dict({
        'model.generator.width': 1 / 64,
        'model.discriminator.width': 1 / 64,
        **{f'model.{key}': value
           for key, value in model.items()}
    })
    return config


@pytest.fixture
def trained(tmp_path):
    """Config and checkpoint of a model whose average differs from it."""

    def make(name='mspie_spe_32-48-64', **model):
        config = small_config(name, **model)
        torch.manual_seed(0)
        network = build_from(MODELS, config.model)
        if config.model.ema_config:
            with torch.no_grad():
                for parameter in network.generator_ema.parameters():
                    parameter.mul_(1.1)
        checkpoint = tmp_path / f'{name}.pth'
        torch.save(dict(state_dict=network.state_dict(), meta={}), checkpoint)
        path = tmp_path / f'{name}.py'
        config.dump(path)
        return str(path), str(checkpoint)

    return make
