"""Released weights: found, checked, read in all layouts, loaded as a whole."""
import functools
import hashlib
import http.server
import pickle
from pathlib import Path

import mmagic.models.editors.mspie  # registers the reference
import mmagic.models.editors.singan
import mmagic.models.editors.stylegan2  # noqa: F401
import numpy as np
import pytest
import torch
from mmagic.engine.hooks import PickleDataHook
from mmagic.registry import MODELS as MMAGIC_MODELS
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader

from mmpe import weights, zoo
from mmpe.checkpoint import CheckpointError, to_current_layout
from mmpe.inference import load, loading
from mmpe.models import SinGAN
from mmpe.registry import MODELS, build_from
from mmpe.utils.download import DownloadError, download
from mmpe.weights import Weights, fitting_rows

from .serving import Handler
from .test_models import oracle

WIDTH = 1 / 64
ROWS = zoo.rows()
STYLEGAN_ROWS = [row.name for row in ROWS.values() if not row.pickle]
SINGAN_ROWS = [row.name for row in ROWS.values() if row.pickle]
LAYOUTS = ('1.x', '0.x')


def small_config(row):
    """A row with few channels."""
    cfg = Config.fromfile(ROWS[row].config)
    generator, discriminator = cfg.model.generator, cfg.model.discriminator
    if ROWS[row].pickle:
        for network in (generator, discriminator):
            network.update(base_channels=4, min_feat_channels=4)
        return cfg
    generator.update(width=WIDTH, style_channels=int(512 * WIDTH))
    discriminator.width = WIDTH
    encoding = generator.get('head_pos_encoding') or {}
    if 'embedding_dim' in encoding:
        encoding.embedding_dim = int(encoding.embedding_dim * WIDTH)
    return cfg


def save(state_dict, layout, path):
    """Write weights of MMagic 1.x as MMagic or as MMGeneration would."""
    if layout == '0.x':
        state_dict = {
            name.replace('generator_ema.module.', 'generator_ema.').replace(
                'mean_path_length', 'gen_auxiliary_losses.0.mean_path_length'):
            value
            for name, value in state_dict.items()
            if name != 'generator_ema.steps'
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        dict(meta=dict(iter=3), state_dict=state_dict),
        path,
        _use_new_zipfile_serialization=layout == '1.x')
    return path


# ------------------------------------------------------- StyleGAN2 and MS-PIE
def mmagic_stylegan(row):
    """MMagic's model of a row, few channels; its average is another model."""
    cfg = oracle.row_model(row)
    encoding = cfg.generator.get('head_pos_encoding') or {}
    if 'embedding_dim' in encoding:
        encoding.embedding_dim = int(encoding.embedding_dim * WIDTH)
    cfg.generator.style_channels = int(512 * WIDTH)
    networks = {
        name: oracle.mmagic_class(cfg[name].type, WIDTH)(
            **{k: v for k, v in cfg[name].items() if k != 'type'})
        for name in ('generator', 'discriminator')
    }
    torch.manual_seed(5)
    model = MMAGIC_MODELS.build({**cfg, **networks, '_scope_': 'mmagic'})
    assert type(model).__module__.startswith('mmagic.')
    for name, value in model.generator_ema.module.named_parameters():
        value.data += .3 * torch.randn_like(value)
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('row', STYLEGAN_ROWS)
def test_same_picture_of_stylegan(row, layout, tmp_path):
    theirs = mmagic_stylegan(row)
    path = save(theirs.state_dict(), layout, tmp_path / 'model.pth')
    sampler = load(small_config(row), str(path))

    z = torch.randn(1, int(512 * WIDTH))
    kwargs = dict(randomize_noise=False)
    for name in ('generator', 'generator_ema.module'):
        ours, expected = (
            functools.reduce(getattr, name.split('.'), model)
            for model in (sampler.model, theirs))
        with torch.no_grad():
            oracle.assert_close(ours(z, **kwargs), expected(z, **kwargs))
    # At the largest size, as a user gets it: uint8 pictures.
    scale = oracle.largest_scale(oracle.row_model(row))
    options = dict(chosen_scale=scale) if scale else {}
    noise = theirs.generator.make_injected_noise(**options)
    with torch.no_grad():
        image = theirs.generator_ema.module(
            z, injected_noise=noise, **options)
        code = sampler.generator.map_noise(z, None)
        picture = sampler.generator(
            code, input_is_latent=True, injected_noise=noise, **options)
    oracle.assert_close(picture, image)
    size = theirs.generator.out_size * (4 + scale) // 4
    assert sampler.sample(1)[0].shape == (size, size, 3)


