"""tools/train.py and tools/test.py with all rows of StyleGAN2 and MS-PIE."""
import json
import os
import os.path as osp
import subprocess
import sys
from glob import glob

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from mmpe.checkpoint import read_checkpoint
from mmpe.datasets import read_photograph
from mmpe.evaluation import references
from mmpe.models.mspie import MSStyleGANv2Generator
from mmpe.registry import MODELS, build_from
from tests.test_engine.events import read_events
from tests.test_evaluation.tiny import StandIn, save_images

from .conftest import ROOT, same

CONFIGS = osp.join(ROOT, 'configs/positional_encoding_in_gans')
ROWS = sorted(glob(osp.join(CONFIGS, '*stylegan2*')))
ROW_F = osp.join(
    CONFIGS, 'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py')
ROW_I = ROW_F.replace('config-f', 'config-i')
ROW_A = osp.join(CONFIGS, 'stylegan2_c2_8xb3-1100kiters_ffhq-256x256.py')
FIGURES = {
    'FID-50k/fid', 'FID-50k/mean', 'FID-50k/cov', 'PR-10k/precision',
    'PR-10k/recall'
}


def small(config):
    """Options for a network with few channels and images of 16 pixels."""
    options = [
        'model.generator.width=0.02', 'model.generator.style_channels=8',
        'model.generator.out_size=16', 'model.discriminator.width=0.02',
        'model.discriminator.in_size=16', 'train_dataloader.batch_size=2',
        'train_cfg.max_iters=6', 'default_hooks.checkpoint.interval=3',
        'default_hooks.logger.interval=2', 'model.loss_config.r1_interval=2',
        'model.loss_config.g_reg_interval=2'
    ]
    options += [
        f'{phase}_dataloader.{name}' for phase in ('train', 'val', 'test')
        for name in ('num_workers=0', 'persistent_workers=False')
    ]
    if 'mspie' in config:
        options.append('model.train_settings.num_upblocks=2')
    head = Config.fromfile(config).model.generator.get('head_pos_encoding')
    if head and head.type == 'SPE':
        options.append('model.generator.head_pos_encoding.embedding_dim=4')
    return options


def feature_options(network, num=6):
    """Options for few images, and a stand-in for both feature networks."""
    options = []
    for name in ('val_evaluator', 'test_evaluator'):
        for index in (0, 1):
            key = f'{name}.metrics.{index}'
            options += [f'{key}.fake_nums={num}', f'{key}.real_nums={num}']
        options += [
            f'{name}.metrics.0.inception_style=StyleGAN',
            f'{name}.metrics.0.inception_path={network}',
            f'{name}.metrics.1.vgg16_script={network}'
        ]
    return options


