import json

import pytest
import torch
import torchvision
from torch import nn

from mmpe.analysis import Subject, analyse, from_factory, untrained


def encoder():
    """A network of torchvision, on noise, in mode of evaluation."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18().eval()
    model = nn.Sequential(*list(model.children())[:5])
    return model, lambda num, generator: torch.randn(
        num, 3, 32, 32, generator=generator)


def lsgan():
    """A generator of MMagic that mmpe knows nothing of."""
    from mmagic.models.editors.lsgan import LSGANGenerator
    torch.manual_seed(0)
    model = LSGANGenerator(output_scale=32, base_channels=16, noise_size=8)
    return model.eval(), lambda num, generator: torch.randn(
        num, 8, generator=generator)


def wrong():
    return nn.ReLU()


@pytest.mark.slow
def test_a_network_never_seen():
    subject = from_factory(f'{__name__}:encoder')
    assert subject.margin == 32  # it sees 21 pixels
    results = analyse(subject, ('zeros', 'circular', 'none'), num=16)
    json.dumps(results, allow_nan=False)
    layers = results['zeros']
    assert list(layers)[0] == '0' and list(layers)[-1] == 'output'
    assert layers['0']['size'] == [16, 16]
    assert layers['output']['size'] == [8, 8]
    for name in layers:
        zeros, circular, none = (results[mode][name]
                                 for mode in ('zeros', 'circular', 'none'))
        if name != '0':  # which is linear: noise stays noise
            assert zeros['location_share'] > 5 * zeros['location_share_error']
        for x in (circular, none):
            assert abs(x['location_share']) < 5 * x['location_share_error']
            assert x['shift_error_db'] == '-inf'
        assert zeros['shift_error_db_profile'][0] > -20
        assert zeros['padding_db_profile'][0] > -20
        assert 'padding_db' not in none
        for x in zeros['probe_shuffled'].values():
            assert abs(x['r2']) < max(4 * x['r2_error'], 0.02)
    # the first layer sees three cells
    assert results['zeros']['0']['padding_db_profile'][2:] == ['-inf'] * 6


def test_a_generator_of_mmagic_never_seen():
    results = analyse(from_factory(f'{__name__}:lsgan'), num=16)
    zeros, none = (results[mode]['output'] for mode in ('zeros', 'none'))
    assert zeros['size'] == [32, 32]
    border, *_, middle = map(float, zeros['padding_db_profile'])
    assert border > -20 > middle
    assert 'padding_db' not in none


@pytest.mark.slow
@pytest.mark.parametrize('name', ['dcgan', 'singan'])
def test_zero_padding_is_where_positions_come_from(name):
    results = analyse(untrained(name, 32, seed=1), num=16)
    for layer, x in results['zeros'].items():
        none = results['none'][layer]
        assert abs(none['location_share']) < 0.02
        if x['size'][0] > 4:
            assert x['location_share'] > none['location_share'] + 0.005
    assert results['zeros']['output']['layout'] is not None


def test_layers_of_one_size_are_left_out():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(4),
        nn.Conv2d(4, 4, 3, padding=1), nn.Flatten())
    subject = Subject(
        model.eval(), lambda num, generator:
        ((torch.randn(num, 3, 8, 8, generator=generator), ), {}), 2)
    assert list(analyse(subject, num=8)['zeros']) == ['0']


def test_the_same_latents_for_all_paddings():
    subject = untrained('stylegan2', 32, seed=1)
    assert torch.equal(subject.run(20, 3), subject.run(20, 3))
    assert not torch.equal(subject.run(2, 3), subject.run(2, 4))
    again = untrained('stylegan2', 32, seed=1)
    assert torch.equal(subject.run(2, 3), again.run(2, 3))


def test_errors():
    with pytest.raises(ValueError, match='`num` must be at least 8'):
        analyse(untrained('singan', 32, 0), num=7)
    with pytest.raises(ValueError, match="but got 'gan'"):
        untrained('gan', 32, 0)
    with pytest.raises(ValueError, match='at least 32, but got 48'):
        untrained('singan', 48, 0)
    with pytest.raises(ValueError, match='`module:factory`, but got'):
        from_factory(f'{__name__}:nothing')
    with pytest.raises(ValueError, match='must return a network and a func'):
        from_factory(f'{__name__}:wrong')
    flat = Subject(
        nn.Linear(2, 2), lambda num, generator:
        ((torch.randn(num, 2, generator=generator), ), {}), 1)
    with pytest.raises(ValueError, match='must have convolutions'):
        analyse(flat)
