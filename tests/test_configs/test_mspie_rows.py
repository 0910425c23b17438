"""The thirteen rows of StyleGAN2 and MS-PIE against the tables and MMagic."""
import os.path as osp

import mmagic
import pytest
import torch
from mmengine.config import Config

from mmpe.registry import MODELS, build_from

ROOT = osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__))))
FOLDER = 'configs/positional_encoding_in_gans'
THEIRS = osp.join(osp.dirname(mmagic.__file__), '.mim', FOLDER)
# Output size of each scale, as in the tables.
ROWS = {
    'stylegan2_c2_8xb3-1100kiters_ffhq-256x256': [256],
    'stylegan2_c2_8xb3-1100kiters_ffhq-512x512': [512],
    'mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-896':
    [256, 512, 896],
    'mspie-stylegan2-config-f_c1_8xb2-1600kiters_ffhq-256-1024':
    [256, 512, 1024],
    'mspie-stylegan2-config-g_c1_8xb3-1100kiters_ffhq-256-512':
    [256, 384, 512],
    **{
        f'mspie-stylegan2-config-{row}_c2_8xb3-1100kiters_ffhq-256-512':
        [256, 384, 512]
        for row in 'cdefhijk'
    }
}


def ours(name):
    return Config.fromfile(osp.join(ROOT, FOLDER, f'{name}.py'))


def build(model):
    """At full width, but without memory for the weights."""
    with torch.device('meta'):
        return build_from(MODELS, model)


@pytest.mark.parametrize('name', ROWS)
def test_row_builds_at_full_width(name):
    cfg = ours(name)
    model = build(cfg.model)
    assert model.generator.channels[32] == 512
    multiplier = 1 if '_c1_' in name else 2
    assert model.generator.channels[256] == 64 * multiplier
    # The 1024 row halves the generator alone.
    first = next(model.discriminator.parameters())
    expected = 2**14 // model.discriminator.in_size * (
        1 if 'config-g' in name else 2)
    assert first.shape[0] == expected
    if 'mspie' in name:
        sizes = [model.size_of(x) for x in model.multi_input_scales]
    else:
        sizes = [(model.generator.out_size, ) * 2]
    assert sizes == [(size, size) for size in ROWS[name]]


@pytest.mark.parametrize('name', ROWS)
def test_row_says_what_its_name_says(name):
    cfg = ours(name)
    batch_size, iters = name.split('_8xb')[1].split('_')[0].split('-')
    assert cfg.train_dataloader.batch_size == int(batch_size)
    assert f'{cfg.train_cfg.max_iters // 1000}kiters' == iters
    folder = {256: 'ffhq_256', 512: 'ffhq_512'}.get(ROWS[name][-1], 'images')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert cfg[loader].dataset.data_root == f'data/ffhq/{folder}'
    assert cfg.train_dataloader.dataset.mirror
    assert not cfg.test_dataloader.dataset.get('mirror')


@pytest.mark.parametrize('name', ROWS)
def test_row_is_evaluated_at_its_largest_scale(name):
    cfg = ours(name)
    assert cfg.val_evaluator == cfg.test_evaluator
    assert cfg.test_evaluator.scales == 'largest'
    fid, pr = cfg.test_evaluator.metrics
    assert (fid.fake_nums, pr.fake_nums, pr.k) == (50000, 10000, 3)
    assert fid.sample_model == pr.sample_model == 'ema'
    style = 'pytorch' if 'mspie' in name else 'StyleGAN'
    assert fid.inception_style == style
    assert cfg.default_hooks.checkpoint.save_best == f'{fid.prefix}/fid'


def filled(part):
    """A network's settings, and what they are where they are not given."""
    defaults = dict(
        channel_multiplier=2,
        head_pos_encoding=None,
        head_pos_size=(4, 4),
        interp_head=False,
        interp_pad=None,
        no_pad=False,
        with_adaptive_pool=False)
    settings = {**defaults, **part.to_dict()}
    if not settings['head_pos_encoding']:
        # A constant is always resized.
        settings.update(interp_head=True)
    return settings


@pytest.mark.skipif(not osp.isdir(THEIRS), reason='MMagic without configs')
@pytest.mark.parametrize('name', ROWS)
def test_row_is_mmagics(name):
    """Where ROWS differ on purpose, the difference is written down here."""
    mine, theirs = ours(name), Config.fromfile(osp.join(THEIRS, f'{name}.py'))
    for network in ('generator', 'discriminator'):
        assert filled(mine.model[network]) == filled(theirs.model[network])
    assert mine.model.type == theirs.model.type
    assert mine.model.loss_config == theirs.model.loss_config
    assert mine.model.ema_config == theirs.model.ema_config
    for network in ('generator', 'discriminator'):
        optimizers = [
            cfg.optim_wrapper[network].optimizer for cfg in (mine, theirs)
        ]
        assert optimizers[0].lr == pytest.approx(optimizers[1].lr)
        assert optimizers[0].betas == pytest.approx(optimizers[1].betas)
        # What torch accepts.
        assert all(isinstance(x, float) for x in optimizers[0].betas)
    if 'mspie' in name:
        settings = dict(mine.model.train_settings)
        # As it was drawn, not as it was written.
        assert settings.pop('multi_scale_probability') == [1 / 3] * 3
        expected = dict(theirs.model.train_settings)
        assert expected.pop('multi_scale_probability') == [.5, .25, .25]
        assert settings == expected
    # Theirs stops early, against its name.
    theirs_iters = theirs.train_cfg.max_iters
    if '1600k' in name:
        assert theirs_iters == 1500002
    else:
        assert mine.train_cfg.max_iters == theirs_iters
    assert (mine.train_dataloader.batch_size ==
            theirs.train_dataloader.batch_size)


def test_rows_are_short():
    for name in ROWS:
        with open(osp.join(ROOT, FOLDER, f'{name}.py')) as file:
            lines = file.read().splitlines()
        assert len(lines) <= 25 and lines[0].startswith('# ')
