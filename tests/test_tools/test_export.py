"""tools/export.py: files that draw what the model draws."""
import os.path as osp
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmpe.inference import load
from mmpe.registry import MODELS, build_from
from .conftest import ROOT

TOOL = 'tools/export.py'
ROWS = osp.join(ROOT, 'configs/positional_encoding_in_gans')
SIZES = [(25, 33), (30, 40)]


def save(folder, row, change):
    """Config and checkpoint of a row with few channels."""
    rows = osp.join(ROOT, 'configs/singan_fast') if 'fast' in row else ROWS
    cfg = Config.fromfile(osp.join(rows, f'{row}.py'))
    change(cfg.model)
    cfg.dump(folder / 'config.py')
    torch.manual_seed(0)
    model = build_from(MODELS, cfg.model)
    if 'SinGAN' in cfg.model.type:
        model.reals = [torch.zeros(1, 3, *size) for size in SIZES]
        model.construct_fixed_noises()
        model.noise_weights, model.curr_stage = [1., 0.3], 1
    torch.save(dict(state_dict=model.state_dict()), folder / 'model.pth')
    return folder / 'config.py', folder / 'model.pth'


@pytest.fixture
def mspie(tmp_path):

    def run(letter='f'):

        def change(model):
            model.generator.update(
                width=1 / 64, out_size=16, style_channels=16, num_mlps=2)
            model.discriminator.update(width=1 / 64, in_size=16)
            model.train_settings.num_upblocks = 2

        return save(
            tmp_path, f'mspie-stylegan2-config-{letter}_c2_8xb3-1100kiters_'
            'ffhq-256-512', change)

    return run


@pytest.fixture
def stylegan2(tmp_path):

    def change(model):
        model.generator.update(
            width=1 / 64, out_size=16, style_channels=16, num_mlps=2)
        model.discriminator.update(width=1 / 64, in_size=16)

    return save(tmp_path, 'stylegan2_c2_8xb3-1100kiters_ffhq-256x256', change)


@pytest.fixture
def singan(tmp_path):

    def run(row):

        def change(model):
            model.num_scales = 1
            for part in (model.generator, model.discriminator):
                part.update(base_channels=4, min_feat_channels=4)

        return save(tmp_path, row, change)

    return run


def run_onnx(path, *noises):
    import onnxruntime
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])
    names = [x.name for x in session.get_inputs()]
    assert names == [f'noise_{i}' for i in range(len(noises))]
    return session.run(['images'], {
        name: noise.numpy()
        for name, noise in zip(names, noises)
    })[0]


def run_pt2(path, *noises):
    return torch.export.load(str(path)).module()(*noises).numpy()


def check(path, expected, *noises):
    run = run_onnx if path.suffix == '.onnx' else run_pt2
    for num in (1, 2, 5):
        images = run(path, *(noise[:num] for noise in noises))
        np.testing.assert_allclose(images, expected[:num], atol=1e-4)


@pytest.mark.parametrize('letter, suffix, scale', [
    ('f', 'onnx', (4, 2)),
    ('f', 'pt2', (4, 2)),
    ('k', 'onnx', (4, 4)),
])
def test_mspie(run_tool, mspie, tmp_path, capsys, letter, suffix, scale):
    config, checkpoint = mspie(letter)
    path = tmp_path / f'out.{suffix}'
    size = [4 * (4 + extra) for extra in scale]
    args = [] if scale == (4, 4) else ['--size', *size]
    run_tool(TOOL, config, checkpoint, path, *args)
    lines = capsys.readouterr().out.splitlines()
    assert float(lines[-2].rsplit(' ')[-1]) < 1e-4
    assert str(path) in lines[-1]
    noise = torch.randn(5, 16)
    with torch.no_grad():
        expected = load(config, checkpoint).generator(
            noise, chosen_scale=scale, randomize_noise=False).numpy()
    assert expected.shape[2:] == tuple(size)
    check(path, expected, noise)


def test_pictures(run_tool, mspie, tmp_path):
    """What the values stand for: BGR, from -1 to 1."""
    config, checkpoint = mspie()
    path = tmp_path / 'out.pt2'
    run_tool(TOOL, config, checkpoint, path, '--size', 16, 16)
    noise = torch.randn(1, 16, generator=torch.Generator().manual_seed(3))
    picture, = load(config, checkpoint).sample(size=(16, 16), seed=3)
    image = run_pt2(path, noise)[0, ::-1].transpose(1, 2, 0)
    image = ((image + 1) * 127.5).clip(0, 255)
    assert picture.std() > 10
    assert np.abs(image - picture).max() <= 1


def test_stylegan2(run_tool, stylegan2, tmp_path):
    path = tmp_path / 'out.onnx'
    run_tool(TOOL, *stylegan2, path)
    noise = torch.randn(5, 16)
    with torch.no_grad():
        expected = load(*stylegan2).generator(
            noise, randomize_noise=False).numpy()
    check(path, expected, noise)


@pytest.mark.parametrize('row, suffix', [
    ('singan-csg_fish', 'pt2'),
    ('singan_interp-pad_balloons', 'onnx'),
    ('singan_spe-dim4_fish', 'onnx'),
    ('singan_interp-pad_fast', 'pt2'),
])
def test_singan(run_tool, singan, tmp_path, row, suffix):
    config, checkpoint = singan(row)
    path = tmp_path / f'out.{suffix}'
    run_tool(TOOL, config, checkpoint, path, '--size', 40, 40)
    model = load(config, checkpoint).model
    noises = [
        torch.randn(5, *shape[1:]) for shape in model.noise_shapes((40, 40))
    ]
    expected = model.sample(noises=noises).numpy()
    assert expected.shape == (5, 3, 40, 40)
    check(path, expected, *noises)


def test_context_is_not_exported(run_tool, singan, tmp_path):
    path = tmp_path / 'out.pt2'
    with pytest.raises(SystemExit, match='ContextSinGAN cannot be exported'):
        run_tool(TOOL, *singan('singan_csg_fast'), path)
    assert not path.exists()


def test_what_differs_is_not_kept(run_tool, mspie, tmp_path):
    # ONNX Runtime rounds otherwise.
    path = tmp_path / 'out.onnx'
    with pytest.raises(SystemExit, match='differed from the model by'):
        run_tool(TOOL, *mspie(), path, '--tolerance', '0')
    assert not list(tmp_path.glob('*out*'))


def test_errors(run_tool, mspie, tmp_path, monkeypatch):
    config, checkpoint = mspie()
    for args, message in (((config, checkpoint, 'out.pth'),
                           'must end with .onnx or .pt2'),
                          (('nothing', checkpoint, 'out.pt2'),
                           "no config file 'nothing'"),
                          ((config, 'nothing.pth', 'out.pt2'), 'nothing.pth'),
                          ((config, checkpoint, tmp_path / 'out.pt2', '--size',
                            17, 32), 'size')):
        with pytest.raises(SystemExit, match=message):
            run_tool(TOOL, *args)
    monkeypatch.setitem(sys.modules, 'onnxscript', None)
    with pytest.raises(SystemExit, match="pip install 'mmpe.export.'"):
        run_tool(TOOL, config, checkpoint, tmp_path / 'out.onnx')
    assert not list(tmp_path.glob('*out*'))
