"""Evaluation at a model's scales, and consistency between them."""
import re

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from PIL import Image
from torch.nn import functional as F

from mmagic.evaluation.evaluator import Evaluator
from mmpe.evaluation import (CrossScaleConsistency, MultiScaleEvaluator,
                             PrecisionAndRecall, SlicedWassersteinDistance,
                             evaluation_scales, evaluation_sizes,
                             results_table)
from mmpe.functional.distances import ssim
from mmpe.evaluation.filters import filter_note
from .tiny import TinyGAN, make_loader, run_evaluator, save_images


def test_scales_of_a_model():
    model = TinyGAN([2, 0, 4])
    found = evaluation_scales(model, 'all')
    assert [scale.size for scale in found] == [(16, 16), (24, 24), (32, 32)]
    assert [scale.sample_kwargs['chosen_scale'] for scale in found] == [
        0, 2, 4
    ]
    largest, = evaluation_scales(model, 'largest')
    assert largest == (dict(chosen_scale=4), (32, 32), False)
    wide, = evaluation_scales(model, (1, 3))
    assert (wide.size, wide.label) == ((20, 28), '20x28')
    assert [x.size for x in evaluation_scales(model, [3, 1])] == [(20, 20),
                                                                  (28, 28)]


def test_a_model_of_one_scale():
    for scales in ('all', 'largest'):
        only, = evaluation_scales(TinyGAN(), scales)
        assert only == ({}, (16, 16), False)
    with pytest.raises(ValueError, match='which has one scale, but got 2'):
        evaluation_scales(TinyGAN(), 2)


def _mspie(scales=(0, 2, 4), **settings):
    from mmpe.models.mspie import MSPIEStyleGAN2
    head = dict(type='CSG')
    return MSPIEStyleGAN2(
        dict(
            type='MSStyleGANv2Generator',
            out_size=32,
            style_channels=8,
            width=1 / 32,
            head_pos_encoding=head,
            deconv2conv=True,
            up_after_conv=True),
        data_preprocessor=dict(type='DataPreprocessor'),
        train_settings=dict(multi_input_scales=list(scales), **settings))


def test_mspie_models_have_the_interface():
    model = _mspie()
    found = evaluation_scales(model)
    assert [scale.size for scale in found] == [(32, 32), (48, 48), (64, 64)]
    found = evaluation_sizes(model, [(40, 40), (48, 96)])
    assert [(x.sample_kwargs, x.label, x.resized) for x in found] == [
        (dict(chosen_scale=(1, 1)), '40x40', False),
        (dict(chosen_scale=(2, 8)), '48x96', False)
    ]
    with pytest.raises(ValueError, match=r'nearest is \(40, 48\)'):
        evaluation_sizes(model, [(41, 48)])


def test_sizes_of_a_model_of_one_scale(folder, loader, monkeypatch):
    model = TinyGAN()
    found = evaluation_sizes(model, [(16, 16), (20, 24)])
    assert [(x.size, x.resized) for x in found] == [((16, 16), False),
                                                    ((20, 24), True)]
    metric = _swd(4)
    seen = []
    rows_of = metric.rows_of
    monkeypatch.setattr(
        SlicedWassersteinDistance, 'rows_of', lambda self, images:
        seen.append(tuple(images.shape[-2:])) or rows_of.__func__(
            self, images))
    evaluator = MultiScaleEvaluator([metric], 'all', [(20, 24), (16, 16)])
    results = run_evaluator(evaluator, model, loader)
    assert set(seen) == {(16, 16), (20, 24)}
    assert list(results) == ['16x16/SWD/16', '16x16/SWD/avg', '20x24/SWD/20',
                             '20x24/SWD/avg']


def _note(tmp_path, **settings):
    rng = np.random.default_rng(0)
    rows = np.linspace(0, 1, 64)[:, None, None]
    for index in range(12):  # waves, and grains that a filter takes away
        waves = 128 + 100 * np.sin(9 * rows + rng.random((1, 64, 3)))
        image = waves + rng.normal(0, 30, (64, 64, 3))
        Image.fromarray(np.uint8(image.clip(0, 255))).save(
            tmp_path / f'{index}.png')
    loader = make_loader(tmp_path)
    model = _mspie(**settings)
    return filter_note(model, loader, evaluation_scales(model))


