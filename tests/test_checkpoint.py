import functools
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.utils import digit_version
from torch import nn

import mmpe.registry  # noqa: F401
from mmpe.checkpoint import (CheckpointError, load_pickle, read_checkpoint,
                             save_pickle)


@pytest.fixture(params=['weights_only', 'restricted'])
def loader(request, monkeypatch):
    """torch's own weights-only loader, and what stands in for it before."""
    if request.param == 'restricted':
        monkeypatch.setattr(torch, '__version__', '2.1.0')
    elif digit_version(torch.__version__) < digit_version('2.6'):
        pytest.skip('needs torch 2.6')
    return request.param


@pytest.fixture(params=[True, False], ids=['zip', 'legacy'])
def save(request, tmp_path):
    path = tmp_path / 'model.pth'

    def write(data):
        torch.save(data, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


def _reduced_to(function, *args):
    """An object whose pickle calls a function."""

    class Payload:

        def __reduce__(self):
            return function, args

    return Payload()


def _payloads(mark):
    code = f'open({str(mark)!r}, "w").close()'
    hidden = np.empty(1, dtype=object)
    hidden[0] = _reduced_to(exec, code)
    return {
        'system': _reduced_to(os.system, f'touch {mark}'),
        'exec': _reduced_to(exec, code),
        'getattr': _reduced_to(getattr, HistoryBuffer, '__init__'),
        'object_': hidden,
        'partial': functools.partial(exec, code),
        'DataParallel': nn.DataParallel(nn.Identity()),
    }


PAYLOADS = list(_payloads(''))


def test_reads_what_mmengine_writes(loader, save):
    history = HistoryBuffer([1., 2.], [1, 1])
    history.update(6.)
    state = OrderedDict(weight=torch.arange(3.))
    state._metadata = OrderedDict(version=1)
    read = read_checkpoint(
        save(
            dict(
                meta=dict(epoch=0, iter=7, seed=None, cfg='a = 1'),
                state_dict=state,
                half=torch.ones(2, dtype=torch.float16),
                message_hub=dict(log_scalars=OrderedDict(loss=history)),
                best_score=np.float64(.5),
                flags=np.array([True, False]),
                rng=np.random.RandomState(3).get_state(),
                scales=[np.int64(4), 2**80, -1.5, None, (True, b'\xff')])))
    assert read['meta'] == dict(epoch=0, iter=7, seed=None, cfg='a = 1')
    assert read['state_dict']['weight'].tolist() == [0, 1, 2]
    assert read['state_dict']._metadata == dict(version=1)
    assert read['half'].dtype == torch.float16
    buffer = read['message_hub']['log_scalars']['loss']
    assert type(buffer) is HistoryBuffer
    assert buffer.statistics('mean') == 3 and buffer.statistics('max') == 6
    assert read['best_score'] == .5
    assert read['flags'].tolist() == [True, False]
    generator = np.random.RandomState()
    generator.set_state(read['rng'])
    assert generator.randint(10**6) == np.random.RandomState(3).randint(10**6)
    assert read['scales'] == [4, 2**80, -1.5, None, (True, b'\xff')]


def test_reads_arrays_of_the_other_numpy(loader, tmp_path):
    path = tmp_path / 'model.pth'
    torch.save(
        dict(values=np.arange(3), value=np.float32(1.5)),
        path,
        _use_new_zipfile_serialization=False)  # stores no lengths
    names = [b'numpy._core.multiarray', b'numpy.core.multiarray']
    written = path.read_bytes()
    ours, theirs = names if names[0] in written else reversed(names)
    assert ours in written
    path.write_bytes(written.replace(ours, theirs))
    read = read_checkpoint(path)
    assert read['values'].tolist() == [0, 1, 2] and read['value'] == 1.5


@pytest.mark.parametrize('name', PAYLOADS)
def test_refuses_other_types_by_name(loader, save, tmp_path, name):
    mark = tmp_path / 'executed'
    path = save(dict(state_dict={}, meta=_payloads(mark)[name]))
    with pytest.raises(CheckpointError) as error:
        read_checkpoint(path)
    assert str(path) in str(error.value) and name in str(error.value)
    assert 'refused' in str(error.value)
    assert not mark.exists()


@pytest.mark.parametrize('name', PAYLOADS)
def test_refuses_other_types_in_a_pickle(tmp_path, name):
    mark, path = tmp_path / 'executed', tmp_path / 'iter_1.pkl'
    data = dict(noise_weights=[_payloads(mark)[name]])
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        path.write_bytes(pickle.dumps(data, protocol=protocol))
        with pytest.raises(CheckpointError, match=name) as error:
            load_pickle(path)
        assert 'iter_1.pkl' in str(error.value)
        assert not mark.exists()


def test_payloads_are_live(tmp_path):
    mark = tmp_path / 'executed'
    pickle.loads(pickle.dumps(_payloads(mark)['system']))
    assert mark.exists()


def test_nothing_stays_allowed(tmp_path):
    path = tmp_path / 'model.pth'
    torch.save(dict(a=HistoryBuffer([1], [1])), path)
    read_checkpoint(path)
    with pytest.raises(pickle.UnpicklingError, match='getattr|HistoryBuffer'):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize('keep', [.3, .9, -4])
def test_truncated_checkpoint(loader, save, keep):
    path = save(dict(state_dict=dict(weight=torch.ones(2000))))
    data = path.read_bytes()
    path.write_bytes(data[:int(len(data) * keep) if keep > 0 else keep])
    with pytest.raises(CheckpointError, match='model.pth.*(truncat|damaged)'):
        read_checkpoint(path)


@pytest.mark.parametrize('read', [read_checkpoint, load_pickle])
@pytest.mark.parametrize('content, message', [
    (b'', 'is empty'),
    (b'<!DOCTYPE html><title>404', 'not a checkpoint: it starts with .*html'),
    (b'version https://git-lfs', 'not a checkpoint: it starts with .*git-lfs'),
    (b'PK\x03\x04', 'is truncated'),
    (b'\x80\x02garbage', 'cannot be read, it may be damaged'),
])
def test_what_is_no_checkpoint(tmp_path, read, content, message):
    path = tmp_path / 'model.pth'
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match='model.pth.*' + message):
        read(path)


