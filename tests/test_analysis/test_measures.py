import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmpe.analysis import (border_distance, collect, decibel, eq_t, jackknife,
                           layout_agreement, location_share, pad_with,
                           padding_part, padding_reach, posenet,
                           posenet_targets, profile, read_place, shift_error,
                           shuffled_places)


def noise(*shape, seed=0):
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed))


def coordinates(num, height, width):
    y, x = torch.meshgrid(
        torch.arange(height), torch.arange(width), indexing='ij')
    return torch.stack((x, y, border_distance(height, width))).float().expand(
        num, -1, -1, -1)


def convolution(layers=1, channels=4):
    torch.manual_seed(5)
    return nn.Sequential(*(nn.Conv2d(channels, channels, 3, padding=1)
                           for _ in range(layers))).eval()


def all_shifts(x):
    """Every shift of an input on a torus, twice."""
    shifts = [
        x.roll((dy, dx), dims=(2, 3)) for dy in range(x.shape[2])
        for dx in range(x.shape[3])
    ]
    return torch.cat([shift for shift in shifts for _ in range(2)])


def test_border_distance_and_profile():
    assert border_distance(3, 4).tolist() == [[0, 0, 0, 0], [0, 1, 1, 0],
                                              [0, 0, 0, 0]]
    values = torch.tensor([[3., 1, 3], [1, 7, 1], [3, 1, 3]])
    assert profile(values).tolist() == [2, 7]


def test_location_share_of_circular_convolution_is_zero():
    inputs = all_shifts(noise(1, 4, 6, 6))
    conv = convolution(2)
    with torch.no_grad():
        with pad_with(conv, 'circular'):
            share = location_share(conv(inputs))
        padded = location_share(conv(inputs))
    assert abs(share.ratio) < 1e-12
    assert share.part.abs().max() < 1e-12
    assert padded.ratio > 0.002


def test_location_share_of_constant_picture_is_one():
    picture = noise(1, 3, 8, 8).expand(8, -1, -1, -1)
    assert location_share(picture).ratio == pytest.approx(1)


def test_location_share_by_its_definition():
    # half of the variance is a picture, half is noise
    picture, grain = noise(1, 3, 16, 16), noise(4096, 3, 16, 16, seed=1)
    x = picture + grain * picture.std(dim=(2, 3), keepdim=True)
    value, error = jackknife(lambda x: location_share(x).ratio, x)
    assert error < 0.01
    assert abs(value - 0.5) < 4 * error + 0.01
    # channels count alike, whatever their scale
    x = torch.cat((1000 * noise(64, 1, 8, 8), picture[:, :1, :8, :8].expand(
        64, -1, -1, -1)), dim=1)
    assert location_share(x).ratio == pytest.approx(0.5, abs=0.02)


def test_location_share_without_phases():
    pattern = noise(1, 3, 2, 2).repeat(8, 1, 4, 4)
    assert location_share(pattern).ratio == pytest.approx(1)
    assert abs(location_share(pattern, period=2).ratio) < 1e-12


def test_dead_features_have_no_share():
    assert math.isnan(location_share(torch.ones(8, 3, 4, 4)).ratio)


def test_depth_of_zero_padding():
    for layers in (1, 2, 3):
        conv = convolution(layers)
        x = noise(8, 4, 12, 12)
        with torch.no_grad():
            padded = conv(x)
            with pad_with(conv, 'none', margin=layers):
                unpadded = conv(x)
        reach = padding_reach(padded, unpadded).profile
        assert (reach[:layers] > 1e-4).all()
        assert (reach[layers:] < 1e-12).all()
        part = padding_part(padded, unpadded)
        assert (part.profile[layers:].isnan()).all()


def test_padding_part_by_its_definition():
    # a pattern of power 4 under noise of power 1: 6 dB
    unpadded = noise(512, 2, 8, 8)
    padded = unpadded + 2 + noise(512, 2, 8, 8, seed=1)
    assert decibel(padding_part(padded, unpadded).ratio) == pytest.approx(
        10 * math.log10(4), abs=0.1)
    assert math.isnan(padding_part(padded, padded).ratio)
    # noise alone has no signal, however few latents there are
    mean = torch.tensor([
        padding_part(noise(4, 2, 8, 8, seed=seed), torch.zeros(4, 2, 8,
                                                               8)).ratio
        for seed in range(20)
    ])
    assert abs(mean.mean()) < 4 * mean.std() / 20**0.5


def test_shift_error():
    conv, x = convolution(2), noise(4, 4, 10, 10)
    with torch.no_grad():
        with pad_with(conv, 'circular'):
            exact = shift_error(
                conv(x), conv(x.roll((2, 1), dims=(2, 3))), (2, 1))
        padded = shift_error(
            conv(x), conv(x.roll((2, 1), dims=(2, 3))), (2, 1))
    assert decibel(exact.ratio) == -math.inf
    assert exact.part.shape == (8, 9)
    assert padded.profile[0] > 0.01
    assert (padded.profile[2:] < 1e-12).all()
    unrelated = shift_error(
        noise(64, 4, 10, 10), noise(64, 4, 10, 10, seed=1), (1, 1))
    assert decibel(unrelated.ratio) == pytest.approx(3, abs=0.1)


