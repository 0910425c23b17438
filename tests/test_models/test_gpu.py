"""What only a GPU can show."""
from contextlib import contextmanager

import pytest
import torch
from mmengine import MessageHub

from mmpe.engine.optimizers import Adam, BFloat16OptimWrapper
from mmpe.functional.memory_format import contiguous_maps
from mmpe.models.data_preprocessor import DataPreprocessor
from mmpe.models.singan.graphs import CUDAGraph

from .test_mspie.networks import batch, mspie, optimizers
from .test_singan.conftest import HEADS, model_cfg
from .test_singan.test_graphs import CASES
from .test_singan.test_graphs import SIZES as TWO_SIZES
from .test_singan.training import build, train

pytestmark = pytest.mark.gpu


@contextmanager
def no_synchronisation():
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode('default')


def on_gpu(cfg, wrapper_type=None):
    """Logs of a whole training."""
    model, wrappers = build(cfg, 'cuda')
    if wrapper_type:
        for name, wrapper in wrappers.optim_wrappers.items():
            wrappers.optim_wrappers[name] = wrapper_type(wrapper.optimizer)
    with torch.backends.cudnn.flags(
            enabled=True, deterministic=True, allow_tf32=False):
        logs = train(model, wrappers, range(2 * model.iters_of_scale),
                     TWO_SIZES)
    assert bool(cfg.get('cuda_graphs')) == (model._graphs is not None)
    assert model.cuda_graphs == bool(cfg.get('cuda_graphs'))
    rates = [wrapper.param_groups[0]['lr']
             for wrapper in wrappers.optim_wrappers.values()]
    assert all(isinstance(rate, float) for rate in rates)
    return [{key: float(value) for key, value in log.items()} for log in logs]


def assert_close(actual, expected, rtol):
    assert [list(log) for log in actual] == [list(log) for log in expected]
    for ours, theirs in zip(actual, expected):
        for key, value in theirs.items():
            assert ours[key] == pytest.approx(value, rel=rtol, abs=rtol), key


@pytest.mark.parametrize('case', CASES)
def test_graphs(case):
    expected = on_gpu(CASES[case])
    assert_close(on_gpu(dict(CASES[case], cuda_graphs=True)), expected, 1e-2)


def test_graphs_in_bfloat16():
    expected = on_gpu(CASES['rounds'], BFloat16OptimWrapper)
    actual = on_gpu(
        dict(CASES['rounds'], cuda_graphs=True), BFloat16OptimWrapper)
    assert_close(actual, expected, 5e-2)


@pytest.mark.parametrize('head', HEADS)
@pytest.mark.parametrize('graphs', [False, True])
def test_singan_does_not_wait(head, graphs):
    cfg = model_cfg(
        head, num_scales=1, iters_per_scale=6, cuda_graphs=graphs)
    model, wrappers = build(cfg, 'cuda')
    # Of the second scale's first 13 iterations four update the generator: the
    # last of them is captured. The end of a scale has to read a number.
    train(model, wrappers, range(31), TWO_SIZES)
    with no_synchronisation():
        train(model, wrappers, range(31, 35), TWO_SIZES)


@pytest.mark.parametrize('case', ['context', 'edited'])
def test_context_singan_does_not_wait(case):
    model, wrappers = build(CASES[case], 'cuda')
    train(model, wrappers, range(4), TWO_SIZES)
    with no_synchronisation():
        train(model, wrappers, range(4, 7), TWO_SIZES)


@pytest.mark.parametrize('row', ['c', 'd', 'f', 'k', 'transposed'])
def test_mspie_does_not_wait(row):
    model = mspie(row, train_settings=dict(multi_input_scales=[2])).cuda()
    wrappers = optimizers(model)
    for wrapper in wrappers.optim_wrappers.values():
        wrapper.optimizer = Adam(wrapper.param_groups[0]['params'])
        assert wrapper.param_groups[0]['fused']

    def iterate(iteration):
        MessageHub.get_current_instance().update_info('iter', iteration)
        model.train_step(batch(), wrappers)

    for iteration in (0, 1):
        iterate(iteration)
    with no_synchronisation():
        for iteration in (16, 17):
            iterate(iteration)


def test_contiguous_maps():
    torch.manual_seed(0)
    model = mspie().cuda()
    images = torch.randn(2, 3, 48, 48, device='cuda')
    expected = model.discriminator(images)
    with contiguous_maps():
        actual = model.discriminator(images)
    torch.testing.assert_close(actual, expected, rtol=1e-2, atol=1e-2)


def test_images_are_copied():
    on_host, on_device = DataPreprocessor(), DataPreprocessor().cuda()
    expected, actual = on_host(batch(), True), on_device(batch(), True)
    for a, b in ((actual['inputs'], expected['inputs']),
                 (actual['data_samples'].gt_img,
                  expected['data_samples'].gt_img)):
        assert a.is_cuda
        torch.testing.assert_close(a.cpu(), b)


def test_random_numbers_of_a_graph_are_new():
    x = torch.zeros(4, device='cuda')
    graph = CUDAGraph(lambda: x.copy_(torch.randn(4, device='cuda')), [])
    torch.cuda.manual_seed(0)
    expected = [torch.randn(4, device='cuda') for _ in range(3)]
    torch.cuda.manual_seed(0)
    for value in expected:
        graph.replay()
        assert torch.equal(x, value)