def test_note_about_the_filter(tmp_path):
    note = _note(tmp_path)
    values = re.findall(r'(\d+)x\d+ ([\d.]+) \(([\d.]+)\)', note)
    assert [size for size, *_ in values] == ['32', '48']  # not 64
    distance, noise = map(float, values[0][1:])
    assert distance > 1.2 * noise > 0


def test_no_note_where_filters_agree(tmp_path, loader):
    assert _note(tmp_path, antialias=True) is None
    model = TinyGAN([0, 2])
    assert filter_note(model, loader, evaluation_scales(model)) is None


def test_evaluation_prints_the_note(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmpe.evaluation.evaluator.print_log',
                        lambda text, *_: said.append(text))
    loader = make_loader(save_images(tmp_path / 'reals', 6, (64, 64)))
    evaluator = MultiScaleEvaluator([_swd(4)], 'all')
    evaluator.prepare_metrics(_mspie(), loader)
    assert [text.count('another filter') for text in said] == [1]


@pytest.mark.parametrize('scales, message', [
    ('best', "must be 'all', 'largest', a scale or a list"),
    ([], 'at least one scale, but is empty'),
])
def test_scales_refuse(scales, message):
    with pytest.raises(ValueError, match=message):
        evaluation_scales(TinyGAN([0, 2]), scales)


def _swd(num=6):
    return SlicedWassersteinDistance(num, patches_per_image=8)


def test_largest_scale_keeps_the_names(loader):
    model = TinyGAN([0, 2, 1])
    evaluator = MultiScaleEvaluator([_swd()], scales='largest')
    results = run_evaluator(evaluator, model, loader)
    assert list(results) == ['SWD/24', 'SWD/avg']
    assert model.drawn == [2] * 6
    run_evaluator(evaluator, model, loader)  # the next validation
    assert model.drawn == [2] * 12


def test_all_scales_and_their_table(loader, script, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmpe.evaluation.evaluator.print_log',
                        lambda text, *_: said.append(text))
    model = TinyGAN([2, 0])
    metrics = [
        _swd(),
        PrecisionAndRecall(
            5,
            vgg16_script=script,
            prefix='PR',
            cache_dir=str(tmp_path),
            sample_kwargs=dict(shift=0.1)),
        CrossScaleConsistency(3)
    ]
    evaluator = MultiScaleEvaluator(metrics, scales='all')
    results = run_evaluator(evaluator, model, loader)
    assert set(results) == {
        '16x16/SWD/16', '16x16/SWD/avg', '16x16/PR/precision',
        '16x16/PR/recall', '24x24/SWD/24', '24x24/SWD/avg',
        '24x24/PR/precision', '24x24/PR/recall', 'SelfSSIM/16x16-24x24',
        'SelfSSIM/mean'
    }
    # Two metrics with different arguments at each of two scales, and three
    # latents at both.
    assert sorted(model.drawn) == [0] * 14 + [2] * 14
    assert len(list(tmp_path.glob('VGG16*.npz'))) == 2
    table = said[-1].splitlines()
    assert 'SWD/avg' in table[1]
    assert table[3].startswith('| 16x16 |')
    assert table[4].startswith('| 24x24 |')
    assert f'{results["24x24/PR/recall"]:.4g}' in table[4]


def test_real_images_have_the_size_of_the_fakes(loader, monkeypatch):
    seen = []
    monkeypatch.setattr(
        'mmpe.evaluation.references.resize_images', lambda x, size: seen.
        append(size) or F.interpolate(x, size=size))
    evaluator = MultiScaleEvaluator([_swd(4)], scales=[0, (1, 2)])
    results = run_evaluator(evaluator, TinyGAN([0]), loader)
    assert set(seen) == {(16, 16), (20, 24)}
    assert '20x24/SWD/avg' in results


def test_no_scales_is_mmagic(loader):
    model = TinyGAN([0, 2])
    metric = SlicedWassersteinDistance(4, (3, 16, 16))
    results = run_evaluator(MultiScaleEvaluator([metric]), model, loader)
    assert list(results) == ['SWD/16', 'SWD/avg']
    assert model.drawn == [0] * 4
    empty = MultiScaleEvaluator(None, scales='all')
    empty.prepare_metrics(model, loader)
    assert empty.evaluate() == {'No Metric': 'Nan'}


