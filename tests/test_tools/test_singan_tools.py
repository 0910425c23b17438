"""tools/train.py and the SinGAN demo, from the command line."""
import os
import os.path as osp
import pickle
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ..conftest import nothing_global_is_left
from .conftest import ROOT, run_script, write_photograph

CONFIGS = osp.join(ROOT, 'configs/positional_encoding_in_gans')
ROW = osp.join(CONFIGS, 'singan-csg_fish.py')
FAST = osp.join(ROOT, 'configs/singan_fast/singan_csg_fast.py')
# Configs and the last checkpoint of a small training.
KINDS = [(ROW, 'iter_18.pth'), (FAST, 'iter_4.pth')]
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


@pytest.fixture(scope='module')
def once_trained(tmp_path_factory):
    """Folder of one small training, for all that only read it."""
    folder = tmp_path_factory.mktemp('trained')
    with nothing_global_is_left(), pytest.MonkeyPatch.context() as patch:
        run_script(
            patch, 'tools/train.py', ROW, '--work-dir', folder / 'work',
            '--cfg-options', 'train_dataloader.dataset.data_root='
            f'{write_photograph(folder)}', *SMALL)
    return folder / 'work'


@pytest.fixture
def trained(once_trained, tmp_path):
    """Config and checkpoint that a training leaves."""
    folder = shutil.copytree(once_trained, tmp_path / 'trained')
    return folder / 'singan-csg_fish.py', folder / 'iter_18.pth'


@pytest.mark.slow
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


@pytest.mark.parametrize('config, last', KINDS)
def test_compiled(train, monkeypatch, config, last):
    compile_ = nn.Module.compile
    monkeypatch.setattr(nn.Module, 'compile',
                        lambda self: compile_(self, backend='eager'))
    plain, compiled = (
        torch.load(
            train('--seed', 1, *options, config=config) / last,
            weights_only=False)['state_dict']
        for options in ([], ['--compile']))
    noises = [x.pop('_extra_state')['fixed_noises'] for x in (compiled, plain)]
    torch.testing.assert_close(*noises)
    torch.testing.assert_close(compiled, plain)


@pytest.mark.parametrize('config, last', KINDS)
def test_amp(train, config, last):
    folder = train('--amp', config=config)
    state = torch.load(folder / last, weights_only=False)['state_dict']
    weights = state['generator.blocks.1.tail.conv.weight']
    noises = state['_extra_state']['fixed_noises']
    for values in (weights, *noises):
        assert values.dtype == torch.float32 and values.isfinite().all()


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


def test_config_that_trains_nothing(train, tmp_path):
    config = tmp_path / 'config.py'
    config.write_text('train_cfg = dict(max_iters=1)')
    with pytest.raises(SystemExit, match='has no optim_wrapper'):
        train(config=config)


def test_num_scales_that_does_not_fit(train, tmp_path):
    with pytest.raises(SystemExit, match='gives num_scales=2 .* has 10: '
                       'set `model.num_scales=2`'):
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
        run_tool('demo/sinGAN_manipulation.py', 'sample', trained[0],
                 checkpoint, '--out-dir', tmp_path / 'out')
    config = tmp_path / 'with_pkl.py'
    config.write_text(f"_base_ = '{trained[0]}'\n"
                      f"model = dict(test_pkl_data='{pickled}')\n")
    with pytest.raises(SystemExit, match='evil.pkl.*mkdir'):
        run_tool('demo/sinGAN_manipulation.py', 'sample', config, trained[1],
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
        'sample_0.png': (48, 38), 'sample_1.png': (48, 38),
        'wider_0.png': (72, 38), 'wider_1.png': (72, 38),
        'taller_0.png': (48, 57), 'taller_1.png': (48, 57),
        'moved.png': (48, 38), 'repeated.png': (48, 38),
        'mirrored.png': (48, 38)
    }
    assert sheet[0] > 4 * 48 and sheet[1] > 38 + 38 + 57
    assert list(out.glob('training/scales/scale_*_38x48.png'))
    assert (out / 'patches/sheet.png').is_file()