@pytest.fixture
def images(tmp_path):
    return save_images(tmp_path / 'images', 7, size=(64, 64))


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A TorchScript network; features are not kept in the home folder."""
    monkeypatch.setenv('HOME', str(tmp_path))
    path = tmp_path / 'network.pt'
    torch.jit.script(StandIn()).save(str(path))
    return path


@pytest.fixture
def train(run_tool, images, tmp_path):

    def run(config, *args, folder='work', data=images, options=()):
        run_tool('tools/train.py', config, '--work-dir', tmp_path / folder,
                 '--data-root', data, *args, '--cfg-options', *small(config),
                 f'experiment_name={np.random.default_rng().integers(2**60)}',
                 *options)
        return tmp_path / folder

    return run


@pytest.fixture
def test_tool(run_tool, images, network, tmp_path):

    def run(config, checkpoint, *args, options=()):
        run_tool('tools/test.py', config, checkpoint, '--work-dir',
                 tmp_path / 'test', '--data-root', images, *args,
                 '--cfg-options', *small(config), *feature_options(network),
                 f'experiment_name={np.random.default_rng().integers(2**60)}',
                 *options)
        return tmp_path / 'test'

    return run


def sizes_of(config):
    """Sizes of a shrunk row: the real ones divided by 16."""
    if 'mspie' not in config:
        return [16]
    if '896' in config:
        return [16, 32, 56]
    return [16, 32, 64] if '1024' in config else [16, 24, 32]


@pytest.mark.parametrize('config', ROWS, ids=osp.basename)
def test_row(config, train, test_tool, tmp_path, capsys):
    """Train, resume exactly, sample at all scales, evaluate."""
    sizes = sizes_of(config)
    images = save_images(tmp_path / 'reals', 7, size=(sizes[-1], sizes[-1]))
    work = train(config, '--no-validate', data=images)
    assert str(work) in capsys.readouterr().out.splitlines()[-1]
    whole = read_checkpoint(work / 'iter_6.pth')
    train(
        config,
        '--no-validate',
        '--resume',
        work / 'iter_3.pth',
        data=images,
        folder='resumed')
    resumed = read_checkpoint(tmp_path / 'resumed' / 'iter_6.pth')
    for part in ('state_dict', 'optimizer', 'random_states'):
        assert same(whole[part], resumed[part]), part

    with Image.open(work / 'samples' / 'iter_6.png') as sheet:
        assert sheet.height > sum(sizes) and sheet.width > 4 * sizes[-1]
    model = build_from(MODELS, Config.fromfile(next(work.glob('*.py'))).model)
    model.load_state_dict(whole['state_dict'])
    kwargs = [
        dict(chosen_scale=x) for x in getattr(model, 'multi_input_scales', [])
    ] or [{}]
    for size, scale in zip(sizes, kwargs):
        sample, = model.eval()(dict(num_batches=1, sample_kwargs=scale))
        assert sample.fake_img.shape == (3, size, size)

    folder = test_tool(config, work / 'iter_6.pth')
    results = json.loads((folder / 'results_iter_6.json').read_text())
    assert results['checkpoint'] == str(work / 'iter_6.pth')
    figures = results['results']
    assert set(figures) == FIGURES
    assert 0 < figures['FID-50k/fid'] < 1e6
    printed = capsys.readouterr().out
    assert f'FID-50k/fid: {figures["FID-50k/fid"]:.6g}' in printed
    assert str(folder / 'results_iter_6.json') in printed.splitlines()[-1]


def test_tensorboard(train, network):
    """Losses of each scale, validations and samples are in the event file."""
    pytest.importorskip('tensorboard')
    work = train(
        ROW_F,
        '--tensorboard',
        options=['train_cfg.val_interval=3', *feature_options(network)])
    scalars, images = read_events(work)
    assert list(scalars['loss_gen']) == [2, 4, 6]
    scales = {tag for tag in scalars if tag.startswith('loss_gen/')}
    assert scales and scales <= {f'loss_gen/scale_{i}' for i in (0, 2, 4)}
    for name in FIGURES:
        assert list(scalars[name]) == [3, 6], name
    with Image.open(work / 'samples' / 'iter_6.png') as sheet:
        assert images['samples'] == [(6, *sheet.size)]


def test_evaluation_is_at_the_largest_scale(train, test_tool, monkeypatch):
    work = train(ROW_F, '--no-validate')
    drawn, compared = [], []
    forward = MSStyleGANv2Generator.forward
    resize = references.resize_images
    monkeypatch.setattr(
        MSStyleGANv2Generator, 'forward', lambda *args, **kwargs: drawn.append(
            kwargs['chosen_scale']) or forward(*args, **kwargs))
    monkeypatch.setattr(
        references, 'resize_images', lambda image, size: compared.append(size)
        or resize(image, size))
    test_tool(ROW_F, work / 'iter_6.pth')
    assert set(drawn) == {4} and set(compared) == {(32, 32)}


@pytest.mark.parametrize('scales, labels', [
    (['all'], ['16x16', '24x24', '32x32']),
    (['0', '3'], ['16x16', '28x28']),
])
def test_several_scales_and_their_table(train, test_tool, tmp_path, capsys,
                                        scales, labels):
    work = train(ROW_I, '--no-validate')
    out = tmp_path / 'new' / 'figures.json'
    test_tool(ROW_I, work / 'iter_6.pth', '--scales', *scales, '--out', out)
    figures = json.loads(out.read_text())['results']
    assert set(figures) == {
        f'{label}/{name}' for label in labels for name in FIGURES
    }
    table = [x for x in capsys.readouterr().out.splitlines()
             if x.startswith('| ')]
    assert [line.split()[1] for line in table[2:]] == labels


def test_validation_does_not_change_the_training(train, network):
    """Neither the rest of it, nor one that is resumed right before."""
    options = ['train_cfg.val_interval=3', *feature_options(network)]
    work = train(ROW_F, folder='validated', options=options)
    assert len(list(work.glob('best_FID-50k_fid_iter_*.pth'))) == 1
    resumed = train(
        ROW_F, '--resume', work / 'iter_3.pth', '--no-validate',
        folder='resumed')
    without = train(ROW_F, '--no-validate', folder='without')
    states = [
        read_checkpoint(folder / 'iter_6.pth')['state_dict']
        for folder in (work, resumed, without)
    ]
    assert same(states[0], states[1]) and same(states[0], states[2])


def test_workers_and_amp(train):
    """Workers that read ahead, in the first training and in a resumed one."""
    options = [
        'train_dataloader.num_workers=1',
        'train_dataloader.persistent_workers=True'
    ]
    work = train(ROW_F, '--no-validate', '--amp', options=options)
    state = read_checkpoint(work / 'iter_6.pth')
    weights = state['state_dict']['generator.to_rgb1.bias']
    assert weights.dtype == torch.float32 and weights.isfinite().all()
    folder = train(
        ROW_F,
        '--no-validate',
        '--amp',
        '--resume',
        work / 'iter_3.pth',
        folder='resumed',
        options=options)
    resumed = read_checkpoint(folder / 'iter_6.pth')
    assert same(resumed['state_dict'], state['state_dict'])


@pytest.mark.slow
def test_compiled(train, monkeypatch):
    """Tracing changes nothing; a compiler is not needed for that."""
    compile_ = nn.Module.compile
    monkeypatch.setattr(nn.Module, 'compile',
                        lambda self: compile_(self, backend='eager'))
    plain, compiled = (
        read_checkpoint(
            train(ROW_F, '--no-validate', *options, folder=str(len(options))) /
            'iter_6.pth')['state_dict'] for options in ([], ['--compile']))
    torch.testing.assert_close(compiled, plain)


def test_networks_that_cannot_be_compiled(train, monkeypatch):
    def compile_(self):
        raise RuntimeError('no compiler\nfound')

    monkeypatch.setattr(nn.Module, 'compile', compile_)
    work = train(ROW_F, '--no-validate', '--compile')
    log, = work.glob('*/*.log')
    assert 'WARNING - The networks are not compiled: no compiler\n' in \
        log.read_text()


def test_resuming_reads_no_old_images(train, monkeypatch):
    work = train(ROW_F, '--no-validate')
    read = []
    monkeypatch.setattr(
        'mmpe.datasets.image_folder.read_photograph',
        lambda path: read.append(path) or read_photograph(path))
    train(ROW_F, '--no-validate', '--resume', work / 'iter_3.pth')
    assert len(read) == 2 * 3


def test_checkpoint_of_mmengines_wrapper(train, test_tool, tmp_path):
    work = train(ROW_F, '--no-validate')
    state = torch.load(work / 'iter_6.pth', weights_only=False)
    state['state_dict'] = {
        key.replace('generator.', 'generator.module.', 1) if key.startswith(
            'generator.') else key: value
        for key, value in state['state_dict'].items()
    }
    torch.save(state, tmp_path / 'wrapped.pth')
    results = []
    for path in (work / 'iter_6.pth', tmp_path / 'wrapped.pth'):
        folder = test_tool(
            ROW_F,
            path,
            options=[
                'test_evaluator.metrics.0.sample_model=orig',
                'test_evaluator.metrics.1.sample_model=orig'
            ])
        file = folder / f'results_{path.stem}.json'
        results.append(json.loads(file.read_text())['results'])
    assert results[0] == results[1]


# -- bad inputs --


def test_no_images(train, tmp_path):
    with pytest.raises(SystemExit, match='There is no folder .*none'):
        train(ROW_F, '--no-validate', data=tmp_path / 'none')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(SystemExit, match='There are no images in .*empty'):
        train(ROW_F, '--no-validate', data=tmp_path / 'empty')
    assert not list(tmp_path.rglob('*.pth'))


@pytest.mark.parametrize('workers', [0, 1])
def test_unreadable_image(train, images, workers):
    (images / '003.png').write_text('some text')
    cut = (images / '004.png').read_bytes()[:200]
    (images / '004.png').write_bytes(cut)
    options = [f'train_dataloader.num_workers={workers}']
    with pytest.raises(SystemExit) as error:
        train(ROW_F, '--no-validate', options=options)
    message, = str(error.value).splitlines()
    assert '003.png' in message or '004.png' in message
    work = train(
        ROW_F,
        '--no-validate',
        options=[*options, 'train_dataloader.dataset.skip_unreadable=True'])
    assert (work / 'iter_6.pth').exists()


@pytest.mark.slow
def test_small_images_are_reported_once(train, tmp_path, capfd):
    images = save_images(tmp_path / 'small', 5, size=(31, 40))
    train(ROW_F, '--no-validate', data=images)
    said = capfd.readouterr()
    text = said.out + said.err
    assert text.count('less than the largest scale of the model, 32 x 32') == 1
    assert '31 x 40 pixels' in text


def test_large_images_are_not_reported(train, capfd):
    train(ROW_F, '--no-validate')
    said = capfd.readouterr()
    assert 'less than the largest scale' not in said.out + said.err


def test_images_of_several_sizes(train, images):
    for path in list(images.iterdir())[::2]:
        Image.open(path).resize((48, 64)).save(path)
    with pytest.raises(SystemExit, match='one size, but got .*48.*resize'):
        train(ROW_F, '--no-validate')


@pytest.mark.parametrize('option, message', [
    ('multi_scale_probability=[0.5,0.5]', 'one value for each of 3 scales'),
    ('multi_scale_probability=[0.5,0.4,0.3]', 'sum to 1, but got'),
    ('multi_input_scales=[]', 'must be a list of numbers of extra cells'),
    ('num_upblocks=3', '`num_upblocks` must be 2'),
])
def test_settings_that_do_not_fit(train, option, message):
    with pytest.raises(SystemExit, match=message):
        train(
            ROW_F,
            '--no-validate',
            options=[f'model.train_settings.{option}'])


def test_checkpoint_of_another_row(train, test_tool):
    work = train(ROW_F, '--no-validate')
    message = 'belongs to another config: .*generator.conv1.*'
    with pytest.raises(SystemExit, match=message):
        train(ROW_I, '--no-validate', '--resume', work / 'iter_6.pth')
    with pytest.raises(SystemExit, match=message):
        test_tool(ROW_I, work / 'iter_6.pth')


def test_test_needs_sensible_arguments(test_tool, tmp_path, run_tool):
    path = tmp_path / 'iter_6.pth'
    with pytest.raises(SystemExit, match='no checkpoint .*iter_6.pth'):
        test_tool(ROW_F, path)
    path.write_bytes(b'PK cut')
    with pytest.raises(SystemExit, match='iter_6.pth. is truncated'):
        test_tool(ROW_F, path)
    with pytest.raises(SystemExit, match='no config file .*none.py'):
        run_tool('tools/test.py', 'none.py', path)
    with pytest.raises(SystemExit, match="'largest', 'all' or numbers"):
        test_tool(ROW_F, path, '--scales', '2', 'all')
    singan = osp.join(CONFIGS, 'singan-csg_fish.py')
    with pytest.raises(SystemExit, match='no `test_evaluator`'):
        run_tool('tools/test.py', singan, path)
    assert not list(tmp_path.rglob('*.json'))


def test_evaluation_needs_networks(train, test_tool):
    work = train(ROW_F, '--no-validate')
    with pytest.raises(SystemExit, match='no_such.pt.*is published at'):
        test_tool(
            ROW_F,
            work / 'iter_6.pth',
            options=['test_evaluator.metrics.0.inception_path=no_such.pt'])


def test_validation_needs_enough_images(train, network):
    with pytest.raises(SystemExit, match='number of real images, 7'):
        train(ROW_F, options=feature_options(network, num=8))


def test_help_has_an_example(run_tool, capsys):
    for tool in ('train', 'test'):
        with pytest.raises(SystemExit) as error:
            run_tool(f'tools/{tool}.py', '--help')
        assert error.value.code == 0
        assert 'Example' in capsys.readouterr().out


def test_in_a_process_of_its_own(images, tmp_path):
    result = subprocess.run(
        [
            sys.executable, 'tools/test.py', ROW_A, tmp_path / 'none.pth',
            '--data-root', images, '--work-dir', tmp_path / 'work',
            '--cfg-options', *small(ROW_A)
        ],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': ROOT, 'OMP_NUM_THREADS': '1'},
        text=True,
        capture_output=True)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith('FileNotFoundError: ')