def part_of(row, name):
    """The weights of one of a row's networks."""
    return {
        key: value
        for key, value in mmagic_stylegan(row).state_dict().items()
        if key.startswith(f'{name}.')
    }


def test_average_alone(tmp_path):
    """A published file may hold only the average."""
    row = STYLEGAN_ROWS[0]
    state = part_of(row, 'generator_ema')
    path = save(state, '1.x', tmp_path / 'model.pth')
    model = load(small_config(row), str(path)).model
    for name, value in model.generator.state_dict().items():
        assert torch.equal(value, state[f'generator_ema.module.{name}'])


def test_generator_alone_is_not_enough_for_a_model_with_average(tmp_path):
    row = STYLEGAN_ROWS[0]
    path = save(part_of(row, 'generator'), '1.x', tmp_path / 'model.pth')
    with pytest.raises(CheckpointError, match=r'missing \(generator_ema.'):
        load(small_config(row), str(path))
    cfg = small_config(row)
    cfg.model.ema_config = None
    load(cfg, str(path))


def test_runner_reads_the_old_layout(tmp_path):
    theirs = mmagic_stylegan(STYLEGAN_ROWS[2]).state_dict()
    path = save(theirs, '0.x', tmp_path / 'model.pth')
    state = CheckpointLoader.load_checkpoint(str(path))['state_dict']
    assert set(state) == set(theirs)
    assert state['generator_ema.steps'] > 0


def test_names_of_distributed_training():
    assert list(
        to_current_layout({
            'generator.module.a': 0,
            'module.discriminator.b': 1,
            'generator_ema.module.module.c': 2,
            'generator_ema.steps': 3
        })) == [
            'generator.a', 'discriminator.b', 'generator_ema.module.c',
            'generator_ema.steps'
        ]


# --------------------------------------------------------------------- SinGAN
def mmagic_singan(row):
    """MMagic's model of a row, few channels, as after its training."""
    cfg = oracle.row_model(row)
    for network in (cfg.generator, cfg.discriminator):
        network.update(base_channels=4, min_feat_channels=4)
    torch.manual_seed(5)
    model = MMAGIC_MODELS.build({**cfg, '_scope_': 'mmagic'})
    assert type(model).__module__.startswith('mmagic.')
    model.reals = [
        torch.rand(1, 3, 10 + 2 * i, 13 + 3 * i) * 2 - 1
        for i in range(cfg.num_scales + 1)
    ]
    model.construct_fixed_noises()
    model.noise_weights = [1.] + [.1 * (1 + i) for i in range(cfg.num_scales)]
    model.curr_stage = cfg.num_scales
    return model.eval()


def write_pickle(model, path):
    hook = PickleDataHook(
        path.parent, ['noise_weights', 'fixed_noises', 'curr_stage'],
        filename_tmpl=path.name)
    # What the hook does with a runner.
    with open(path, 'wb') as file:
        pickle.dump(
            {
                name: hook._get_numpy_data(getattr(model, name))
                for name in hook.data_name_list
            }, file)


@pytest.mark.slow
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('row', SINGAN_ROWS)
def test_same_picture_of_singan(row, layout, tmp_path):
    theirs = mmagic_singan(row)
    path = save(theirs.state_dict(), layout, tmp_path / 'model.pth')
    write_pickle(theirs, path.with_suffix('.pkl'))
    sampler = load(small_config(row), str(path))
    for mode in ('recon', 'rand'):
        images = []
        for model in (sampler.model, theirs):
            torch.manual_seed(2)
            with torch.no_grad():
                images.append(
                    model.generator(
                        None, model.fixed_noises, model.noise_weights, mode,
                        model.curr_stage))
        oracle.assert_close(*images)
    expected = sampler.model.data_preprocessor.destruct(images[1])[0]
    torch.manual_seed(2)
    image = sampler.model(dict(mode='rand'))[0].fake_img
    oracle.assert_close(image, expected)
    assert sampler.reconstruct().shape == (*sampler.size, 3)


