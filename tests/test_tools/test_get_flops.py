"""tools/analysis/get_flops.py, against PyTorch's profiler."""
import os.path as osp

import pytest
import torch
from mmengine.config import Config
from torch.profiler import profile

from mmpe.functional.pyramid import pyramid_sizes
from mmpe.models.layers import resample
from mmpe.registry import MODELS, build_from
from .conftest import ROOT

TOOL = 'tools/analysis/get_flops.py'
ROWS = osp.join(ROOT, 'configs/positional_encoding_in_gans')
MSPIE = osp.join(
    ROWS, 'mspie-stylegan2-config-{}_c2_8xb3-1100kiters_ffhq-256-512.py')
SINGAN = osp.join(ROWS, 'singan_interp-pad_balloons.py')
FAST = osp.join(ROOT, 'configs/singan_fast/singan_{}_fast.py')
# A row with few channels.
NARROW = ['model.generator.width=0.03125', 'model.discriminator.width=0.03125']
PHOTO = ['--photo-size', '40', '52']


@pytest.fixture
def costs(run_tool, capsys):
    """Lines of the table by network and scale: size, parameters, GFLOPs."""

    def run(config, *args):
        run_tool(TOOL, config, *args)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].split() == [
            'network', 'scale', 'size', 'parameters', 'GFLOPs'
        ]
        table = {}
        for line in lines[1:]:
            network, scale, size, params, flops = line.split()
            table[network,
                  int(scale)] = (size, int(params.replace(',',
                                                          '')), float(flops))
        return table

    return run


def profiled(run):
    """GFLOPs of convolutions and matrix products.

    The profiler does not count transposed convolutions, by which small
    filters are applied.
    """
    with torch.no_grad(), profile(with_flops=True) as profiler:
        result = run()
    return result, sum(event.flops for event in profiler.key_averages()
                       if event.key in ('aten::conv2d', 'aten::mm',
                                        'aten::addmm', 'aten::bmm')) / 1e9


def num_params(network):
    return sum(x.numel() for x in network.parameters())


@pytest.mark.parametrize('row', ['f', 'k'])
def test_mspie(costs, row, monkeypatch):
    # On a processor small maps are filtered by matrix products.
    monkeypatch.setattr(resample, '_FEW_NUMBERS', 0)
    table = costs(MSPIE.format(row), '--cfg-options', *NARROW)
    cfg = Config.fromfile(MSPIE.format(row))
    cfg.model.generator.width = cfg.model.discriminator.width = 1 / 32
    model = build_from(MODELS, cfg.model).eval()
    assert len(table) == 6
    for scale, size in ((0, 256), (2, 384)):
        image, generator = profiled(lambda: model.generator(
            torch.zeros(1, 512), chosen_scale=scale))
        _, discriminator = profiled(
            lambda: model.discriminator(image))
        assert table['generator',
                     scale] == (f'{size}x{size}', num_params(model.generator),
                                pytest.approx(generator, rel=0.03))
        assert table['discriminator',
                     scale] == (f'{size}x{size}',
                                num_params(model.discriminator),
                                pytest.approx(
                                    discriminator, abs=1e-3, rel=1e-3))


def test_published_figure(costs):
    """StyleGAN2 at 256 pixels: 30.03 million parameters, 45.1 billion MACs."""
    table = costs(
        osp.join(ROWS, 'stylegan2_c2_8xb3-1100kiters_'
                 'ffhq-256x256.py'))
    size, params, flops = table['generator', 0]
    assert size == '256x256' and round(params / 1e6, 2) == 30.03
    assert flops == pytest.approx(2 * 45.1, rel=0.03)


@pytest.mark.parametrize(
    'config', [SINGAN, FAST.format('csg'), FAST.format('spe-dim8')])
def test_singan(costs, config):
    table = costs(config, *PHOTO)
    cfg = Config.fromfile(config)
    dataset = cfg.train_dataloader.dataset
    sizes = pyramid_sizes((40, 52), dataset.min_size, dataset.max_size, 0.75,
                          dataset.get('doubling', False))
    assert len(table) == 2 * len(sizes)
    for scale, size in enumerate(sizes):
        for network in ('generator', 'discriminator'):
            assert table[network, scale][0] == '{}x{}'.format(*size)
    cfg.model.num_scales = len(sizes) - 1
    model = build_from(MODELS, cfg.model).eval()
    model.reals = [torch.zeros(1, 3, *size) for size in sizes]
    model.construct_fixed_noises()
    model.noise_weights, model.curr_stage = [1.] * len(sizes), len(sizes) - 1
    for scale in range(len(sizes)):
        image, generator = profiled(
            lambda: model.sample(curr_scale=scale))
        _, discriminator = profiled(
            lambda: model.discriminator(image, scale))
        assert table['generator',
                     scale][1:] == (num_params(model.generator.blocks[scale]),
                                    pytest.approx(generator, abs=1e-3))
        assert table['discriminator',
                     scale][1:] == (num_params(
                         model.discriminator.blocks[scale]),
                                    pytest.approx(discriminator, abs=1e-3))


def test_singan_with_doubling_pyramid(costs):
    dataset = 'train_dataloader.dataset'
    table = costs(SINGAN, '--photo-size', '60', '81', '--cfg-options',
                  f'{dataset}.doubling=True', f'{dataset}.min_size=14')
    assert {key: row[0] for key, row in table.items()} == {
        (network, scale): size
        for network in ('generator', 'discriminator')
        for scale, size in enumerate(['15x20', '30x40', '60x80'])
    }


def test_errors(run_tool, tmp_path):
    for args, message in ((['nothing.py'], "no config file 'nothing.py'"), ([
            SINGAN, '--cfg-options', 'train_dataloader.dataset.data_root=a.png'
    ], 'There is no image file'), ([SINGAN, '--photo-size', '9',
                                    '9'], 'too small')):
        with pytest.raises(SystemExit, match=message):
            run_tool(TOOL, *args)