def test_eq_t():
    images = noise(4, 3, 8, 8).tanh()
    assert eq_t(images, images.roll((1, 2), (2, 3)), (1, 2)) == math.inf
    # an error of 0.2 under a peak of 2
    moved = images.roll((1, 2), (2, 3)) + 0.2
    assert eq_t(images, moved, (1, 2)) == pytest.approx(20, abs=1e-4)


def test_layout_agreement():
    layout = F.interpolate(noise(1, 3, 4, 4), size=(32, 32))
    same = layout + 0.01 * noise(8, 3, 32, 32, seed=1)
    assert layout_agreement(same) > 0.99
    assert layout_agreement(same, data=layout) > 0.99
    assert layout_agreement(same, data=-layout) < -0.99
    assert abs(layout_agreement(noise(64, 3, 32, 32))) < 0.02


def test_coordinates_are_read():
    class Coordinates(nn.Module):

        def forward(self, x):
            return torch.cat((x, coordinates(len(x), *x.shape[2:])), dim=1)

    model = Coordinates()
    features = collect(model, lambda: model(noise(8, 2, 8, 10)), [''])['']
    for zone in ('all', 'near', 'middle'):
        for result in read_place(features, zone).values():
            assert result.r2 > 0.9999
            assert result.cells < 0.02
    spearman, error = zip(*posenet(coordinates(8, 28, 28)).values())
    # gradients are exact; a bell and stripes are no linear functions of them
    assert min(spearman[:2]) > 0.999 and max(error[:2]) < 0.005
    assert spearman[2] > 0.8


def test_posenet_reads_its_targets():
    maps = torch.stack(list(posenet_targets().values()))
    assert maps.shape == (5, 28, 28)
    assert maps.amin(dim=(1, 2)).tolist() == [0] * 5
    assert maps.amax(dim=(1, 2)).tolist() == [1] * 5
    results = posenet(maps.expand(8, -1, -1, -1))
    for spearman, error in results.values():
        # equal values of stripes are ranked by rounding errors
        assert spearman > 0.97 and error < 0.01


def test_posenet_reads_many_channels():
    maps = torch.stack(list(posenet_targets().values()))
    torch.manual_seed(0)
    mixed = torch.einsum('chw,kc->khw', maps, torch.randn(100, 5))
    results = posenet(mixed + 0.01 * noise(16, 100, 28, 28))
    assert results['H'][0] > 0.99 and results['V'][0] > 0.99


@pytest.mark.parametrize('features', [
    noise(32, 8, 8, 8),
    shuffled_places(coordinates(32, 8, 8)),
], ids=['noise', 'shuffled'])
def test_nothing_is_read_from_noise_or_shuffled_places(features):
    for result in read_place(features).values():
        assert abs(result.r2) < max(4 * result.r2_error, 0.02)
    for name, (spearman, error) in posenet(features).items():
        if name in 'HV':
            assert abs(spearman) < 0.1
            # as the mean of a uniform gradient
            assert error == pytest.approx(0.25, abs=0.015)


def test_shuffling_keeps_the_features_of_each_latent():
    x = coordinates(3, 4, 5) + torch.arange(3)[:, None, None, None] * 100
    moved = shuffled_places(x)
    key = (x[:, 0] * 10 + x[:, 1]).flatten(1)
    moved_key = (moved[:, 0] * 10 + moved[:, 1]).flatten(1)
    assert torch.equal(moved_key.sort().values, key.sort().values)
    assert not torch.equal(moved_key[0] - 0, moved_key[1] - 1100)


def test_more_latents_change_nothing_beyond_the_error():
    conv = convolution(3)
    few, many = noise(32, 4, 12, 12), noise(512, 4, 12, 12, seed=1)

    def share(x):
        return jackknife(lambda x: location_share(x).ratio, x)

    with torch.no_grad():
        few, many = conv(few), conv(many)
    (value, error), (better, _) = share(few), share(many)
    assert 0 < error < 0.05
    assert abs(value - better) < 3 * error
    value, better = (read_place(x)['border'] for x in (few, many))
    assert better.r2_error < value.r2_error
    assert abs(value.r2 - better.r2) < 3 * value.r2_error


def test_errors():
    with pytest.raises(ValueError, match='at least 8 latents, but got 4'):
        jackknife(lambda x: 0., noise(4, 1, 2, 2))
    with pytest.raises(ValueError, match='at least 4 latents, but got 3'):
        read_place(noise(3, 1, 4, 4))
    with pytest.raises(ValueError, match="`zone` must be one of .*'edge'"):
        read_place(noise(4, 1, 4, 4), 'edge')
    with pytest.raises(ValueError, match="but got 'none'"):
        collect(convolution(), lambda: None, ['none'])
    with pytest.raises(ValueError, match="The module '0' was not used"):
        collect(convolution(), lambda: None, ['0'])
