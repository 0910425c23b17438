"""State, sampling and errors of the models."""
import pickle

import mmagic.models.editors.mspie  # noqa: F401  (registers the reference)
import pytest
import torch
from mmagic.engine.hooks import PickleDataHook
from mmagic.registry import MODELS as MMAGIC_MODELS
from mmengine.model import is_model_wrapper

from mmpe.models.singan import (SinGANMSGeneratorPE,
                                SinGANMultiScaleGenerator)
from mmpe.registry import MODELS, build_from
from mmpe.utils.wrappers import unwrap

from .conftest import SIZES, model_cfg, random_pyramid


def build(head='spe4-noise8', **kwargs):
    return build_from(MODELS, model_cfg(head, **kwargs))


@pytest.fixture
def trained(head):
    """A model as it is after its last scale."""
    model = build(head)
    model.reals = random_pyramid()
    torch.manual_seed(0)
    model.construct_fixed_noises()
    model.noise_weights = [1, .3, .2, .25, .15, .4]
    model.curr_stage = len(SIZES) - 1
    return model.eval()


@pytest.fixture
def model():
    return build()


def test_state_dict_is_whole(trained, head):
    other = build(head)
    other.load_state_dict(trained.state_dict())
    other.eval()
    assert other.curr_stage == len(SIZES) - 1
    assert other.noise_weights == trained.noise_weights
    for a, b in zip(other.reals, trained.reals):
        assert torch.equal(a, b)
    assert torch.equal(
        other.sample(mode='recon'), trained.sample(mode='recon'))


def test_released_checkpoints_have_weights_only(trained, head, tmp_path):
    """A .pth of MMagic and the .pkl beside it make a whole model."""
    state = trained.state_dict()
    state.pop('_extra_state')
    path = str(tmp_path / 'beside.pkl')
    trained.save_test_pkl(path)
    other = build(head, test_pkl_data=path)
    assert other.pyramid_sizes == SIZES
    other.load_state_dict(state)
    other.eval()
    assert torch.equal(
        other.sample(mode='recon'), trained.sample(mode='recon'))
    assert other.sample(size=(20, 30)).shape == (1, 3, 20, 30)


def test_pickle_is_understood_by_mmagic_and_back(trained, head, tmp_path):
    path = str(tmp_path / 'ours.pkl')
    trained.save_test_pkl(path)
    theirs = MMAGIC_MODELS.build({
        **model_cfg(head), 'test_pkl_data': path,
        '_scope_': 'mmagic'
    })
    theirs.load_test_pkl()
    state = trained.state_dict()
    state.pop('_extra_state')
    theirs.load_state_dict(state)
    images = theirs.eval()(dict(mode='recon'))
    torch.testing.assert_close(
        trained(dict(mode='recon'))[0].fake_img, images[0].fake_img,
        rtol=1e-4, atol=1e-2)

    hook = PickleDataHook('unused', ['fixed_noises', 'noise_weights',
                                     'curr_stage'])
    path = tmp_path / 'theirs.pkl'
    path.write_bytes(pickle.dumps({
        name: hook._get_numpy_data(getattr(theirs, name))
        for name in hook.data_name_list
    }))
    other = build(head, test_pkl_data=str(path))
    other.load_test_pkl()
    assert other.noise_weights == trained.noise_weights
    for a, b in zip(other.fixed_noises, trained.fixed_noises):
        assert torch.equal(a, b)


def test_pickle_of_another_model(trained, head, tmp_path):
    path = str(tmp_path / 'a.pkl')
    trained.save_test_pkl(path)
    with pytest.raises(ValueError, match='has 6 fixed noises, but the '
                       'model has 3 scales'):
        build(head, num_scales=2, test_pkl_data=path).load_test_pkl()


@pytest.mark.parametrize('size', [(28, 36), (20, 61), (56, 36), (111, 17)])
def test_random_images_of_any_size(trained, size):
    torch.manual_seed(1)
    images = trained(dict(num_batches=3, size=size))
    assert [x.fake_img.shape for x in images] == [(3, *size)] * 3
    stack = torch.stack([x.fake_img for x in images])
    assert stack.min() >= 0 and stack.max() <= 255
    assert not torch.equal(stack[0], stack[1])


def test_options_of_forward(trained):
    sample, = trained(dict(mode='recon', get_prev_res=True))
    assert [x.shape[1:] for x in sample.prev_res_list] == SIZES[:-1]
    assert sample.sample_model == 'orig'
    sample, = trained(dict(curr_scale=2))
    assert sample.fake_img.shape[1:] == SIZES[2]
    sample, = trained(dict(sample_kwargs=dict(curr_scale=1)))
    assert sample.fake_img.shape[1:] == SIZES[1]


def test_size_is_that_of_the_last_scale(trained):
    assert trained.sample(size=(19, 44), curr_scale=2).shape[2:] == (19, 44)
    trained.curr_stage = 3
    assert trained.sample(size=(50, 31)).shape[2:] == (50, 31)


def test_given_noises(trained):
    noises = [torch.randn(2, *x[1:]) for x in trained.noise_shapes((20, 30))]
    first, second = trained.sample(noises=noises), trained.sample(
        noises=[x[1:] for x in noises])
    assert first.shape == (2, 3, 20, 30)
    torch.testing.assert_close(first[1:], second, rtol=1e-4, atol=1e-5)


def test_start_scale_continues(trained):
    whole = trained.sample(mode='recon', get_prev_res=True)
    from mmpe.functional.upsample import upsample
    image = upsample(whole['prev_res_list'][2], SIZES[3])
    rest = trained.sample(mode='recon', input_sample=image, start_scale=3)
    torch.testing.assert_close(rest, whole['fake_img'])