@pytest.mark.parametrize('read', [read_checkpoint, load_pickle])
def test_missing_file(tmp_path, read):
    for path in (tmp_path / 'no.pth', tmp_path):
        with pytest.raises(FileNotFoundError, match=str(path)):
            read(path)


@pytest.mark.parametrize('protocol', [2, 4, 5])
def test_reads_what_mmagic_pickles(tmp_path, protocol):
    path = tmp_path / 'iter_20.pkl'
    noise = np.random.RandomState(0).randn(1, 3, 4, 5).astype(np.float32)
    data = dict(
        noise_weights=[1, np.float64(.25)],
        fixed_noises=[noise, noise[:, :, ::2]],
        curr_stage=1)
    path.write_bytes(pickle.dumps(data, protocol=protocol))
    read = load_pickle(path)
    assert read['noise_weights'] == [1, .25] and read['curr_stage'] == 1
    for expected, actual in zip(data['fixed_noises'], read['fixed_noises']):
        assert actual.dtype == np.float32
        np.testing.assert_array_equal(actual, expected)


def test_saved_pickle_is_what_mmagic_reads(tmp_path):
    path = tmp_path / 'pickle' / 'iter_20.pkl'
    save_pickle(
        dict(
            noise_weights=[1, .25],
            fixed_noises=[torch.ones(1, 1, 2, 2, requires_grad=True)],
            curr_stage=0), path)
    with open(path, 'rb') as file:
        data = pickle.load(file)  # as MMagic does
    assert data['noise_weights'] == [1, .25] and data['curr_stage'] == 0
    assert type(data['fixed_noises'][0]) is np.ndarray
    assert data['fixed_noises'][0].shape == (1, 1, 2, 2)
    np.testing.assert_array_equal(
        load_pickle(path)['fixed_noises'][0], np.ones((1, 1, 2, 2)))


class _Model(nn.Module):

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def train_step(self, data, optim_wrapper):
        loss = self.layer(torch.stack(data)).square().mean()
        optim_wrapper.update_params(loss)
        return dict(loss=loss.detach())


def _runner(work_dir, max_iters, **kwargs):
    return Runner(
        model=_Model(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=[torch.ones(2)] * 4,
            sampler=dict(type='InfiniteSampler', shuffle=False),
            batch_size=2,
            collate_fn=dict(type='pseudo_collate')),
        train_cfg=dict(by_epoch=False, max_iters=max_iters),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=.1)),
        param_scheduler=dict(
            type='MultiStepLR', milestones=[3], by_epoch=False),
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook',
                interval=2,
                by_epoch=False,
                backend_args=dict(backend='atomic')),
            logger=dict(type='LoggerHook', interval=1)),
        cfg=Config(dict(default_scope='mmpe')),
        default_scope='mmpe',
        experiment_name=f'{work_dir.name}_{max_iters}_{len(kwargs)}',
        **kwargs)


def test_runner_resumes_its_own_checkpoint(tmp_path):
    _runner(tmp_path / 'a', 4).train()
    whole = read_checkpoint(tmp_path / 'a' / 'iter_4.pth')
    assert not list((tmp_path / 'a').glob('.*'))

    _runner(tmp_path / 'b', 2).train()
    # The same weights in the middle, then on from there.
    first = read_checkpoint(tmp_path / 'a' / 'iter_2.pth')
    torch.save(first, tmp_path / 'b' / 'iter_2.pth')
    runner = _runner(tmp_path / 'b', 4, resume=True)
    runner.train()
    assert runner.iter == 4
    resumed = read_checkpoint(tmp_path / 'b' / 'iter_4.pth')
    for key, value in whole['state_dict'].items():
        torch.testing.assert_close(resumed['state_dict'][key], value)


def test_runner_and_load_checkpoint_refuse_payloads(tmp_path):
    mark, path = tmp_path / 'executed', tmp_path / 'model.pth'
    torch.save(
        dict(state_dict=_Model().state_dict(), x=_payloads(mark)['system']),
        path)
    with pytest.raises(CheckpointError, match='system'):
        load_checkpoint(_Model(), str(path))
    runner = _runner(tmp_path / 'work', 2, load_from=str(path))
    with pytest.raises(CheckpointError, match='system'):
        runner.train()
    assert not mark.exists()


def test_downloads_are_read_safely(tmp_path, server):
    mark = tmp_path / 'executed'
    torch.save(dict(a=np.float64(1)), tmp_path / 'served' / 'good.pth')
    torch.save(_payloads(mark)['exec'], tmp_path / 'served' / 'bad.pth')
    load = CheckpointLoader.load_checkpoint
    assert load(server + '/good.pth') == dict(a=1)
    (tmp_path / 'served' / 'good.pth').unlink()
    assert load(server + '/good.pth') == dict(a=1)  # kept
    with pytest.raises(CheckpointError, match='exec'):
        load(server + '/bad.pth')
    assert not mark.exists()


def test_failed_download_names_the_address(tmp_path, server):
    with pytest.raises(OSError, match='Cannot download .*/no.pth.*404'):
        CheckpointLoader.load_checkpoint(server + '/no.pth')
    assert not list(tmp_path.glob('home/**/*.pth'))
