"""Whole runs: every row from the first scale to the last, and resuming."""
import functools
import os
import os.path as osp
from copy import deepcopy

import mmagic
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner, load_checkpoint
from PIL import Image

from mmpe.engine import fit_to_photograph
from mmpe.engine.hooks.singan_time_hooks import (SinGANEstimateHook,
                                                 measure_scales)
from mmpe.models.singan import PESinGAN, SinGAN, WholeImages
from mmpe.registry import MODELS, build_from
from mmpe.utils.images import to_rgb

ROOT = osp.dirname(
    osp.dirname(osp.dirname(osp.dirname(osp.abspath(__file__)))))
ROWS = [
    'singan_interp-pad_balloons', 'singan_interp-pad_disc-nobn_balloons',
    'singan_interp-pad_disc-nobn_fish', 'singan-csg_fish',
    'singan-csg_bohemian', 'singan_spe-dim4_fish', 'singan_spe-dim4_bohemian',
    'singan_spe-dim8_bohemian'
]
# One round is one iteration, sizes double, and noises are learned.
FAST = 'singan_csg_fast'
ITERS_PER_SCALE = 3
ESTIMATE = [dict(type='SinGANEstimateHook'), dict(type='SinGANProgressHook')]


class KilledError(Exception):
    pass


class KillHook(Hook):
    priority = 'LOWEST'

    def __init__(self, at):
        self.at = at

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.at:
            raise KilledError


@MODELS.register_module()
class LazyPenalty(WholeImages):
    """Penalises gradients in every other iteration."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.steps = []

    def disc_losses(self, model):
        self.steps.append((model.curr_stage, model.curr_step))
        for name, loss in super().disc_losses(model):
            if name != 'loss_gp' or model.curr_step % 2 == 0:
                yield name, loss


def row_config(row):
    folder = 'singan_fast' if row == FAST else 'positional_encoding_in_gans'
    return Config.fromfile(osp.join(ROOT, 'configs', folder, f'{row}.py'))


def save_photograph(path, height=40, width=52):
    """A picture with structure and texture."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width]
    image = np.stack([5 * y, 4 * x, 120 + 60 * np.sin(x / 5)], -1)
    image = image + rng.normal(0, 12, image.shape)
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(path)


@pytest.fixture
def photograph(tmp_path):
    path = str(tmp_path / 'photograph.png')
    save_photograph(path)
    return path


@pytest.fixture
def small_config(photograph, tmp_path, request):

    def make(row, work_dir='run', **options):
        cfg = row_config(row)
        cfg.merge_from_dict({
            'work_dir': str(tmp_path / work_dir),
            'experiment_name': f'{request.node.name}-{work_dir}-{id(cfg)}',
            'train_dataloader.dataset.data_root': photograph,
            'train_dataloader.dataset.max_size': 48,
            'model.num_scales': None,
            'model.iters_per_scale': ITERS_PER_SCALE,
            'model.lr_scheduler_args.milestones': [2],
            'model.generator.base_channels': 8,
            'model.generator.min_feat_channels': 8,
            'model.discriminator.base_channels': 8,
            'model.discriminator.min_feat_channels': 8,
            'default_hooks.checkpoint.interval': 7,
            'log_level': 'WARNING',
            **options
        })
        fit_to_photograph(cfg)
        return cfg

    return make


@pytest.fixture
def fast_config(small_config, photograph):
    """Three scales of four iterations: 12 x 16, 24 x 32 and 48 x 64."""
    save_photograph(photograph, 48, 64)

    def make(work_dir='run', **options):
        return small_config(
            FAST, work_dir, **{
                'train_dataloader.dataset.min_size': 12,
                'train_dataloader.dataset.max_size': 64,
                'model.iters_per_scale': 4,
                'model.lr_scheduler_args': dict(milestones=[3], gamma=.1),
                'custom_hooks': [],
                **options
            })

    return make


def train(cfg, kill_at=None, hooks=()):
    runner = Runner.from_cfg(cfg)
    for hook in hooks:
        runner.register_hook(hook)
    if kill_at is None:
        runner.train()
    else:
        runner.register_hook(KillHook(kill_at))
        with pytest.raises(KilledError):
            runner.train()
    return runner


