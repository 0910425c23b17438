"""From config and checkpoint to a sampler."""
import subprocess
import sys

import numpy as np
import pytest
import torch

from mmpe.inference import load

from .conftest import small_config


def rewrite(checkpoint, rename):
    """Change the names of a checkpoint's weights; None drops one."""
    state = torch.load(checkpoint, weights_only=True)['state_dict']
    state = {rename(key): value for key, value in state.items()}
    state.pop(None, None)
    torch.save(state, checkpoint)


def test_weights_of_older_files_and_of_the_generator_alone(trained):
    config, checkpoint = trained()
    expected = load(config, checkpoint).sample(1, seed=0)[0]

    def older(key):
        if not key.startswith('generator'):
            return None
        return key.replace('generator_ema.module.', 'generator_ema.')

    rewrite(checkpoint, older)
    image = load(config, checkpoint).sample(1, seed=0)[0]
    assert (image == expected).all()


def test_weights_that_lack(trained):
    config, checkpoint = trained()
    rewrite(checkpoint, lambda key: None if 'ema' in key else key)
    with pytest.raises(ValueError, match='another config.*generator_ema'):
        load(config, checkpoint)
    sampler = load(small_config('mspie_spe_32-48-64', ema_config=None),
                   checkpoint)
    assert sampler.sample(1)[0].shape == (64, 64, 3)


@pytest.mark.parametrize('other', [
    'mspie_zero-pad_32-48-64', 'mspie_csg_32-48-64', 'stylegan2_64'])
def test_checkpoint_of_another_row(trained, other):
    # an encoding with as many channels as the learned constant has
    options = {'generator.head_pos_encoding.embedding_dim': 4}
    checkpoint = trained(**options)[1]
    with pytest.raises(ValueError, match='belongs to another config') as error:
        load(small_config(other), checkpoint)
    assert checkpoint in str(error.value)
    assert '\n' not in str(error.value)


def test_bad_files_and_devices(trained):
    config, checkpoint = trained()
    with pytest.raises(FileNotFoundError, match='no config file .*none.py'):
        load('none.py', checkpoint)
    with pytest.raises(FileNotFoundError, match='none.pth'):
        load(config, 'none.pth')
    with pytest.raises(ValueError, match='device of this machine, but got '
                       "'meta:7x'"):
        load(config, checkpoint, 'meta:7x')


def test_other_models_are_refused(trained):
    config = small_config('mspie_spe_32-48-64')
    config.model = dict(type='DataPreprocessor')
    with pytest.raises(ValueError, match='MS-PIE or PatchDiffusion, but got '
                       "type='DataPreprocessor'"):
        load(config, trained()[1])


def test_the_config_is_left_as_it_was(trained):
    config = small_config('mspie_spe_32-48-64')
    before = config.model.to_dict()
    images = load(config, trained()[1]).sample(2)
    assert config.model.to_dict() == before
    assert np.stack(images).shape == (2, 64, 64, 3)


@pytest.mark.tools
def test_the_module_may_be_imported_first():
    subprocess.run([sys.executable, '-c', 'import mmpe.inference'],
                   check=True)
