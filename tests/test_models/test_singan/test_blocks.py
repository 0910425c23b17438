"""Wide stacks, which compute otherwise than mmcv's modules."""
import pytest
import torch

from mmpe.models.singan import blocks
from mmpe.models.singan.blocks import ConvStack


def stack(channels, **kwargs):
    torch.manual_seed(0)
    module = ConvStack(
        3,
        2,
        kernel_size=3,
        padding=1,
        num_layers=4,
        base_channels=channels,
        min_feat_channels=channels,
        **kwargs)
    for name, value in module.state_dict().items():
        if 'running_var' in name:
            value.uniform_(.5, 2)
        elif value.is_floating_point():
            value.normal_(0, .1)
    return module.double()


@pytest.fixture(params=[16, 64, 128])
def pair(request, monkeypatch):
    """Ours, and one of mmcv's modules alone."""

    def make(**kwargs):
        ours = stack(request.param, **kwargs)
        with monkeypatch.context() as patch:
            patch.setattr(blocks, '_MEDIUM', 1000)
            patch.setattr(blocks, '_WIDE', 1000)
            theirs = stack(request.param, **kwargs)
        theirs.load_state_dict(ours.state_dict())
        return ours, theirs

    return make


@pytest.mark.parametrize('kwargs', [
    dict(),
    dict(norm_cfg=None),
    dict(padding_mode='reflect'),
    dict(act_cfg=dict(type='ReLU')),
    dict(conv_cfg=dict(type='Conv2d')),
])
def test_images(pair, kwargs):
    x = torch.randn(2, 3, 33, 34, dtype=torch.float64)
    for mode in (False, True):
        ours, theirs = (module.train(mode) for module in pair(**kwargs))
        expected = theirs(x)
        torch.testing.assert_close(ours(x), expected)
        with torch.no_grad():
            torch.testing.assert_close(ours(x), expected)


@pytest.mark.parametrize('mode', [False, True])
def test_gradient_penalty(pair, mode):
    x = torch.randn(1, 3, 17, 18, dtype=torch.float64, requires_grad=True)
    results = []
    for module in pair():
        module.train(mode)
        grad, = torch.autograd.grad(
            module(x).square().sum(), x, create_graph=True)
        results.append(
            torch.autograd.grad(
                grad.square().sum(), [*module.parameters(), x]))
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs)


def test_norms_become_part_of_convolutions():
    module = stack(64).eval()
    if not hasattr(module.head, 'turn_on_efficient_conv_bn_eval'):
        pytest.skip('this mmcv folds no norms')
    calls = []
    module.head.norm.register_forward_hook(lambda *args: calls.append(1))
    x = torch.zeros(1, 3, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        module(x)
        assert not calls
        module.train()(x)
    assert len(calls) == 1
    module.eval()(x)
    assert len(calls) == 2
