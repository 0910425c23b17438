import subprocess
import sys

import pytest
import torch
from torch import nn

from mmpe.models.mspie import MSStyleGANv2Generator, output_size
from mmpe.registry import MODELS

from .networks import POLICIES, SPE, generator


@pytest.mark.parametrize('row', POLICIES)
@pytest.mark.parametrize('scale', [0, 2, (0, 3), (4, 1), (-1, -2)])
def test_sizes_of_every_policy(row, scale):
    model = generator(row).eval()
    size = output_size(scale, num_upblocks=3)
    with torch.no_grad():
        for randomize in (True, False):
            images = model(
                None,
                num_batches=2,
                chosen_scale=scale,
                randomize_noise=randomize)
            assert images.shape == (2, 3, *size)
    noises = model.make_injected_noise(scale)
    assert len(noises) == model.num_injected_noises == 7
    assert noises[-1].shape == (1, 1, *size)


@pytest.mark.parametrize('row', ['f', 'k'])
def test_a_square_scale_may_be_a_pair(row):
    model = generator(row).eval()
    z = torch.randn(2, 16)
    images = [
        model(z, chosen_scale=scale, randomize_noise=False)
        for scale in (2, (2, 2), [2, 2])
    ]
    assert torch.equal(images[0], images[1])
    assert torch.equal(images[0], images[2])


def test_fixed_noise_is_saved_at_the_base_size_and_seeded_elsewhere():
    model = generator()
    assert torch.equal(model.fixed_noise()[0], model.injected_noise_0)
    again = generator()
    again.load_state_dict(model.state_dict())
    for scale in ((0, 0), (2, 2), (1, 3)):
        pairs = zip(model.fixed_noise(scale), again.fixed_noise(scale))
        assert all(torch.equal(one, two) for one, two in pairs)
    layers = model.fixed_noise((2, 2))[-2:]
    assert not torch.equal(*layers)  # of one size, but not the same


@pytest.mark.tools
def test_fixed_noise_is_the_same_in_every_process():
    code = ('import mmpe, torch; '
            'from tests.test_models.test_mspie.networks import generator; '
            'g = generator(); torch.manual_seed(7); '
            'print(float(sum(n.sum() for n in g.fixed_noise((1, 2)))))')
    out = subprocess.run([sys.executable, '-c', code],
                         capture_output=True, text=True, check=True).stdout
    here = float(sum(n.sum() for n in generator().fixed_noise((1, 2))))
    assert float(out.split()[-1]) == pytest.approx(here)


def test_expanded_encoding_keeps_the_corner_and_resized_one_does_not():
    expanded = generator('f').first_map((2, 4))
    assert expanded.shape == (1, 16, 6, 8)
    assert torch.equal(expanded[..., :4, :4], generator('f').first_map((0, 0)))
    resized = generator('e').first_map((2, 4))
    torch.testing.assert_close(resized[..., -1, -1],
                               generator('e').first_map((0, 0))[..., -1, -1])


class DistanceGrid(nn.Module):
    """An encoding of a user's own, which tells its channels by its grid."""

    def make_grid2d(self, height, width, num_batches=1):
        rows, cols = torch.arange(height), torch.arange(width)
        grid = torch.stack([rows[:, None] + cols, rows[:, None] - cols])
        return grid[None].float().repeat(num_batches, 1, 1, 1)


@pytest.fixture
def own_encodings(monkeypatch):
    names = dict(DistanceGrid=DistanceGrid, NoGrid=nn.Module)
    monkeypatch.setattr(MODELS, '_module_dict',
                        {**MODELS._module_dict, **names})


@pytest.mark.parametrize('interp_head', [False, True])
def test_own_encoding(own_encodings, interp_head):
    net = MSStyleGANv2Generator(
        16,
        8,
        width=1 / 64,
        head_pos_encoding=dict(type='DistanceGrid'),
        interp_head=interp_head)
    assert net.first_map((2, 4)).shape == (1, 2, 6, 8)
    assert net(None, num_batches=2, chosen_scale=(2, 4)).shape == (
        2, 3, 24, 32)


def test_encoding_that_cannot_tell_has_the_channels_of_the_constant(
        own_encodings):
    net = MSStyleGANv2Generator(
        16, 8, width=1 / 64, head_pos_encoding=dict(type='NoGrid'))
    plain = MSStyleGANv2Generator(16, 8, width=1 / 64).state_dict()
    del plain['constant_input.input']
    assert {name: value.shape for name, value in net.state_dict().items()} == {
        name: value.shape for name, value in plain.items()}


