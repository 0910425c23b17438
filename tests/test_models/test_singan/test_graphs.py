"""Training with CUDA graphs is training, shown by a stand-in for them."""
import copy

import pytest
import torch
from torch.utils._pytree import tree_flatten

from mmpe.engine.optimizers import adam
from mmpe.models.singan import SinGAN, WholeImages
from mmpe.registry import MODELS

from ..cpu_graph import CPUGraph
from .conftest import context_cfg, model_cfg
from .training import build, train

pytestmark = pytest.mark.skipif(
    not adam._FUSED_ON_CPU, reason='this torch has no fused Adam on the CPU')
SIZES = [(12, 16), (24, 32)]
SCHEDULE = dict(milestones=[6], gamma=.5)
EDITED = dict(type='EditedLayouts', penalty_interval=2, reuse_images=True)
EMA = dict(type='ExponentialMovingAverage', momentum=.1, interval=2)
CASES = {
    'context': context_cfg(
        1, iters_per_scale=8, lr_scheduler_args=SCHEDULE),
    'edited': context_cfg(
        1, iters_per_scale=24, lr_scheduler_args=SCHEDULE, objective=EDITED),
    'rounds': model_cfg(
        'csg', 1, iters_per_scale=5, lr_scheduler_args=SCHEDULE),
    'average': model_cfg(
        'spe8',
        1,
        iters_per_scale=6,
        lr_scheduler_args=SCHEDULE,
        ema_config=EMA,
        discriminator_steps=1),
}


@MODELS.register_module()
class OtherLosses(WholeImages):

    def gen_losses(self, model):
        yield from super().gen_losses(model)


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    monkeypatch.setattr(SinGAN, '_graph_type', CPUGraph)
    monkeypatch.setattr(CPUGraph, 'num_captures', 0)
    monkeypatch.setattr(CPUGraph, 'num_replays', 0)


def states(model, wrappers):
    return copy.deepcopy([model.state_dict(), wrappers.state_dict()])


def assert_equal(first, second):
    (first, tree), (second, other) = map(tree_flatten, (first, second))
    assert tree == other
    for a, b in zip(first, second):
        assert type(a) is type(b)
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def whole_run(cfg, **options):
    model, wrappers = build(dict(cfg, **options))
    logs = train(model, wrappers, range(2 * model.iters_of_scale), SIZES)
    return states(model, wrappers), [dict(log) for log in logs]


@pytest.mark.slow
@pytest.mark.parametrize('case', CASES)
def test_same_as_without(case):
    expected = whole_run(CASES[case])
    assert CPUGraph.num_captures == 0
    assert_equal(whole_run(CASES[case], cuda_graphs=True), expected)
    assert CPUGraph.num_replays > CPUGraph.num_captures > 1


def test_resumed():
    model, wrappers = build(dict(CASES['context'], cuda_graphs=True))
    train(model, wrappers, range(13), SIZES)
    before, random = states(model, wrappers), torch.get_rng_state()
    train(model, wrappers, range(13, 16), SIZES)

    resumed, its_wrappers = build(dict(CASES['context'], cuda_graphs=True))
    resumed.load_state_dict(before[0])
    its_wrappers.load_state_dict(before[1])
    torch.set_rng_state(random)
    train(resumed, its_wrappers, range(13, 16), SIZES)
    assert_equal(states(resumed, its_wrappers), states(model, wrappers))


def test_a_loaded_state_stays_as_it_is():
    model, wrappers = build(CASES['context'])
    train(model, wrappers, range(9), SIZES)
    twin, its_wrappers = build(CASES['context'])
    twin.load_state_dict(model.state_dict())
    before = states(model, wrappers)
    train(twin, its_wrappers, range(9, 12), SIZES)
    assert_equal(states(model, wrappers), before)


def test_other_tensors_are_captured_anew():
    model, wrappers = build(dict(CASES['context'], cuda_graphs=True))
    train(model, wrappers, range(5), SIZES)
    assert CPUGraph.num_captures == 1
    # The optimiser gets other tensors; the model is told itself.
    for reload in (lambda: wrappers.load_state_dict(wrappers.state_dict()),
                   lambda: model.load_state_dict(model.state_dict()),
                   lambda: model.float()):
        before = CPUGraph.num_captures, CPUGraph.num_replays
        reload()
        train(model, wrappers, range(3, 6), SIZES)  # warms up
        assert (CPUGraph.num_captures, CPUGraph.num_replays) == before
        train(model, wrappers, [5], SIZES)
        assert CPUGraph.num_captures == before[0] + 1


def test_logs_and_copies_are_their_own():
    model, wrappers = build(dict(CASES['context'], cuda_graphs=True))
    logs = train(model, wrappers, range(7), SIZES)
    errors = [float(log['loss_mse']) for log in logs]
    assert len(set(errors)) == 7
    twin, its_wrappers = copy.deepcopy((model, wrappers))
    before = states(model, wrappers)
    train(twin, its_wrappers, range(4, 8), SIZES)
    assert_equal(states(model, wrappers), before)


@pytest.mark.parametrize('change, reason', [
    (dict(graph=None), "the model is on 'cpu' instead of a GPU"),
    (dict(objective=dict(type='OtherLosses')), 'OtherLosses does not say'),
    (dict(clip_grad_kwargs=dict(max_norm=1)), 'gradients are clipped'),
    (dict(fused=False), 'the optimiser must be a fused Adam'),
])
def test_why_not(change, reason, monkeypatch):
    if 'graph' in change:
        monkeypatch.undo()
    captures = CPUGraph.num_captures
    said = []
    monkeypatch.setattr('mmpe.models.singan.singan.print_log',
                        lambda line, *args: said.append(line))
    objective = dict(objective=change.get('objective'))
    model, wrappers = build(
        dict(CASES['context'], cuda_graphs=True, **objective))
    for wrapper in wrappers.optim_wrappers.values():
        wrapper.clip_grad_kwargs = change.get('clip_grad_kwargs')
        wrapper.clip_func = torch.nn.utils.clip_grad_norm_
        wrapper.grad_name = 'norm'
        wrapper.param_groups[0]['fused'] = change.get('fused', True)
    train(model, wrappers, range(9), SIZES)
    assert len(said) == 1 and reason in said[0]
    assert CPUGraph.num_captures == captures


def test_what_cannot_be_captured(monkeypatch):
    model, wrappers = build(dict(CASES['context'], cuda_graphs=True))
    error = model.objective.error
    monkeypatch.setattr(model.objective, 'error',
                        lambda model: error(model) * _read(model.real))
    train(model, wrappers, range(3), SIZES)
    with pytest.raises(RuntimeError, match='cannot be captured .* a wait'):
        train(model, wrappers, [3], SIZES)


def _read(x):
    return 1 + 0 * x.mean().item()
