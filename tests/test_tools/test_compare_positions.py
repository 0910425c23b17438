import json

import numpy as np
import pytest
from PIL import Image

from mmpe.engine import photographs
from mmpe.engine.photographs import running
from mmpe.engine.photographs.training import train_in
from mmpe.evaluation.single_image import layout_correlation
from mmpe.inference import load

TOOL = 'tools/analysis/compare_positions.py'
SMALL = [
    '--cfg-options', 'model.iters_per_scale=1',
    'model.generator.base_channels=8', 'model.generator.min_feat_channels=8',
    'model.discriminator.base_channels=8',
    'model.discriminator.min_feat_channels=8',
    'train_dataloader.dataset.max_size=40'
]


def train_here(trainings, jobs):
    """Without processes, each of which takes seconds to start."""
    for training in trainings:
        photographs.write_config(training)
        train_in(training.folder)
    return [photographs.finished(x) for x in trainings]


def test_sheet_and_figures(run_tool, photograph, tmp_path, monkeypatch,
                           capsys):
    out = tmp_path / 'out'
    command = (TOOL, photograph, '--out-dir', out, '--num', '2', '--widen',
               '2', '--seed', '4', *SMALL)
    with monkeypatch.context() as patch:
        patch.setattr(photographs, 'run_trainings', train_here)
        run_tool(*command)
    text = capsys.readouterr().out
    assert str(out / 'sheet.png') in text

    figures = json.loads((out / 'figures.json').read_text())
    assert list(figures) == ['zero-pad', 'interp-pad', 'csg', 'spe-dim8']
    generators, paddings, encodings = [], [], []
    for head, x in figures.items():
        assert x['checkpoint'] == str(out / head / 'iter_2.pth')
        sampler = load(x['config'], x['checkpoint'])
        generator = sampler.model.generator
        generators.append(type(generator).__name__)
        paddings.append(type(generator.head_padding).__name__)
        encodings.append(type(generator.head_position_encode).__name__)
        for size in ((32, 40), (32, 80)):
            scores = [
                layout_correlation(image, sampler.photograph)
                for image in sampler.sample(16, size, seed=4)
            ]
            found = x['layout']['{}x{}'.format(*size)]
            assert found['mean'] == pytest.approx(np.mean(scores), abs=0.01)
            assert found['deviation'] == pytest.approx(
                np.std(scores), abs=0.01)
            assert f'{found["mean"]:.2f} ± {found["deviation"]:.2f}' in text
    # the last two have context in place of padding
    assert generators == [
        'SinGANMSGeneratorPE', 'SinGANMSGeneratorPE',
        'SinGANContextGenerator', 'SinGANContextGenerator'
    ]
    assert paddings[:2] == ['BorderPadding', 'InterpolationPadding']
    assert encodings == [
        'NoneType', 'NoneType', 'CartesianGrid',
        'SinusoidalPositionalEmbedding'
    ]
    with Image.open(out / 'sheet.png') as image:
        # a photograph, and for each head a heading and a row
        assert image.height > 5 * 32 and image.width > 3 * 40 + 2 * 80

    before = (out / 'figures.json').read_bytes()
    monkeypatch.setattr(running, '_COMMAND', None)
    run_tool(*command)  # trains nothing
    assert (out / 'figures.json').read_bytes() == before


def test_failed_training(run_tool, photograph, tmp_path, monkeypatch):
    monkeypatch.setattr(running, '_COMMAND',
                        ('-c', 'raise OSError("no luck")'))
    with pytest.raises(SystemExit, match='OSError: no luck .*training.log'):
        run_tool(TOOL, photograph, '--out-dir', tmp_path / 'out', *SMALL)
    assert not (tmp_path / 'out/figures.json').exists()


def test_needs_sensible_arguments(run_tool, photograph, tmp_path, capsys):
    for name in ('num', 'jobs', 'widen'):
        with pytest.raises(SystemExit) as error:
            run_tool(TOOL, photograph, f'--{name}', '0')
        assert error.value.code == 2
        assert f'--{name}: must be at least' in capsys.readouterr().err
    out = tmp_path / 'out'
    with pytest.raises(SystemExit, match='There is no image file at'):
        run_tool(TOOL, tmp_path / 'none.png', '--out-dir', out)
    assert not out.exists()