def test_demo_trains_at_the_size_asked_for(run_tool, photograph, tmp_path):
    out = tmp_path / 'out'
    args = ['--image', photograph, '--num', 1, '--out-dir', out,
            '--cfg-options', *SMALL]
    run_tool('demo/sinGAN_manipulation.py', *args, '--max-size', 44)
    for name in ('sample_0.png', 'patches/sample_0.png'):
        with Image.open(out / name) as image:
            assert image.size == (44, 34)
    before = {x: x.stat().st_mtime_ns for x in out.rglob('*')}
    for more, size in (([], 48), (['--max-size', 40], 40)):
        with pytest.raises(SystemExit, match='dataset.max_size=44 instead of '
                           f'{size}: use another folder'):
            run_tool('demo/sinGAN_manipulation.py', *args, *more)
    assert {x: x.stat().st_mtime_ns for x in out.rglob('*')} == before


def test_demo_draws_without_training(run_tool, photograph, tmp_path, capsys):
    out = tmp_path / 'out'
    run_tool('demo/sinGAN_manipulation.py', '--image', photograph, '--num',
             '1', '--out-dir', out, '--no-train')
    printed = capsys.readouterr().out
    assert str(out / 'patches/sheet.png') in printed
    again = printed.splitlines()[-1].split()
    assert again[:1] == ['python']
    run_tool(again[1], *again[2:], '--num', '0', '--out-dir',
             tmp_path / 'again')
    moved, other = (np.asarray(Image.open(x)) for x in (
        out / 'patches/moved.png', tmp_path / 'again/layout.png'))
    assert (moved == other).all()
    assert {path.name for path in out.iterdir()} == {'patches'}
    assert {path.name for path in (out / 'patches').iterdir()} == {
        'sample_0.png', 'wider_0.png', 'taller_0.png', 'moved.png',
        'repeated.png', 'mirrored.png', 'sheet.png'
    }
    with Image.open(out / 'patches/wider_0.png') as image:
        assert image.size == (78, 40)


PATCH_COMMANDS = {
    'sample': (['--num', '1', '--size', '40', '60'], 'sample_0.png'),
    'resize': (['--factor', '1', '1.5', '--num', '1'], 'resized.png'),
    'layout': (['--region', '5', '5', '20', '20', '--shift', '0', '20'],
               'layout.png'),
    'edit': ([], 'edit_scale1.png'),
    'harmonize': ([], 'harmonize_scale1.png'),
    'paint': (['--colours', '3'], 'paint_scale1.png'),
    'super-resolution': (['--factor', '2'], 'enlarged.png'),
    'animate': (['--frames', '3'], 'animation.gif')
}


@pytest.mark.parametrize('command', PATCH_COMMANDS)
def test_demo_takes_photographs(run_tool, photograph, white, tmp_path,
                                command):
    args, result = PATCH_COMMANDS[command]
    if command in ('edit', 'harmonize', 'paint'):
        args = [*args, '--image', photograph]
    if command in ('edit', 'harmonize'):
        args = [*args, '--mask', white]
    out = tmp_path / 'out'
    run_tool('demo/sinGAN_manipulation.py', command, photograph, '--max-size',
             '48', *args, '--out-dir', out)
    assert (out / result).is_file() and (out / 'sheet.png').is_file()


def test_demo_draws_photographs_in_tiles(run_tool, photograph, tmp_path):
    out = tmp_path / 'out'
    args = ['sample', photograph, '--size', 90, 100, '--num', 1]
    run_tool('demo/sinGAN_manipulation.py', *args, '--out-dir', out)
    run_tool('demo/sinGAN_manipulation.py', *args, '--tile', 80, '--out-dir',
             tmp_path / 'tiled')
    whole, tiled = (np.asarray(Image.open(x / 'sample_0.png')).astype(int)
                    for x in (out, tmp_path / 'tiled'))
    assert (np.abs(whole - tiled) > 1).mean() < 0.01


def test_demo_needs_sensible_photographs(run_tool, photograph, trained,
                                         tmp_path):
    (tmp_path / 'text.png').write_text('some text')
    Image.new('RGB', (60, 12)).save(tmp_path / 'small.png')
    out = tmp_path / 'out'
    for args, message in (
        (['sample', tmp_path / 'text.png'], 'not an image file'),
        (['sample', tmp_path / 'small.png'], 'too small: it has 12 x 60'),
        (['sample', photograph, '--size', '10', '90'], 'must be at least'),
        (['sample', photograph, '--size', '99', '99', '--tile', '8'], 'tile'),
        (['sample', photograph, trained[1]], 'checkpoint` cannot be combined'),
        (['sample', trained[0], trained[1], '--max-size', '64'],
         'is for photographs'),
        (['layout', photograph, '--region', '5', '5', '90', '90', '--remove'],
         'A box must satisfy'),
        (['layout', CONFIGS + '/../patch_diffusion/patch-diffusion_none.py',
          photograph, '--flip', 'both'], 'no explicit positions')):
        with pytest.raises(SystemExit, match=message):
            run_tool('demo/sinGAN_manipulation.py', *args, '--out-dir', out)
    assert not out.exists()


