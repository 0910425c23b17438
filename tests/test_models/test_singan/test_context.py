"""A SinGAN without padding cannot tell where its image ends."""
import pytest
import torch
from torch import nn

from mmpe.models.singan.objectives import CellMove
from mmpe.registry import MODELS, build_from

from .conftest import context_cfg

SIZES = [(12, 16), (24, 32), (48, 64)]


def make_model(sizes=SIZES, **kwargs):
    """A model in which noise, positions and all stages matter."""
    model = build_from(MODELS, context_cfg(len(sizes) - 1, **kwargs))
    generator = torch.Generator().manual_seed(0)
    for module in model.generator.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data.normal_(0, 0.15, generator=generator)
    model.reals = [
        torch.rand(1, 3, *size, generator=generator) * 2 - 1 for size in sizes
    ]
    model.construct_fixed_noises()
    model.noise_weights = [1, .5, .4][:len(sizes)]
    model.curr_stage = len(sizes) - 1
    return model.eval()


def test_sizes():
    model = make_model()
    assert model.pyramid_sizes == SIZES
    # 48 x 64 without context needs 5 cells for its convolutions; ceil(5 / 2)
    # and 2 for resizing around 24 x 32, and so on; the first stage sees a
    # cell at a time.
    assert model.generator.margins(2) == [7, 5, 0]
    assert model.generator.margins(1) == [5, 0]
    assert [model.generator.border(x) for x in range(3)] == [7, 10, 5]
    assert [x.shape[1:] for x in model.fixed_noises
            ] == [(3, 26, 30), (3, 44, 52), (3, 58, 74)]
    assert model.sample(2, size=(70, 50)).shape == (2, 3, 70, 50)
    assert model.sample(curr_scale=1).shape == (1, 3, 24, 32)


def test_recon_noise_moves_no_positions():
    model = make_model()
    first = model.fixed_noises[0]
    assert first[:, 0].std() > 0.8 and not first[:, 1:].any()
    still = make_model(jitter=0)
    still.load_state_dict(model.state_dict())
    assert torch.equal(
        model.sample(mode='recon'), still.sample(mode='recon'))
    assert not torch.equal(model.sample(noises=_noises(model)),
                           still.sample(noises=_noises(still)))


def _noises(model, seed=0, size=None):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, generator=generator)
        for shape in model.noise_shapes(size)
    ]


def test_border_is_nowhere():
    """A part of a large image is the small image of the same noise."""
    model = make_model(jitter=0)
    large, cells, (top, left) = (96, 128), SIZES[0], (5, 9)
    noises = _noises(model, size=large)
    _, border = model.position_grid()
    positions = torch.rand(2, 24 + 2 * border, 32 + 2 * border) * 12
    whole = model.sample(noises=noises, positions=positions)

    def part(x, scale, border):
        rows, cols = scale * top, scale * left
        return x[..., rows:rows + scale * cells[0] + 2 * border,
                 cols:cols + scale * cells[1] + 2 * border]

    small = model.sample(
        noises=[
            part(noise, 2**stage, model.generator.border(stage))
            for stage, noise in enumerate(noises)
        ],
        positions=part(positions, 1, border))
    torch.testing.assert_close(
        small, part(whole, 4, 0), atol=1e-5, rtol=0)
    assert small.std() > 0.05


@pytest.mark.parametrize('encoding', [
    dict(type='CSG'),
    dict(type='SPE', embedding_dim=8),
    dict(type='SPE', embedding_dim=8, center_shift=30, centered=True)
])
def test_own_positions(encoding):
    """Inside they are what the encoding makes of the grid itself."""
    model = make_model(positional_encoding=encoding, jitter=0)
    _, border = model.position_grid()
    noise = model.fixed_noises[0]
    codes = model.codes(model._own_positions(noise)[None])[0]
    module = model.generator.head_position_encode
    torch.testing.assert_close(
        codes[:, border:-border, border:-border],
        module.make_grid2d(*SIZES[0])[0], atol=1e-5, rtol=0)
    # and equally spaced beyond the border
    steps = model._own_positions(noise).diff(dim=-1)[1]
    assert (steps == 1).all()