def test_pickle_is_missing(tmp_path):
    row = SINGAN_ROWS[0]
    path = save(mmagic_singan(row).state_dict(), '1.x', tmp_path / 'a.pth')
    with pytest.raises(FileNotFoundError,
                       match='a.pkl` does not exist: it contains the noise'):
        load(small_config(row), str(path))


def test_pickle_elsewhere(tmp_path):
    row = SINGAN_ROWS[0]
    theirs = mmagic_singan(row)
    path = save(theirs.state_dict(), '1.x', tmp_path / 'a.pth')
    write_pickle(theirs, tmp_path / 'b.pkl')
    cfg = small_config(row)
    cfg.model.test_pkl_data = str(tmp_path / 'b.pkl')
    assert load(cfg, str(path)).size == theirs.reals[-1].shape[-2:]


def test_pickle_of_something_else(tmp_path):
    row = SINGAN_ROWS[0]
    path = save(mmagic_singan(row).state_dict(), '1.x', tmp_path / 'a.pth')
    with open(tmp_path / 'a.pkl', 'wb') as file:
        pickle.dump([1, 2], file)
    with pytest.raises(ValueError, match='is not the state of a SinGAN'):
        load(small_config(row), str(path))


# ----------------------------------------------------- configs that do not fit
def full_size(row):
    """Weights of a row, of the right names and shapes, without values."""
    with torch.device('meta'):
        model = build_from(MODELS, Config.fromfile(ROWS[row].config).model)
    return {
        name: value
        for name, value in model.state_dict().items()
        if isinstance(value, torch.Tensor)
    }


@pytest.mark.slow
@pytest.mark.parametrize('row, others', [
    ('singan_interp-pad_disc-nobn_fish', []),
    ('singan-csg_fish', ['singan-csg_bohemian']),
    ('stylegan2_c2_8xb3-1100kiters_ffhq-512x512', []),
    ('mspie-stylegan2-config-f_c1_8xb2-1600kiters_ffhq-256-1024', []),
])
def test_fitting_rows(row, others):
    assert fitting_rows(full_size(row)) == [row, *others]


def test_rows_fit_without_discriminator():
    state = {
        name: value
        for name, value in full_size('singan_interp-pad_balloons').items()
        if name.startswith('generator.')
    }
    assert fitting_rows(state) == [
        'singan_interp-pad_balloons', 'singan_interp-pad_disc-nobn_balloons'
    ]


def test_wrong_row(tmp_path):
    row = 'singan_interp-pad_disc-nobn_fish'
    state = {
        name: torch.zeros(value.shape)
        for name, value in full_size(row).items()
    }
    path = save(state, '1.x', tmp_path / 'model.pth')
    message = (r'model.pth` belongs to another config: \d+ unexpected '
               r'\(generator.blocks.9.*, \.\.\.\). It fits the row '
               r'singan_interp-pad_disc-nobn_fish\.$')
    with pytest.raises(CheckpointError, match=message):
        load('singan_interp-pad_balloons', str(path))
    with pytest.raises(CheckpointError, match=r'1 of another shape '
                       r'\(generator.blocks.0.* is \(32, 3, 3, 3\) instead of '
                       r'\(32, 16, 3, 3\)\)'):
        load('singan_spe-dim8_bohemian', str(path))


def test_wrong_row_with_the_same_shapes(tmp_path, monkeypatch):
    """A released file says by its name which row it is."""
    monkeypatch.setattr(weights, '_read', lambda path: {})
    row = next(name for name in ROWS if 'config-f_c2' in name)
    path = tmp_path / Path(ROWS[row].weights).name
    path.touch()
    other = next(name for name in ROWS if 'config-k' in name)
    message = f'released file of the row {row}, but the config is .*{other}'
    with pytest.raises(CheckpointError, match=message):
        load(other, str(path))
    own = Config.fromfile(ROWS[row].config).model
    Weights(path).check_row(own)
    own.generator.head_pos_encoding.init_size = 300  # somebody's experiment
    Weights(path).check_row(own)