@pytest.fixture
def manipulate(run_tool, trained, tmp_path):
    """Run a command of the demo on a trained model; returns its pictures."""

    def run(command, *args):
        out = tmp_path / command
        run_tool('demo/sinGAN_manipulation.py', command, trained[0].parent,
                 *args, '--out-dir', out)
        return {
            path.name: np.asarray(Image.open(path))
            for path in out.glob('*.*')
            if path.suffix in ('.png', '.tif')
        }

    return run


@pytest.fixture
def white(tmp_path):
    """A white box on black, of the photograph's size."""
    mask = np.zeros((40, 52), np.uint8)
    mask[10:20, 20:30] = 255
    Image.fromarray(mask).save(tmp_path / 'mask.png')
    return tmp_path / 'mask.png'


def test_demo_samples(manipulate, trained):
    out = manipulate('sample', *trained[1:], '--size', 30, 61, '--num', 3,
                     '--seed', 7, '--batch-size', 2)
    assert set(out) == {
        'sample_7.png', 'sample_8.png', 'sample_9.png', 'sheet.png'
    }
    one = manipulate('sample', '--size', 30, 61, '--num', 1, '--seed', 8)
    assert np.abs(out['sample_8.png'].astype(int)
                  - one['sample_8.png']).max() <= 1
    fixed = manipulate('sample', '--start-scale', 2, '--num', 1)
    assert fixed['sample_0.png'].shape == (37, 48, 3)


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_demo_samples_in_tiles(manipulate, suffix):
    whole = manipulate('sample', '--size', 80, 91, '--num', 1)
    tiled = manipulate('sample', '--size', 80, 91, '--num', 1, '--tile', 40,
                       '--tile-format', suffix)
    assert np.abs(whole['sample_0.png'].astype(int)
                  - tiled[f'sample_0.{suffix}']).max() <= 1


def test_demo_resizes(manipulate):
    out = manipulate('resize', '--factor', 1, 1.5, '--num', 1, '--positions',
                     'centre')
    assert set(out) == {'resized.png', 'resized_0.png', 'sheet.png'}
    assert out['resized.png'].shape == (37, 72, 3)


def test_demo_changes_layouts(manipulate, tmp_path):
    out = manipulate('layout', '--region', 5, 5, 20, 20, '--shift', 0, 12)
    assert set(out) == {'layout.png', 'layout_0.png', 'layout_1.png',
                        'sheet.png'}
    mask = np.zeros((37, 48), np.uint8)
    mask[5:20, 5:20] = 255
    Image.fromarray(mask).save(tmp_path / 'mask.png')
    same = manipulate('layout', '--mask', tmp_path / 'mask.png', '--shift', 0,
                      12, '--num', 0)
    assert (same['layout.png'] == out['layout.png']).all()
    np.save(tmp_path / 'flow.npy', np.ones((37, 48, 2)))
    flow = manipulate('layout', '--displacement', tmp_path / 'flow.npy')
    assert flow['layout.png'].shape == (37, 48, 3)


@pytest.mark.parametrize('command', ['edit', 'harmonize'])
def test_demo_mends_composites(manipulate, command, photograph, white):
    out = manipulate(command, '--image', photograph, '--mask', white)
    assert set(out) == {f'{command}_scale1.png', f'{command}_scale2.png',
                        'sheet.png'}
    assert out[f'{command}_scale1.png'].shape == (37, 48, 3)


def test_demo_paints(manipulate, photograph):
    out = manipulate('paint', '--image', photograph, '--start-scale', '2',
                     '--colours', '3')
    assert set(out) == {'paint_scale2.png', 'sheet.png'}


def test_demo_enlarges(manipulate, run_tool, photograph, tmp_path):
    out = manipulate('super-resolution', '--factor', '1.5')
    assert out['enlarged.png'].shape == (56, 72, 3)
    run_tool('demo/sinGAN_manipulation.py', 'super-resolution', '--image',
             photograph, '--factor', 2, '--out-dir', tmp_path / 'new',
             '--cfg-options',
             *(x for x in SMALL if 'max_size' not in x))
    with Image.open(tmp_path / 'new/enlarged.png') as image:
        assert image.size == (104, 80)