def test_table_has_gaps_where_figures_are_missing():
    table = results_table({'8x8': dict(a=1., b=0.123456), '16x16': dict(b=2)})
    assert table.splitlines() == [
        '| size  | a | b      |',
        '| ----- | - | ------ |',
        '| 8x8   | 1 | 0.1235 |',
        '| 16x16 |   | 2      |',
    ]


# -- consistency --


def test_consistency_compares_one_latent(loader):
    torch.manual_seed(0)
    model = TinyGAN([0, 1, 3])
    metric = CrossScaleConsistency(6, sample_model='orig')
    torch.manual_seed(1)
    results = run_evaluator(Evaluator([metric]), model, loader)
    assert model.drawn == [0] * 4 + [1] * 4 + [3] * 4 + [0] * 2 + [
        1
    ] * 2 + [3] * 2
    torch.manual_seed(1)
    noise = torch.cat([torch.randn(4, 12), torch.randn(2, 12)])
    images = [(model.generator(noise, scale) * 127.5 + 127.5).detach()
              for scale in (0, 1, 3)]

    def expected(small, large):
        size = images[small].shape[-2:]
        shrunk = F.interpolate(
            images[large], size=size, mode='bilinear', antialias=True)
        return ssim(images[small], shrunk).mean().item()

    values = [expected(0, 1), expected(0, 2), expected(1, 2)]
    assert results == {
        'SelfSSIM/16x16-20x20': pytest.approx(values[0], rel=1e-4),
        'SelfSSIM/16x16-28x28': pytest.approx(values[1], rel=1e-4),
        'SelfSSIM/20x20-28x28': pytest.approx(values[2], rel=1e-4),
        'SelfSSIM/mean': pytest.approx(np.mean(values), rel=1e-4)
    }
    assert results['SelfSSIM/mean'] > 0.9


def test_inconsistent_models_score_low(loader, monkeypatch):
    model = TinyGAN([0, 2])
    forward = model.generator.forward

    def turned(noise, chosen_scale=0, **kwargs):
        images = forward(noise, chosen_scale, **kwargs)
        return images.flip(2, 3) if chosen_scale else images

    monkeypatch.setattr(model.generator, 'forward', turned)
    results = run_evaluator(
        Evaluator([CrossScaleConsistency(8, sample_model='orig')]), model,
        loader)
    assert results['SelfSSIM/mean'] < 0.5


def test_consistency_needs_two_scales(loader):
    with pytest.raises(ValueError, match='TinyGAN is evaluated at 16x16 on'):
        CrossScaleConsistency(4).prepare(TinyGAN(), loader)


class _Keep(Hook):
    """Keeps the figures of a test."""

    def __init__(self, results):
        self.results = results

    def after_test_epoch(self, runner, metrics=None):
        self.results.update(metrics)


def test_runner_evaluates_all_scales(folder, script, tmp_path):
    """The whole way: a config, mmengine's Runner and MMagic's test loop."""
    pipeline = [
        dict(type='LoadImageFromFile', key='gt'),
        dict(type='PackInputs')
    ]
    runner = Runner(
        model=dict(type='mmagic.TinyGAN', scales=[0, 2]),
        work_dir=str(tmp_path / 'work'),
        test_dataloader=dict(
            batch_size=4,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(
                type='BasicImageDataset',
                data_root=str(folder),
                data_prefix=dict(gt=''),
                pipeline=pipeline)),
        test_cfg=dict(type='MultiTestLoop'),
        test_evaluator=dict(
            scales='all',
            metrics=[
                dict(
                    type='FrechetInceptionDistance',
                    fake_nums=6,
                    inception_path=script,
                    prefix='FID-6',
                    cache_dir=str(tmp_path / 'cache')),
                dict(type='CrossScaleConsistency', fake_nums=3)
            ]),
        default_scope='mmpe',
        experiment_name='scales')
    results = {}
    runner.register_hook(_Keep(results))
    runner.test()
    assert set(results) == {
        '16x16/FID-6/fid', '16x16/FID-6/mean', '16x16/FID-6/cov',
        '24x24/FID-6/fid', '24x24/FID-6/mean', '24x24/FID-6/cov',
        'SelfSSIM/16x16-24x24', 'SelfSSIM/mean'
    }
