import json
import os

import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from mmpe.analysis import Subject, untrained
from mmpe.registry import MODELS, build_from
from mmpe.utils import register_all_modules
from tests.test_inference.conftest import trained  # noqa: F401

TOOL = 'tools/analysis/positions_in_features.py'


def make():
    """Somebody's network."""
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(),
        nn.Conv2d(4, 3, 3, padding=1))

    def draw(num, generator):
        return (torch.randn(num, 2, 12, 12, generator=generator), ), {}

    return Subject(model, draw, margin=2)


def test_factory(run_tool, tmp_path, capsys):
    out = tmp_path / 'out'
    run_tool(TOOL, '--factory', f'{__name__}:make', '--out-dir', out, '--num',
             8, '--padding', 'zeros', 'circular')
    text = capsys.readouterr().out
    assert str(out / 'tables.md') in text
    assert (out / 'tables.md').read_text() in text
    results = json.loads((out / 'results.json').read_text())
    runs = results[f'{__name__}.make']
    assert list(runs) == ['0', '1']
    assert runs['0'] != runs['1']
    assert list(runs['0']) == ['zeros', 'circular']
    assert list(runs['0']['zeros']) == ['0', '2', 'output']
    for name in ('layers', 'profiles', 'maps'):
        with Image.open(out / f'{name}.png') as image:
            assert image.width == 860


def test_goes_on(run_tool, tmp_path):
    command = (TOOL, '--model', 'stylegan2', '--out-dir', tmp_path, '--num', 8,
               '--padding', 'zeros', '--seeds')
    run_tool(*command, 0)
    path = tmp_path / 'runs' / 'stylegan2-0.json'
    found = json.loads(path.read_text())
    found['results']['zeros']['output']['layout'] = 0.123
    path.write_text(json.dumps(found))
    run_tool(*command, 0, 1)
    results = json.loads((tmp_path / 'results.json').read_text())['stylegan2']
    assert results['0'] == found['results']
    assert results['1']['zeros']['output']['layout'] != 0.123
    # not with other settings
    run_tool(*command, 0, '--num', 9)
    results = json.loads((tmp_path / 'results.json').read_text())['stylegan2']
    assert results['0']['zeros']['output']['layout'] != 0.123


def test_trained(run_tool, tmp_path, trained):  # noqa: F811
    row = 'mspie_csg_32-48-64'
    run_tool(TOOL, '--trained', *trained(row), '--out-dir', tmp_path / 'out',
             '--num', 8, '--seeds', 0)
    results = json.loads((tmp_path / 'out/results.json').read_text())
    layers = results[f'{row} ({row})']['0']['zeros']
    assert list(layers) == [
        'conv1', *(f'convs.{index}' for index in range(6)), 'output'
    ]


@pytest.mark.parametrize('sizes, context, error', [
    (((14, 20), (28, 40)), False, None),
    (((14, 20), (20, 29)), False, r'whole multiples of the smallest one, of '
     r'\(14, 20\) cells, but one has \(20, 29\)'),
    (((14, 20), (28, 40)), True, 'A ContextSinGAN has no padding'),
])
def test_trained_singan(run_tool, tmp_path, sizes, context, error):
    register_all_modules()
    settings = dict(
        type='ContextSinGAN' if context else 'PESinGAN',
        data_preprocessor=dict(
            type='DataPreprocessor',
            non_image_keys=['input_sample'],
            data_keys=None),
        generator=dict(
            type='SinGANContextGenerator'
            if context else 'SinGANMSGeneratorPE',
            in_channels=3,
            out_channels=3,
            base_channels=8,
            min_feat_channels=8,
            positional_encoding=dict(type='CSG')),
        discriminator=None,
        num_scales=1)
    config, checkpoint = tmp_path / 'singan.py', tmp_path / 'iter_2.pth'
    Config(dict(model=settings)).dump(config)
    torch.manual_seed(0)
    model = build_from(MODELS, settings)
    model.reals = [torch.rand(1, 3, *size) for size in sizes]
    model.curr_stage, model.noise_weights = 1, [1., 0.1]
    model.construct_fixed_noises()
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    command = (TOOL, '--trained', config, checkpoint, '--out-dir',
               tmp_path / 'out', '--num', 8, '--seeds', 0)
    if error:
        with pytest.raises(SystemExit, match=error):
            run_tool(*command)
        assert not (tmp_path / 'out').exists()
        return
    run_tool(*command)
    results = json.loads((tmp_path / 'out/results.json').read_text())
    layers = results['singan (iter_2)']['0']['none']
    assert layers['blocks.1.head']['size'] == [36, 48]
    assert layers['output']['size'] == [28, 40]


def test_dcgan_of_mmagic(run_tool, tmp_path):
    model = untrained('dcgan', 32, seed=0).model
    config, checkpoint = tmp_path / 'dcgan.py', tmp_path / 'dcgan.pth'
    config.write_text('''model = dict(
    type='DCGAN',
    generator=dict(type='DCGANGenerator', output_scale=32, base_channels=128))
''')
    torch.save(
        dict(state_dict={f'generator.{key}': value
                         for key, value in model.state_dict().items()}),
        checkpoint)
    out = tmp_path / 'out'
    run_tool(TOOL, '--trained', config, checkpoint, '--out-dir', out, '--num',
             8, '--seeds', 0, '--padding', 'zeros')
    results = json.loads((out / 'results.json').read_text())
    layers = results['dcgan (dcgan)']['0']['zeros']
    assert list(layers)[-2:] == ['output_layer', 'output']

    config.write_text(config.read_text().replace('128', '64'))
    with pytest.raises(SystemExit, match='belongs to another config'):
        run_tool(TOOL, '--trained', config, checkpoint, '--out-dir',
                 tmp_path / 'other')
    assert not os.path.exists(tmp_path / 'other')


def test_a_claim_without_trainings(run_tool, tmp_path, photograph, capsys):
    out = tmp_path / 'out'
    run_tool(TOOL, '--claim', 'g', '--photograph', photograph, '--work-dir',
             out)
    text = capsys.readouterr().out
    table = (out / 'claims.md').read_text()
    assert table.strip() in text and str(out / 'claims.md') in text
    assert '**holds**' in table
    rows = json.loads((out / 'claims.json').read_text())['g']
    assert [row['holds'] for row in rows] == [True] * 4
    assert sorted(path.name for path in out.iterdir()) == [
        'claim_g.png', 'claims.json', 'claims.md']


def test_errors(run_tool, tmp_path, capsys):
    for arguments, text in (
        (('--num', 4), '--num: must be at least 8, but got 4'),
        (('--model', 'gan'), "invalid choice: 'gan'"),
        (('--padding', 'ones'), "invalid choice: 'ones'")):
        with pytest.raises(SystemExit) as error:
            run_tool(TOOL, *arguments)
        assert error.value.code == 2
        assert text in capsys.readouterr().err
    out = tmp_path / 'out'
    for arguments, text in (
        (('--trained', 'a.py', 'b.pth'), "There is no file 'a.py'"),
        (('--factory', 'no_such_module:make'), 'No module named'),
        (('--factory', f'{__name__}:nothing'), '`module:factory`, but got'),
        (('--model', 'dcgan', '--size', 40), 'at least 32, but got 40')
    ):
        with pytest.raises(SystemExit, match=text):
            run_tool(TOOL, *arguments, '--out-dir', out)
        assert not out.exists()
