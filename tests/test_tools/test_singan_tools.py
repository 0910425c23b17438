"""tools/train.py and the SinGAN demo, from the command line."""
import os
import os.path as osp
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from .conftest import ROOT

CONFIGS = osp.join(ROOT, 'configs/positional_encoding_in_gans')
ROW = osp.join(CONFIGS, 'singan-csg_fish.py')
SMALL = [
    'model.iters_per_scale=2', 'model.generator.base_channels=8',
    'model.generator.min_feat_channels=8',
    'model.discriminator.base_channels=8',
    'model.discriminator.min_feat_channels=8',
    'train_dataloader.dataset.max_size=48', 'model.num_scales=None'
]


@pytest.fixture
def train(run_tool, photograph, tmp_path):

    def run(*args, config=ROW, image=photograph, options=()):
        run_tool('tools/train.py', config, '--work-dir', tmp_path / 'work',
                 *args, '--cfg-options',
                 f'train_dataloader.dataset.data_root={image}', *SMALL,
                 *options)
        return tmp_path / 'work'

    return run


@pytest.fixture
def trained(train):
    """Config and checkpoint that a training leaves."""
    folder = train()
    return folder / 'singan-csg_fish.py', folder / 'iter_18.pth'


def test_train_in_a_process_of_its_own(photograph, tmp_path):
    work_dir = tmp_path / 'work'
    command = [
        sys.executable, 'tools/train.py', ROW, '--work-dir', work_dir,
        '--seed', '1', '--cfg-options',
        f'train_dataloader.dataset.data_root={photograph}', *SMALL,
        'default_hooks.logger.interval=6'
    ]
    env = {**os.environ, 'PYTHONPATH': ROOT, 'OMP_NUM_THREADS': '1'}
    result = subprocess.run(
        command, cwd=ROOT, env=env, text=True, capture_output=True)
    assert result.returncode == 0, result.stderr
    assert 'Scale [1/2] 30x39' in result.stderr + result.stdout
    assert 'scale eta' in result.stderr + result.stdout
    assert str(work_dir) in result.stdout.splitlines()[-1]
    assert (work_dir / 'last_checkpoint').read_text().endswith('iter_18.pth')

    result = subprocess.run(
        command[:3], cwd=ROOT, env=env, text=True, capture_output=True)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        'FileNotFoundError: There is no image file')


def test_seed_and_resume(train, capsys):
    folder = train('--seed', '5')
    first = torch.load(folder / 'iter_18.pth', weights_only=False)
    assert first['meta']['seed'] == 5
    assert 'Checkpoints, logs and pictures are in' in capsys.readouterr().out
    more = ['model.iters_per_scale=2', 'train_cfg.max_iters=18']
    train('--resume', '--seed', '5', options=more)
    train('--resume', folder / 'iter_18.pth', '--seed', '5', options=more)


def test_amp(train):
    folder = train('--amp')
    state = torch.load(folder / 'iter_18.pth', weights_only=False)
    weights = state['state_dict']['generator.blocks.2.tail.conv.weight']
    assert weights.dtype == torch.float32 and weights.isfinite().all()


@pytest.mark.parametrize('file, message', [
    ('none.png', 'There is no image file at .*none.png'),
    ('text.png', 'text.png. is not an image file'),
    ('small.png', 'too small: it has 20 x 30 pixels'),
])
def test_bad_photographs(train, tmp_path, file, message):
    (tmp_path / 'text.png').write_text('some text')
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(
        tmp_path / 'small.png')
    with pytest.raises(SystemExit, match=message):
        train(image=tmp_path / file)
    assert not (tmp_path / 'work').exists()


def test_unknown_config(train):
    with pytest.raises(SystemExit, match='no config file .*nothing.py'):
        train(config='nothing.py')


def test_num_scales_that_does_not_fit(train, tmp_path):
    with pytest.raises(SystemExit, match='gives num_scales=2 .* says 10. '
                       'Set `model.num_scales=2`'):
        train(options=['model.num_scales=10'])
    assert not (tmp_path / 'work').exists()


def test_work_dir_that_cannot_be_made(train, tmp_path):
    (tmp_path / 'work').write_text('a file is in the way')
    with pytest.raises(SystemExit, match='work'):
        train()


def test_full_disk(train, tmp_path, monkeypatch):
    """A checkpoint is there in full or not at all."""
    train()
    before = sorted(os.listdir(tmp_path / 'work'))

    def no_space(*args, **kwargs):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('pathlib.Path.write_bytes', no_space)
    with pytest.raises(SystemExit, match='No space left on device.*iter_'):
        train(options=['experiment_name=other'])
    names = [x for x in os.listdir(tmp_path / 'work') if 'pth' in x]
    assert names == [x for x in before if 'pth' in x]