def test_arguments_of_load(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no config file "
                       "'singan_csg_fish'.*did you mean singan-csg_fish"):
        load('singan_csg_fish')
    with pytest.raises(ValueError, match='`checkpoint` is required unless'):
        load(ROWS['singan-csg_fish'].config)
    with pytest.raises(ValueError, match='`checkpoint` is required unless'):
        load(Config.fromfile(ROWS['singan-csg_fish'].config))


def test_other_number_of_scales(tmp_path):
    """A model of one's own fits no row."""
    row = 'singan_spe-dim4_fish'
    path = save(mmagic_singan(row).state_dict(), '1.x', tmp_path / 'a.pth')
    cfg = small_config(row)
    cfg.model.num_scales = 6
    with pytest.raises(CheckpointError,
                       match=r'trained with num_scales=10: set '
                       r'`model.num_scales=10`\.$'):
        load(cfg, str(path))
    cfg.model.num_scales = None  # follows from the weights
    write_pickle(mmagic_singan(row), path.with_suffix('.pkl'))
    assert load(cfg, str(path)).model.num_scales == 10


def test_nothing_is_loaded_by_half(tmp_path):
    row = STYLEGAN_ROWS[3]
    state = mmagic_stylegan(row).state_dict()
    first, *_, last = (x for x in state if x.startswith('generator.conv')
                       and len(state[x]) > 1)
    state[first] = state[first][:1]
    del state[last]
    state['generator.extra'] = torch.zeros(3)
    path = save(state, '1.x', tmp_path / 'model.pth')
    model = build_from(MODELS, small_config(row).model)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    with pytest.raises(CheckpointError) as error:
        Weights(path).load_into(model)
    message = str(error.value)
    assert '\n' not in message
    assert f'1 missing ({last}); 1 unexpected (generator.extra); ' in message
    assert f'1 of another shape ({first} is (1,' in message
    assert message.endswith('It does not fit any row of the model zoo.')
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_no_weights(tmp_path):
    torch.save(dict(state_dict=dict(a=torch.zeros(1))), tmp_path / 'a.pth')
    with pytest.raises(CheckpointError, match='no weights of a generator'):
        Weights(tmp_path / 'a.pth')
    torch.save([1], tmp_path / 'b.pth')
    with pytest.raises(CheckpointError, match='no weights of a generator'):
        Weights(tmp_path / 'b.pth')
    torch.save(dict(state_dict=1), tmp_path / 'c.pth')
    with pytest.raises(CheckpointError, match='no weights of a generator'):
        Weights(tmp_path / 'c.pth')
    with pytest.raises(CheckpointError, match='no weights by name'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'c.pth'))
    with pytest.raises(FileNotFoundError, match="no checkpoint 'no.pth'"):
        Weights('no.pth')


# ------------------------------------------------------------------ downloads
def publish(folder, name, data):
    """Write a file with its hash in its name; returns the name."""
    name = f'{name}-{hashlib.sha256(data).hexdigest()[:8]}.pth'
    (folder / name).write_bytes(data)
    return name


def kept(tmp_path):
    return [path for path in tmp_path.glob('home/**/*') if path.is_file()]