@pytest.mark.parametrize('key', ['ema_config', 'ema_confg'])
def test_ema(key):
    ema = dict(type='ExponentialMovingAverage', momentum=0.1)
    model = build(**{key: ema})
    model.reals = random_pyramid()
    model.construct_fixed_noises()
    model.noise_weights = [1.0] * len(SIZES)
    model.curr_stage = 0
    for parameter in model.generator.parameters():
        torch.nn.init.normal_(parameter)
    model.eval()
    sample, = model(dict(mode='recon', sample_model='ema/orig'))
    expected = [model(dict(mode='recon', sample_model=name))[0].fake_img
                for name in ('ema', 'orig')]
    assert torch.equal(sample.ema.fake_img, expected[0])
    assert torch.equal(sample.orig.fake_img, expected[1])
    assert not torch.equal(*expected)
    default, = model(dict(mode='recon'))
    assert torch.equal(default.fake_img, expected[0])


def test_state_moves_with_the_model(trained):
    moved = trained.to(torch.float64)
    assert moved.reals[0].dtype == torch.float64
    assert moved.sample(mode='recon').dtype == torch.float64


@pytest.mark.parametrize('kwargs, message', [
    (dict(curr_scale=6), r'has been trained \(0 to 5\), but got 6'),
    (dict(curr_scale=-1), r'has been trained \(0 to 5\), but got -1'),
    (dict(mode='other'), "must be 'rand' or 'recon', but got 'other'"),
    (dict(mode='recon', size=(9, 9)), 'reconstructed at its own size'),
    (dict(start_scale=4, curr_scale=3), '0 <= start_scale <= curr_scale'),
    (dict(size=(2, 40)), 'must be at least 4 x 4 .* but got 2 x 40'),
])
def test_bad_options(trained, kwargs, message):
    with pytest.raises(ValueError, match=message):
        trained.sample(**kwargs)


def test_nothing_to_sample(model):
    for use in (lambda: model({}), lambda: model.pyramid_sizes,
                lambda: model.noise_shapes((30, 40))):
        with pytest.raises(ValueError, match='has no fixed noises'):
            use()
    with pytest.raises(TypeError, match='must be a dict of options'):
        model(torch.zeros(1))


@pytest.mark.parametrize('kwargs', [
    dict(milestones=[3], step=1), dict(gamma=0.1)])
def test_bad_schedule(kwargs):
    with pytest.raises(ValueError, match='`lr_scheduler_args` must have'):
        build(lr_scheduler_args=kwargs)


def test_different_numbers_of_scales():
    cfg = model_cfg('csg')
    cfg['discriminator']['num_scales'] = 3
    with pytest.raises(ValueError, match='but got 5 for the model and 3 for '
                       'SinGANMultiScaleDiscriminator'):
        build_from(MODELS, cfg)


def test_num_scales_are_passed_on():
    cfg = model_cfg('csg')
    del cfg['generator']['num_scales'], cfg['discriminator']['num_scales']
    model = build_from(MODELS, cfg)
    assert len(model.generator.blocks) == len(model.discriminator.blocks) == 6


def test_parts_come_from_our_registry_in_every_scope():
    from mmengine.registry import DefaultScope
    with DefaultScope.overwrite_default_scope('mmagic'):
        model = build_from(MODELS, model_cfg('csg'))
    assert isinstance(model.generator, SinGANMSGeneratorPE)
    assert type(model).__module__.startswith('mmpe.')
    assert type(model.generator.head_position_encode).__module__.startswith(
        'mmpe.')


@pytest.mark.parametrize('kwargs, message', [
    (dict(padding_mode='circular'), "'zero' or 'reflect', but got 'circular'"),
    (dict(noise_with_pad=True, pad_at_head=False), 'needs `pad_at_head`'),
    (dict(first_stage_in_channels=3, positional_encoding=dict(type='CSG')),
     'must be 2, the channels of the positional encoding, but got 3'),
    (dict(num_layers=2), '`num_layers` must be at least 3, but got 2'),
])
def test_bad_generators(kwargs, message):
    with pytest.raises(ValueError, match=message):
        SinGANMSGeneratorPE(3, 3, 2, **kwargs)


def test_first_stage_has_the_channels_of_the_encoding():
    generator = SinGANMSGeneratorPE(
        3, 3, 2, positional_encoding=dict(type='SPE', embedding_dim=6),
        padding=1, pad_at_head=False)
    assert generator.blocks[0].in_channels == 12
    assert generator.blocks[1].in_channels == 3


def test_frozen_stages_stay_frozen():
    generator = SinGANMultiScaleGenerator(3, 3, 3)
    generator.freeze_before(2)
    for mode in (True, False, True):
        generator.train(mode)
        assert [x.training for x in generator.blocks] == [
            False, False, mode, mode]
    assert [x.head.conv.weight.requires_grad
            for x in generator.blocks] == [False, False, True, True]


def test_unwrap(model):
    assert unwrap(model) is model and not is_model_wrapper(model)


@pytest.mark.parametrize('head', ['csg', 'spe4-noise8'], indirect=True)
def test_positions_of_the_cells_change_nothing(trained):
    rows, columns = (torch.arange(x) for x in trained.pyramid_sizes[0])
    positions = torch.stack(torch.meshgrid(rows, columns, indexing='ij'))
    expected = trained.sample(mode='recon')
    torch.testing.assert_close(
        trained.sample(mode='recon', positions=positions), expected)
    mirrored = trained.sample(mode='recon', positions=positions.flip(2))
    assert (mirrored - expected).abs().max() > 1e-6


@pytest.mark.parametrize('head', ['zero-pad'], indirect=True)
def test_positions_need_an_encoding(trained):
    with pytest.raises(ValueError, match='no explicit positions'):
        trained.sample(positions=torch.zeros(2, *SIZES[0]))