def test_input_sample():
    model = make_model()
    model._activate(2)
    recon = model.sample(mode='recon')
    outputs = [
        model._generate(
            model.generator,
            model.fixed_noises,
            'recon',
            input_sample=sample,
            start_scale=2,
            curr_scale=2)
        for sample in (model.recon_input, model._before(2))
    ]
    torch.testing.assert_close(outputs[0], recon)
    # The repeated border is not what was there, but only near it.
    assert not torch.allclose(outputs[1], recon)
    torch.testing.assert_close(
        outputs[1][..., 5:-5, 5:-5], recon[..., 5:-5, 5:-5])
    with pytest.raises(ValueError, match=r'scale 2 must have the size '
                       r'\(48, 64\), or \(58, 74\) with its context, but'):
        model.sample(
            mode='recon', start_scale=2, input_sample=torch.zeros(1, 3, 9, 9))


def test_previous_results():
    model = make_model()
    result = model.sample(mode='recon', get_prev_res=True)
    assert [x.shape[2:] for x in result['prev_res_list']] == SIZES[:2]
    torch.testing.assert_close(result['prev_res_list'][1],
                               model.sample(mode='recon', curr_scale=1))


@pytest.mark.parametrize('kwargs, message', [
    (dict(jitter=-1), 'must be at least 0, 0 and above 0, but got -1, 0.05'),
    (dict(carry=2), '`carry` must be from 0 to 1, but got 2'),
    (dict(noise_rate=-1), 'but got 0.7, -1 and 14'),
    (dict(jitter_width=0), 'above 0, but got 0.7, 0.05 and 0'),
])
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        make_model(**kwargs)


@pytest.mark.parametrize('kwargs, message', [
    (dict(padding=1), '`padding` must be 0'),
    (dict(out_channels=1), 'must be equal, but got 3 and 1'),
])
def test_bad_generator(kwargs, message):
    cfg = context_cfg()
    cfg['generator'].update(kwargs)
    with pytest.raises(ValueError, match=message):
        build_from(MODELS, cfg)


def test_positions_are_needed():
    model = make_model()
    with pytest.raises(ValueError, match='`position_codes` must be'):
        model.generator(None, model.fixed_noises, [1, 1, 1], 'rand', 2)


def run_carried(model, told, stage, size=None, carry=1.):
    noises = _noises(model, size=size)
    windows = [[range(n) for n in noise.shape[2:]] for noise in noises]
    sizes = [
        model.generator.image_size(noise, i) for i, noise in enumerate(noises)
    ]
    mixed = model.carried(noises[stage], stage, told, windows[0],
                          windows[stage], sizes, carry)
    return mixed, noises[stage]


@pytest.mark.parametrize('stage', range(3))
def test_noise_is_carried_along(stage):
    model = make_model()
    fixed = model.fixed_noises[stage]
    told = model._own_positions(model.fixed_noises[0])[None]
    assert torch.equal(run_carried(model, told, stage)[0], fixed)

    # rows 2 to 6 and columns 3 to 7 of the grid are told 4 rows further up
    edit = CellMove((5, 5), (2, 3), (6, 3))
    _, border = model.position_grid()
    moved, _ = run_carried(model, edit(told, border), stage)
    # but for half a cell at the seam, where positions lie between
    scale, (_, border) = 2**stage, model.position_grid(stage)
    half = scale // 2
    rows, cols = (slice(border + scale * low + half,
                        border + scale * high - half)
                  for low, high in ((6, 11), (3, 8)))
    assert torch.equal(
        moved[..., rows, cols],
        fixed[..., rows.start - 4 * scale:rows.stop - 4 * scale, cols])
    outside = slice(0, border + scale * 6 - half)
    assert torch.equal(moved[..., outside, :], fixed[..., outside, :])


def test_new_noise_where_none_is_known():
    model = make_model(positional_encoding=dict(type='SPE', embedding_dim=8))
    size = (48, 128)
    noise = _noises(model, size=size)[0]
    told = model._own_positions(noise)[None]
    for stage, fixed in enumerate(model.fixed_noises):
        mixed, new = run_carried(model, told, stage, size, carry=0.6)
        known = fixed.shape[-1]
        torch.testing.assert_close(
            mixed[..., :known], 0.6 * fixed + 0.8 * new[..., :known])
        assert torch.equal(mixed[..., known:], new[..., known:])


def test_growth():
    model = make_model(growth='tile', jitter=0)
    x = model._own_positions(torch.zeros(1, 3, 26, 46))[1, 0]
    assert x.tolist() == [*range(-7, 16), *range(23)]
    with pytest.raises(ValueError, match='`growth` must be one of'):
        make_model(growth='shrink')