def assert_same_state(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert first.keys() == second.keys()
    for key, value in first.items():
        if key == '_extra_state':
            assert value['curr_stage'] == second[key]['curr_stage']
            assert value['noise_weights'] == second[key]['noise_weights']
            for name in ('fixed_noises', 'reals'):
                assert len(value[name]) == len(second[key][name])
                for a, b in zip(value[name], second[key][name]):
                    assert torch.equal(a, b)
        else:
            assert torch.equal(value, second[key]), key


@pytest.mark.parametrize('row', ROWS)
def test_rows_build(row):
    cfg = row_config(row)
    assert cfg.default_scope == 'mmpe'
    model = build_from(MODELS, cfg.model)
    expected = 8 if 'balloons' in row else 10
    assert model.num_scales == expected
    assert len(model.generator.blocks) == expected + 1
    assert [
        model.generator.blocks[i].base_channels for i in (0, 3, 4, 8)
    ] == [32, 32, 64, 128]
    has_norm = any('bn' in k for k, _ in model.discriminator.named_modules())
    assert has_norm == ('nobn' not in row)


@pytest.mark.slow
@pytest.mark.parametrize('row', ROWS)
def test_rows_train_resume_and_sample(row, small_config):
    cfg = small_config(row)
    train(cfg, kill_at=10)
    cfg = small_config(row, resume=True)
    runner = train(cfg)
    model = runner.model
    assert model.curr_stage == model.num_scales
    assert len(model.noise_weights) == model.num_scales + 1
    last = osp.join(cfg.work_dir, f'iter_{runner.max_iters}.pth')

    sampler = build_from(MODELS, cfg.model)
    load_checkpoint(sampler, last, map_location='cpu')
    sampler.eval()
    images = sampler(dict(num_batches=2, size=(30, 61)))
    assert [x.fake_img.shape for x in images] == [(3, 30, 61)] * 2
    assert not torch.equal(images[0].fake_img, images[1].fake_img)
    recon, = sampler(dict(mode='recon'))
    assert recon.fake_img.shape == model.reals[-1].shape[1:]
    torch.testing.assert_close(
        recon.fake_img,
        model.eval()(dict(mode='recon'))[0].fake_img)


def assert_resume_is_exact(make, kill_at, ema):
    """A training that is killed and resumed is the whole one.

    Args:
        make: Makes a config, given a work dir and options.
        kill_at: The number of iterations before it is killed.
        ema: Whether there is a moving average.
    """
    options = {'default_hooks.checkpoint.interval': kill_at}
    if ema:
        options['model.ema_config'] = dict(
            type='ExponentialMovingAverage', momentum=0.1)
    whole = train(make('whole', **options)).model
    train(make('parts', **options), kill_at=kill_at)
    parts = train(make('parts', resume=True, **options)).model
    assert_same_state(whole, parts)


# 9 iterations a scale: 8 is within one; 9 on the boundary; 14 in the next.
@pytest.mark.slow
@pytest.mark.parametrize('kill_at', [8, 9, 14])
@pytest.mark.parametrize('ema', [False, True])
def test_resume_is_exact(small_config, kill_at, ema):
    make = functools.partial(small_config, 'singan_spe-dim4_bohemian')
    assert_resume_is_exact(make, kill_at, ema)


# Four iterations a scale: 6 and 11 are within one; 8 on the boundary.
@pytest.mark.slow
@pytest.mark.parametrize('kill_at', [6, 8, 11])
@pytest.mark.parametrize('ema', [False, True])
def test_resume_with_learned_noise_is_exact(fast_config, kill_at, ema):
    assert_resume_is_exact(fast_config, kill_at, ema)


class NoiseHook(Hook):
    """Keeps the fixed noises after each iteration."""

    def __init__(self):
        self.noises = []

    def after_train_iter(self, runner, *args, **kwargs):
        self.noises.append([x.clone() for x in runner.model.fixed_noises])


def test_noise_of_the_finer_scales_is_learned(fast_config):
    hook = NoiseHook()
    model = train(fast_config(), hooks=[hook]).model
    assert not any(x.requires_grad for x in model.fixed_noises)
    by_scale = list(zip(*hook.noises))
    assert all(torch.equal(x, by_scale[0][0]) for x in by_scale[0])
    for stage in (1, 2):
        for before, now in zip(range(11), range(1, 12)):
            noise, old = by_scale[stage][now], by_scale[stage][before]
            assert noise.square().mean() == pytest.approx(1, abs=1e-5)
            step = (noise - old).square().mean().sqrt()
            if now // 4 != stage:
                assert step == 0
            else:  # the last round has a tenth of the learning rate
                rate = model.noise_rate * (.1 if now % 4 == 3 else 1)
                assert rate / 2 < step < 1.01 * rate


def test_noise_that_is_not_learned_is_zero(fast_config):
    hook = NoiseHook()
    train(fast_config(**{'model.noise_rate': 0}), hooks=[hook])
    for first, *others in hook.noises:
        assert torch.equal(first, hook.noises[0][0])
        assert first[:, 0].any() and not first[:, 1:].any()
        assert len(others) == 2 and not any(x.any() for x in others)


def test_scales_start_from_the_ones_before(fast_config, monkeypatch):
    start_scale = SinGAN._start_scale
    starts = {'generator': [], 'discriminator': []}

    def start(self, stage):
        before = deepcopy((self.generator.blocks, self.discriminator.blocks))
        start_scale(self, stage)
        for name, old in zip(starts, before):
            new = getattr(self, name).blocks[stage].state_dict()
            starts[name].append([
                all(
                    torch.equal(value, new[key])
                    for key, value in old[other].state_dict().items())
                for other in range(3)
            ])

    monkeypatch.setattr(SinGAN, '_start_scale', start)
    train(fast_config())
    assert starts == {
        # the 1 x 1 convolutions of the first do not fit the second
        'generator': [[True, False, False], [False, True, False],
                      [False, True, False]],
        'discriminator': [[True, False, False], [True, False, False],
                          [False, True, False]]
    }


@pytest.mark.slow
def test_same_seed_same_weights(small_config):
    runs = [
        train(small_config('singan-csg_fish', name)).model
        for name in ('first', 'second')
    ]
    assert_same_state(*runs)
    other = small_config('singan-csg_fish', 'third', **{'randomness.seed': 1})
    with pytest.raises(AssertionError):
        assert_same_state(runs[0], train(other).model)


def test_own_objective(small_config):
    runs = [
        train(small_config('singan-csg_fish', name, **options)).model
        for name, options in (('ours', {}), ('theirs', {
            'model.objective': dict(type='LazyPenalty'),
            'model.reconstruction_weight': 5
        }))
    ]
    objective = runs[1].objective
    assert objective.steps == [(stage, step) for stage in range(3)
                               for step in range(3 * ITERS_PER_SCALE)]
    assert objective.reconstruction_weight == 5
    first, second = (model.state_dict() for model in runs)
    assert first.keys() == second.keys()
    key = 'discriminator.blocks.0.head.conv.weight'
    assert not torch.equal(first[key], second[key])


def test_earlier_scales_are_frozen(small_config):
    row = 'singan_interp-pad_balloons'
    before, after = (
        train(small_config(row, f'until-{end}'), kill_at=end).model
        for end in (9, 14))
    old, new = before.generator.blocks, after.generator.blocks
    assert not new[0].training and new[1].training
    assert not any(p.requires_grad for p in new[0].parameters())
    assert all(p.requires_grad for p in new[1].parameters())
    for key, value in old[0].state_dict().items():
        assert torch.equal(value, new[0].state_dict()[key]), key


def test_pictures_of_each_scale(small_config):
    cfg = small_config('singan-csg_fish')
    model = train(cfg).model
    for stage, (height, width) in enumerate(model.pyramid_sizes):
        path = osp.join(cfg.work_dir, 'scales',
                        f'scale_{stage}_{height}x{width}.png')
        with Image.open(path) as sheet:
            assert sheet.width > 5 * width


@pytest.mark.slow
@pytest.mark.parametrize('ema', [False, True])
@pytest.mark.parametrize('row', ['singan-csg_fish', FAST])
def test_pictures_do_not_change_the_training(small_config, monkeypatch, row,
                                             ema):
    # a preview after each iteration
    monkeypatch.setattr('mmpe.engine.hooks.singan_hooks.monotonic', lambda: 0)
    options = dict()
    if ema:
        options['model.ema_config'] = dict(type='ExponentialMovingAverage')
    runs = [
        train(
            small_config(row, name, custom_hooks=hooks, **options)).model
        for name, hooks in (('with', [
            dict(type='SinGANVisualizationHook'),
            dict(type='SinGANPreviewHook', interval=0)
        ]), ('without', []))
    ]
    assert_same_state(*runs)
    assert ([x.training for x in runs[0].modules()
             ] == [x.training for x in runs[1].modules()])


def test_preview(small_config, monkeypatch):
    monkeypatch.setattr('mmpe.engine.hooks.singan_hooks.monotonic', lambda: 0)
    cfg = small_config(
        'singan_spe-dim4_bohemian',
        custom_hooks=[dict(type='SinGANPreviewHook', interval=0)])
    path = osp.join(cfg.work_dir, 'preview.png')
    sheets = []

    class WatchHook(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner, *args, **kwargs):
            with Image.open(path) as image:
                sheets.append(np.asarray(image))

    runner = Runner.from_cfg(cfg)
    runner.register_hook(WatchHook())
    runner.train()
    assert len(sheets) == 27 and len({x.shape for x in sheets}) == 1
    # five pictures of 37x48, the first of which is the photograph
    height, width, _ = sheets[0].shape
    assert height > 37 and width > 5 * 48
    photographs = [x[24:24 + 37, 8:8 + 48] for x in sheets]
    real = runner.model.data_preprocessor.destruct(runner.model.reals[-1])
    assert np.array_equal(photographs[-1], to_rgb(real[0]))
    assert np.abs(photographs[0].astype(int) - photographs[-1]).mean() < 20
    assert np.array_equal(photographs[0], photographs[8])
    assert not np.array_equal(sheets[0], sheets[8])
    with Image.open(path) as image:
        assert image.size == (width, height)
    assert not [x for x in os.listdir(cfg.work_dir) if x.startswith('.prev')]


@pytest.fixture
def estimate(monkeypatch):
    """Try two rounds of the three, by a clock that only updates move on."""
    hooks = 'mmpe.engine.hooks.singan_time_hooks'
    now = [0.]

    def timed(update):

        def method(self, *args, **kwargs):
            now[0] += 1 + self.curr_stage
            return update(self, *args, **kwargs)

        return method

    monkeypatch.setattr(f'{hooks}._PART', 1)
    monkeypatch.setattr('mmpe.engine.scale_times.perf_counter', lambda: now[0])
    for name in ('train_generator', 'train_discriminator'):
        monkeypatch.setattr(SinGAN, name, timed(getattr(SinGAN, name)))
    said = []
    monkeypatch.setattr(SinGANEstimateHook, 'say', said.append)
    return said


@pytest.mark.slow
def test_estimate_does_not_change_the_training(small_config, estimate):
    row = 'singan_spe-dim4_bohemian'
    ema = {
        'model.ema_config':
        dict(type='ExponentialMovingAverage', momentum=0.1),
        'default_hooks.checkpoint.interval': 13
    }
    plain = train(small_config(row, 'plain', custom_hooks=[], **ema))
    timed = train(small_config(row, 'timed', custom_hooks=ESTIMATE, **ema))
    assert_same_state(plain.model, timed.model)
    # a round is six updates and three iterations
    assert timed.message_hub.get_info('scale_seconds') == [2., 4., 6.]
    assert estimate == ['Training at 37x48 pixels, 3 scales: about 2 minutes '
                        'on this machine']

    train(small_config(row, 'parts', custom_hooks=[], **ema), kill_at=13)
    rest = train(
        small_config(
            row, 'parts', custom_hooks=ESTIMATE, resume=True, **ema))
    assert_same_state(plain.model, rest.model)
    # 5 iterations of the second scale and 9 of the last
    assert estimate[1:] == ['Training at 37x48 pixels, 3 scales: about 74 '
                            'seconds to go on this machine']


def test_estimate_does_not_change_learned_noise(fast_config, estimate):
    plain = train(fast_config('plain'))
    timed = train(fast_config('timed', custom_hooks=ESTIMATE))
    assert_same_state(plain.model, timed.model)
    # a round is two updates and one iteration
    assert timed.message_hub.get_info('scale_seconds') == [2., 4., 6.]
    options = {'default_hooks.checkpoint.interval': 6}
    train(fast_config('parts', **options), kill_at=6)
    rest = train(
        fast_config('parts', custom_hooks=ESTIMATE, resume=True, **options))
    assert_same_state(plain.model, rest.model)


def test_short_trainings_are_not_estimated(small_config, estimate):
    runner = train(
        small_config('singan-csg_fish', custom_hooks=ESTIMATE,
                     **{'model.iters_per_scale': 1}))
    assert runner.message_hub.get_info('scale_seconds') is None
    assert not estimate
    with pytest.raises(ValueError, match='`rounds` must be at least 1 and '
                       'below 1, the rounds per scale, but got 1'):
        measure_scales(runner.model, runner.optim_wrapper, {}, 1)


def test_stated_num_scales_must_fit(small_config):
    with pytest.raises(ValueError, match='gives num_scales=2 .*has 7'):
        small_config('singan-csg_fish', **{'model.num_scales': 7})
    with pytest.raises(ValueError, match='SinGANMSGeneratorPE has 4'):
        small_config('singan-csg_fish', **{'model.generator.num_scales': 4})


def test_num_scales_must_be_known_to_build():
    cfg = row_config('singan-csg_fish')
    cfg.model.num_scales = None
    with pytest.raises(ValueError, match='fit_to_photograph'):
        build_from(MODELS, cfg.model)


def test_config_of_mmagic_in_our_scope(photograph, tmp_path):
    """MMagic's own file trains here once its scope is changed."""
    cfg = Config.fromfile(
        osp.join(
            osp.dirname(mmagic.__file__), '.mim/configs',
            'positional_encoding_in_gans/singan_spe-dim4_fish.py'))
    cfg.merge_from_dict({
        'default_scope': 'mmpe',
        'work_dir': str(tmp_path / 'run'),
        'train_dataloader.dataset.data_root': photograph,
        'train_dataloader.dataset.max_size': 48,
        'train_dataloader.dataset.pipeline': [
            # one image too few for num_scales=2, as in MMagic
            dict(type='PackInputs',
                 keys=['real_scale0', 'real_scale1', 'input_sample'])
        ],
        'train_cfg.max_iters': 18,
        'model.iters_per_scale': 2,
        **{
            f'model.{part}num_scales': 2
            for part in ('', 'generator.', 'discriminator.')
        }
    })
    model = train(cfg).model
    assert isinstance(model, PESinGAN)
    assert model.curr_stage == 2
    pickled, = (tmp_path / 'run' / 'pickle').iterdir()
    model.pkl_data = str(pickled)
    before = model.eval().sample(mode='recon')
    assert torch.equal(before, model.sample(mode='recon'))


def test_resuming_with_another_photograph(small_config, photograph):
    train(small_config('singan-csg_fish'), kill_at=8)
    with Image.open(photograph) as image:
        flipped = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    flipped.save(photograph)
    with pytest.raises(ValueError, match='another photograph'):
        train(small_config('singan-csg_fish', resume=True))


def test_checkpoint_of_another_row(small_config):
    cfg = small_config('singan-csg_fish')
    train(cfg, kill_at=8)
    path = osp.join(cfg.work_dir, 'iter_7.pth')
    other = small_config('singan_spe-dim8_bohemian')
    with pytest.raises(ValueError, match='belongs to another config: '
                       r'generator.blocks.0.head.conv.weight'):
        load_checkpoint(build_from(MODELS, other.model), path)
    other.model.num_scales = 5
    with pytest.raises(ValueError, match='trained with num_scales=2'):
        load_checkpoint(build_from(MODELS, other.model), path)
