import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image
from torch import nn

from mmpe.analysis import Subject, feature_records, records
from mmpe.analysis.claim_figures import draw_claim
from mmpe.analysis.claims import (CLAIMS, HOLDS, NOT, PARTLY, Row,
                                  encoding_relations, spread, table, verdict)
from mmpe.analysis.patches import SPREADS, measure_patches
from mmpe.analysis.study import _kept, trainings_of
from mmpe.analysis.trainings import Trained, config_of
from mmpe.registry import MODELS, build_from


def row(a, b, expects='>'):
    return Row('net', 'figure', 'with', a, 'without', b, expects)


def test_verdicts():
    better, worse = row([2, 3], [0, 1]), row([2, 1], [0, 1.5])
    assert better.holds and not worse.holds
    assert row([0, 1], [2, 3], '<').holds
    assert not row([float('nan')], [0]).holds
    assert verdict([better]) == HOLDS
    assert verdict([better, worse]) == PARTLY
    assert verdict([worse]) == NOT


def test_mean_and_spread():
    assert spread([1, 2], 1) == '1.5 ± 0.5'
    assert spread([1.25], 2) == '1.25'


def test_table_says_seeds_and_verdicts():
    text = table(dict(d=[row([2, 3], [0, 1]), row([2], [3])]))
    first, second, third = text.splitlines()[2:]
    assert CLAIMS['d'].text in first and '**holds partly**' in first
    assert 'with: 2.50 ± 0.50' in second and '| 2 ' in second
    assert NOT in third and '| - ' in third


def test_codes_by_their_definition():
    relations = encoding_relations(10, (1., 2.), (1, 3))
    for factor, side in (('1.0', 10), ('2.0', 20)):
        step = 2 / (side - 1) / 2**0.5  # one of the two channels changes
        for index, offset in ((0, 1), (1, 3)):
            csg = relations['CSG'][factor][index]
            assert csg['distance'] == pytest.approx(offset * step, rel=1e-4)
            assert csg['variation'] < 1e-4
    assert relations['SPE']['1.0'][0]['distance'] == pytest.approx(
        relations['SPE']['2.0'][0]['distance'], rel=1e-4)
    assert relations['SPE']['2.0'][1]['variation'] < 1e-3


def test_every_config_is_used():
    names = trainings_of(CLAIMS)
    folder = Path(config_of('any')).parent
    assert {path.stem for path in folder.glob('*.py')} == set(names)
    for name in names:
        cfg = Config.fromfile(config_of(name))
        assert 'train_cfg' in cfg and cfg.default_scope == 'mmpe'


class Told(nn.Module):
    """A network that returns noise and, in further channels, its place."""

    def __init__(self, told):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1, bias=False)
        nn.init.dirac_(self.conv.weight)
        self.told = told

    def forward(self, noise):
        side = noise.shape[-1]
        ramp = torch.arange(side) / side
        if self.told:
            noise = noise.clone()
            noise[:, 0] = ramp
            noise[:, 1] = ramp[:, None]
        return self.conv(noise)


@pytest.mark.parametrize('told', [True, False])
def test_places_in_features(told):
    subject = Subject(
        Told(told), lambda num, generator:
        ((torch.randn(num, 8, 12, 12, generator=generator), ), {}), margin=0)
    record = feature_records.measure_features(subject, num=32)
    json.dumps(record, allow_nan=False)
    found = record['deepest']
    for zone in ('near', 'middle'):
        assert found[zone]['r2'] == pytest.approx(float(told), abs=0.02)
    expected = 0.02 if told else 1
    assert found['ring_errors'] == pytest.approx(
        [expected] * len(found['rings']), abs=0.06)
    assert abs(found['shuffled']['r2']) < 0.02
    share = found['share']
    assert abs(share - 0.25 * told) < max(4 * found['share_error'], 0.01)
    assert 'ppp_snr_db' not in found


def test_steps_leave_phases_out():
    torch.manual_seed(0)
    phases = torch.randn(1, 8, 4, 4).repeat(16, 1, 3, 3)
    still = torch.rand(16, 1, 1, 1) + phases  # the same in each cell
    assert max(feature_records._relation(still, 4)) < 1e-6
    assert min(feature_records._relation(still, 1)) > 0.1
    ramp = phases + 5 * torch.arange(12.) / 12
    steps = feature_records._relation(ramp, 4)
    assert min(steps) > 0.1 and max(steps) < 3 * min(steps)


def test_padding_shows_in_a_record():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
    subject = Subject(
        model.eval(), lambda num, generator:
        ((torch.randn(num, 3, 12, 12, generator=generator), ), {}), margin=2)
    found = feature_records.measure_features(subject, num=16)['deepest']
    assert found['padding_db_profile'][0] > -30
    assert found['padding_db_profile'][1:] == ['-inf'] * 5