def test_image_without_skip_padding_differs_at_the_border_only():
    padded = generator('k').eval()
    free = generator('k', skip_padding='none').eval()
    free.load_state_dict(padded.state_dict())
    z = torch.randn(1, 16)
    difference = (padded(z, randomize_noise=False) -
                  free(z, randomize_noise=False)).abs().amax(dim=(0, 1))
    assert difference[0].min() > 0
    assert difference[14:-14, 14:-14].max() < 1e-5


def test_two_codes_are_mixed_from_the_index_on():
    model = generator().eval()
    first, second = torch.randn(2, 1, 16).unbind()
    latents = [
        model(codes, return_latents=True, **kwargs)['latent']
        for codes, kwargs in ((first, {}), (second, {}),
                              ([first, second], dict(inject_index=3)))
    ]
    assert latents[2].shape == (1, 8, 16)
    assert torch.equal(latents[2][:, :3], latents[0][:, :3])
    assert torch.equal(latents[2][:, 3:], latents[1][:, 3:])


def test_mixing_happens_in_training_with_its_probability_only():
    model = generator()
    drawn = [len(model._sample_noise(None, 1)) for _ in range(400)]
    assert 0.83 < drawn.count(2) / 400 < 0.97  # 0.9 +- 4 deviations
    model.eval()
    assert {len(model._sample_noise(None, 1)) for _ in range(50)} == {1}
    outputs = model.train()(None, num_batches=1, return_latents=True)
    assert 1 <= outputs['inject_index'] <= model.num_latents


def test_truncation_moves_codes_to_the_mean():
    model = generator().eval()
    z = torch.randn(2, 16)
    full = model(z, return_latents=True)['latent']
    mean = model.get_mean_latent()
    noise = torch.randn(
        4096, 16, generator=torch.Generator().manual_seed(20210619))
    torch.testing.assert_close(mean,
                               model.style_mapping(noise).mean(0, True))
    half = model(z, return_latents=True, truncation=0.5)['latent']
    torch.testing.assert_close(half, (full + mean) / 2)


def test_mean_code_follows_new_weights():
    model = generator().eval()
    z = torch.randn(1, 16)
    model(z, truncation=0.5)
    state = {k: v + 0.1 if 'style_mapping' in k else v
             for k, v in model.state_dict().items()}
    model.load_state_dict(state)
    expected = generator().eval()
    expected.load_state_dict(state)
    kwargs = dict(truncation=0.5, return_latents=True)
    assert torch.equal(
        model(z, **kwargs)['latent'], expected(z, **kwargs)['latent'])


def test_style_mixing_table():
    model = generator().eval()
    table = model.style_mixing(2, 3, chosen_scale=(0, 2))
    assert table.shape == (4 * 3, 3, 32, 48)
    assert (table[0] == -1).all()


def test_outputs():
    model = generator().eval()
    z = torch.randn(2, 16)
    out = model(z, return_noise=True, randomize_noise=False)
    assert torch.equal(out['noise_batch'][0], z)
    assert torch.equal(out['fake_img'], model(z, randomize_noise=False))
    again = model(out['latent'], input_is_latent=True,
                  injected_noise=out['injected_noise'])
    assert torch.equal(again, out['fake_img'])


@pytest.mark.parametrize('kwargs, message', [
    (dict(out_size=48), '`out_size` must be a power of 2'),
    (dict(width=0), '`width` must be positive'),
    (dict(default_style_mode='both'), "must be one of .* 'both'"),
    (dict(skip_padding='one'), "`skip_padding` must be 'zero' or 'none'"),
    (dict(no_pad=True), 'must give images of 32 x 32 pixels'),
    (dict(head_pos_encoding=SPE, head_pos_size=(5, 5)),
     'must give images of 32 x 32 pixels, but got'),
])
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        generator('f', **kwargs)


@pytest.mark.parametrize('args, kwargs, message', [
    ((None, ), {}, '`num_batches` must be at least 1'),
    ((torch.zeros(1, 15), ), {}, '`styles` must have 16 channels'),
    ((torch.zeros(1, 16), ), dict(chosen_scale=-4), 'must be at least -3'),
    ((torch.zeros(1, 16), ), dict(chosen_scale=(1, 2, 3)),
     r'must be an int or \(dh, dw\)'),
])
def test_bad_inputs(args, kwargs, message):
    with pytest.raises(ValueError, match=message):
        generator()(*args, **kwargs)