def test_row_is_downloaded_once(tmp_path, server, monkeypatch, capsys):
    """By its name alone: config, checkpoint and SinGAN's pickle."""
    row = 'singan_spe-dim4_fish'
    theirs = mmagic_singan(row)
    path = save(theirs.state_dict(), '0.x', tmp_path / 'model.pth')
    name = publish(tmp_path / 'served', 'fish', path.read_bytes())
    write_pickle(theirs, (tmp_path / 'served' / name).with_suffix('.pkl'))
    small_config(row).dump(tmp_path / 'fish.py')
    address = f'{server}/{name}'
    changed = ROWS[row]._replace(
        config=tmp_path / 'fish.py',
        weights=address,
        pickle=address[:-3] + 'pkl')
    monkeypatch.setattr(zoo, 'rows', lambda: {row: changed})
    for module in (weights, loading):
        monkeypatch.setattr(module, 'rows', lambda: {row: changed})
    images = [load(row).sample(seed=1)[0]]
    assert f'{name}: 100%' in capsys.readouterr().err
    assert sorted(Handler.requests) == sorted(
        [f'/{name}', f'/{name[:-3]}pkl'])
    # From the cache, by the row, the address and a path; config as dumped.
    images.append(load(row).sample(seed=1)[0])
    images.append(load(row, address).sample(seed=1)[0])
    images.append(load(tmp_path / 'fish.py', row).sample(seed=1)[0])
    cached, = tmp_path.glob('home/**/*.pth')
    images.append(load(str(tmp_path / 'fish.py'), cached).sample(seed=1)[0])
    assert len(Handler.requests) == 2
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])
    assert isinstance(load(row).model, SinGAN)


def test_hash_is_checked(tmp_path, server):
    name = publish(tmp_path / 'served', 'model', b'\x80 some weights')
    (tmp_path / 'served' / name).write_bytes(b'\x80 other weights')
    with pytest.raises(DownloadError) as error:
        Weights(f'{server}/{name}')
    digest = hashlib.sha256(b'\x80 other weights').hexdigest()[:8]
    assert str(error.value) == (
        f'{server}/{name} is not the published file: its SHA-256 must '
        f'start with {name[6:14]}, not with {digest}.')
    assert not kept(tmp_path)


def test_page_in_place_of_weights(tmp_path, server):
    page = tmp_path / 'served' / 'model-01234567.pth'
    page.write_bytes(b'\n<!DOCTYPE html><html>Sign in</html>')
    with pytest.raises(DownloadError, match=r'model-01234567.pth is a web '
                       r'page, not a file of weights\.$'):
        Weights(f'{server}/{page.name}')
    assert not kept(tmp_path)


def test_interrupted_download(tmp_path, server):
    (tmp_path / 'served' / 'cut.pth').write_bytes(bytes(1000))
    with pytest.raises(DownloadError, match=r'/cut.pth: the connection ended '
                       r'after 500 of 1000 bytes\.$'):
        Weights(f'{server}/cut.pth')
    assert not kept(tmp_path)
    # It works when the server does.
    (tmp_path / 'served' / 'cut.pth').rename(tmp_path / 'served' / 'a.pth')
    download(f'{server}/a.pth', tmp_path / 'a.pth')
    assert (tmp_path / 'a.pth').read_bytes() == bytes(1000)


def test_interrupted_by_the_user(tmp_path, server, monkeypatch):

    def interrupt(*args):
        raise KeyboardInterrupt

    (tmp_path / 'served' / 'a.pth').write_bytes(bytes(1000))
    monkeypatch.setattr('mmpe.utils.download.ProgressBar.update', interrupt)
    with pytest.raises(KeyboardInterrupt):
        Weights(f'{server}/a.pth')
    assert not kept(tmp_path)


def test_no_such_file(tmp_path, server):
    with pytest.raises(DownloadError, match=r'Cannot download .*/no.pth: the '
                       r'server says 404 File not found\.$'):
        Weights(f'{server}/no.pth')
    assert not kept(tmp_path)


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setattr(torch.hub, '_hub_dir', None)
    with http.server.HTTPServer(('127.0.0.1', 0), Handler) as closed:
        address = f'http://127.0.0.1:{closed.server_port}/a.pth'
    with pytest.raises(DownloadError, match='Cannot download .*refused'):
        Weights(address)
    assert not kept(tmp_path)


def test_folder_that_cannot_be_written(tmp_path, server):
    (tmp_path / 'served' / 'a.pth').write_bytes(bytes(10))
    (tmp_path / 'home').write_text('not a folder')
    with pytest.raises(OSError, match='Cannot write') as error:
        Weights(f'{server}/a.pth')
    assert not isinstance(error.value, DownloadError)