def test_demo_animates(manipulate, tmp_path):
    manipulate('animate', '--frames', '5')
    with Image.open(tmp_path / 'animate/animation.gif') as film:
        assert film.n_frames == 5 and film.size == (48, 37)
    film = cv2.VideoCapture(str(tmp_path / 'animate/animation.mp4'))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 5
    film.release()


@pytest.mark.slow
def test_demo_trains_on_several(run_tool, photograph, tmp_path, capsys):
    Image.open(photograph).rotate(180).save(tmp_path / 'second.png')
    out = tmp_path / 'out'
    run_tool('demo/sinGAN_manipulation.py', 'train', photograph,
             tmp_path / 'second.png', '--jobs', 2, '--out-dir', out,
             '--max-size', 40, '--cfg-options', *SMALL)
    assert str(out) in capsys.readouterr().out
    for name in ('photograph', 'second'):
        run_tool('demo/sinGAN_manipulation.py', 'sample', out / name, '--num',
                 1, '--out-dir', out / 'samples')
        with Image.open(out / 'samples/sample_0.png') as image:
            assert image.size == (40, 32)


@pytest.mark.parametrize('args, message', [
    (['sampel'], "invalid command 'sampel' (choose from train, sample"),
    (['--num', '0'], '--num: must be at least 1, but got 0'),
    (['sample', 'x', '--size', '1', '2', '--factor', '1', '2'], 'not allowed'),
    (['resize', 'x'], 'one of the arguments --size --factor is required'),
    (['edit', 'x', '--image', 'a.png'], 'required: --mask'),
    (['animate', 'x', '--frames', 'many'], 'at least 1, but got many'),
    (['train', 'x', '--max-size', '31'], 'from 32 to 1024, but got 31'),
    (['super-resolution', 'x', '--factor', '0.5'], 'from 1 to 64, but got'),
    (['animate', 'x', '--fps', '0'], 'above 0 and finite, but got 0'),
    (['--max-size', '1025'], 'from 32 to 1024, but got 1025'),
])
def test_demo_knows_its_arguments(run_tool, capsys, args, message):
    with pytest.raises(SystemExit) as error:
        run_tool('demo/sinGAN_manipulation.py', *args)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_demo_needs_sensible_arguments(manipulate, run_tool, trained, tmp_path,
                                       photograph, white):
    Image.new('L', (5, 6), 255).save(tmp_path / 'other.png')
    Image.new('L', (52, 40)).save(tmp_path / 'dark.png')
    images = ['--image', photograph, '--mask']
    for args, message in (
        (['sample', '--size', '1', '90'], 'at least 3 x 3'),
        (['sample', '--start-scale', '3'], 'from 0 to 2'),
        (['sample', '--size', '90', '90', '--tile', '3'], 'tile'),
        (['sample', '--size', '10000000', '10000000', '--tile', '500'],
         'disk'),
        (['resize', '--size', '0', '10'], 'at least 3 x 3'),
        (['layout'], 'requires one of `shift`'),
        (['layout', '--remove'], 'require `region`'),
        (['layout', '--mask', white, '--remove'], '37 x 48.*got 40 x 52'),
        (['layout', '--displacement', white], 'neither a .npy'),
        (['edit', *images, tmp_path / 'other.png'], '40 x 52.*got 6 x 5'),
        (['edit', *images, tmp_path / 'dark.png'], 'dark.png.*is empty'),
        (['edit', *images, white, '--start-scale', '1', '3'], 'from 1 to 2'),
        (['harmonize', *images, white, '--start-scale', '0'], 'from 1 to 2'),
        (['paint', '--image', 'no.png'], 'There is no image file'),
        (['super-resolution', '--factor', '1'], 'above 1'),
    ):
        with pytest.raises(SystemExit, match=message):
            manipulate(*args)
        assert not (tmp_path / args[0]).exists(), args
    out = tmp_path / 'out'
    for args, message in ((['--image', 'no.png'], 'There is no image file'),
                          (['sample', ROW, trained[1]],
                           'trained with num_scales=2'),
                          (['sample', 'no.py', trained[1]], 'no config file'),
                          (['sample', trained[0]], '`checkpoint` is required'),
                          (['sample', tmp_path], 'must have one config'),
                          (['super-resolution'], 'Give a MODEL')):
        with pytest.raises(SystemExit, match=message):
            run_tool('demo/sinGAN_manipulation.py', *args, '--out-dir', out)
    assert not out.exists()