def test_resuming_from_bad_files(train, trained, tmp_path):
    cut = tmp_path / 'cut.pth'
    cut.write_bytes(trained[1].read_bytes()[:5000])
    with pytest.raises(SystemExit, match='cut.pth'):
        train('--resume', cut)
    with pytest.raises(SystemExit, match='none.pth'):
        train('--resume', tmp_path / 'none.pth')
    with pytest.raises(SystemExit, match='belongs to another config'):
        train('--resume', trained[1],
              config=osp.join(CONFIGS, 'singan_spe-dim8_bohemian.py'))


class Payload:

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path), )


def test_malicious_files(run_tool, train, trained, tmp_path):
    trap = tmp_path / 'executed'
    checkpoint, pickled = tmp_path / 'evil.pth', tmp_path / 'evil.pkl'
    torch.save(dict(state_dict={}, meta=Payload(trap)), checkpoint)
    pickled.write_bytes(pickle.dumps(dict(fixed_noises=[Payload(trap)])))
    with pytest.raises(SystemExit, match='evil.pth.*mkdir'):
        train('--resume', checkpoint)
    with pytest.raises(SystemExit, match='evil.pth.*mkdir'):
        run_tool('demo/sinGAN_manipulation.py', trained[0], checkpoint,
                 '--out-dir', tmp_path / 'out')
    config = tmp_path / 'with_pkl.py'
    config.write_text(f"_base_ = '{trained[0]}'\n"
                      f"model = dict(test_pkl_data='{pickled}')\n")
    with pytest.raises(SystemExit, match='evil.pkl.*mkdir'):
        run_tool('demo/sinGAN_manipulation.py', config, trained[1],
                 '--out-dir', tmp_path / 'out')
    assert not trap.exists() and not (tmp_path / 'out').exists()


def test_demo_trains_and_draws(run_tool, photograph, tmp_path, capsys):
    out = tmp_path / 'out'
    run_tool('demo/sinGAN_manipulation.py', '--image', photograph, '--num',
             '2', '--out-dir', out, '--cfg-options', *SMALL)
    assert str(out / 'sheet.png') in capsys.readouterr().out
    sizes = {}
    for path in out.glob('*.png'):
        with Image.open(path) as image:
            sizes[path.name] = image.size
    sheet = sizes.pop('sheet.png')
    assert sizes == {
        'sample_0.png': (48, 37), 'sample_1.png': (48, 37),
        'wider_0.png': (72, 37), 'wider_1.png': (72, 37),
        'taller_0.png': (48, 56), 'taller_1.png': (48, 56)
    }
    assert sheet[0] > 4 * 48 and sheet[1] > 37 + 37 + 56
    assert list(out.glob('training/scales/scale_*_37x48.png'))


def test_demo_of_a_trained_model(run_tool, trained, tmp_path):
    images = []
    for name, num in (('one', 1), ('two', 2)):
        out = tmp_path / name
        run_tool('demo/sinGAN_manipulation.py', *trained, '--size', '30',
                 '61', '--num', num, '--seed', '7', '--out-dir', out)
        assert sum('sample' in x for x in os.listdir(out)) == num
        images.append(np.asarray(Image.open(out / 'sample_7.png')))
    assert images[0].shape == (30, 61, 3)
    assert np.abs(images[0].astype(int) - images[1]).max() <= 1


def test_demo_needs_sensible_arguments(run_tool, trained, tmp_path, capsys):
    for args, message in (([trained[0]], 'needs a checkpoint'),
                          ([*trained, '--image', 'a.png'], 'is for training'),
                          (['--num', '0'], 'at least 1, but got 0')):
        with pytest.raises(SystemExit) as error:
            run_tool('demo/sinGAN_manipulation.py', *args)
        assert error.value.code == 2
        assert message in capsys.readouterr().err
    out = tmp_path / 'out'
    for args, message in (([*trained, '--size', '1', '90'], 'at least 3 x 3'),
                          (['--image', 'no.png'], 'There is no image file'),
                          ([ROW, trained[1]], 'trained with num_scales=2'),
                          (['no.py', trained[1]], 'no config file')):
        with pytest.raises(SystemExit, match=message):
            run_tool('demo/sinGAN_manipulation.py', *args, '--out-dir', out)
    assert not out.exists()