def fake_training(name, folder):
    """A checkpoint of random weights."""
    torch.manual_seed(0)
    cfg = Config.fromfile(config_of(name))
    cfg.model.generator.pop('_delete_', None)
    model = build_from(MODELS, cfg.model)
    path = folder / f'{name}.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return Trained(name, 0, config_of(name), str(path))


@pytest.mark.slow
def test_record_of_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(records, '_FAKES', 8)
    random = np.random.default_rng(0)
    for index in range(9):
        pixels = random.integers(0, 256, (40, 33, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'{index}.png')
    name = 'mspie_spe_32-48'
    folder = records.Folder(str(tmp_path), config_of(name))
    assert folder.images(48).shape == (9, 3, 48, 48)
    assert folder.images(48).abs().max() <= 1
    trained = fake_training(name, tmp_path)
    record, pictures = records.measure(trained, folder)
    json.dumps(record, allow_nan=False)
    assert list(record['sizes']) == ['1.0', '1.5', '2.0']
    assert [x['size'] for x in record['sizes'].values()] == [32, 48, 64]
    assert pictures['1.5'].shape == (8, 48, 48, 3)
    assert record['swd'] == record['sizes']['1.0']['swd'] > 0
    # a set beside itself
    same = records._fidelity(folder.images(32), folder, 32)
    assert same['swd'] < record['swd'] / 3
    assert same['kid'] < record['kid']


def test_patches(tmp_path, monkeypatch):
    monkeypatch.setattr('mmpe.analysis.patches._MAX_SIZE', 48)
    monkeypatch.setattr('mmpe.analysis.patches._SAMPLES', 2)
    monkeypatch.setattr('mmpe.analysis.patches.SPREADS', (0.03, ))
    ramp = np.linspace(0, 255, 48).astype(np.uint8)
    pixels = np.stack([np.tile(ramp, (48, 1)), np.tile(ramp[:, None], 48),
                       np.full((48, 48), 90, np.uint8)], axis=2)
    Image.fromarray(pixels).save(tmp_path / 'ramp.png')
    figures, pictures = measure_patches(tmp_path / 'ramp.png', 0)
    assert list(figures) == ['none', 'CSG 0.03', 'SPE 0.03']
    assert pictures['none'].shape == (2, 48, 48, 3)
    assert figures['CSG 0.03']['layout'] > 0.9


def random_record(generator):
    """Figures as a training's record has them."""
    profile = list(generator.uniform(.1, 1, 8))
    layer = dict(
        share=.5,
        share_profile=profile,
        relation_profile=profile,
        padding_db_profile=[*profile[:4], *['-inf'] * 4],
        rings=[0, 2, 4],
        ring_errors=[.3, .6, None],
        **{zone: dict(error=generator.uniform()) for zone in
           ('near', 'middle')})
    size = dict(stretched=.7, kept=.2, swd=30.)
    return dict(
        layout_data=generator.uniform(), swd=30., kid=100., sifid=50.,
        data_layout=.6, unpadded=dict(layout_data=.1), deepest=layer,
        output=layer, sizes=dict.fromkeys(('1.0', '1.5', '2.0'), size))


@pytest.mark.slow
@pytest.mark.parametrize('letter', CLAIMS)
def test_rows_and_figures(letter, tmp_path):
    generator = np.random.default_rng(0)
    names = dict.fromkeys(CLAIMS[letter].trainings)
    found = {name: [random_record(generator) for _ in range(2)]
             for name in names}
    picture = np.zeros((6, 16, 20, 3), np.uint8)
    keys = '1.0', '1.5', '2.0', 'unpadded', 'photograph'
    samples = {
        name: [dict.fromkeys(keys, picture)] * 2
        for name in names
    }
    runs = ['none'] + [f'{code} {spread}' for code in ('CSG', 'SPE')
                       for spread in SPREADS]
    found['patches'] = [{
        name: dict(layout=.5, swd=40, coverage=.8) for name in runs
    }] * 2
    rows = CLAIMS[letter].rows(found)
    assert rows and all(len(x.a) == len(x.b) or x.second == 'bound' or
                        letter == 'g' for x in rows)
    if letter == 'b':  # four of eight distances, for each of the networks
        reach = [x.a for x in rows if 'reaches' in x.measure]
        assert reach == [[.5, .5]] * 3
    path = tmp_path / 'figure.png'
    draw_claim(letter, rows, found, samples, path)
    with Image.open(path) as image:
        assert image.width == 880


def test_records_are_kept(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return dict(x=len(calls)), dict(pixels=np.ones((1, 2, 2, 3)))

    for settings, expected in (([1], 1), ([1], 1), ([2], 2)):
        record, pictures = _kept(tmp_path / 'a', settings, compute)
        assert record == dict(x=expected)
        assert pictures['pixels'].shape == (1, 2, 2, 3)
