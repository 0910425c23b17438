"""Same weights, noise and scale: same outputs, losses and gradients."""
import mmagic.models.editors.mspie  # registers the reference
import mmagic.models.editors.singan  # noqa: F401
import pytest
import torch
from mmagic.registry import MODELS as MMAGIC_MODELS

from mmpe.registry import MODELS, build_from

from .conftest import SIZES, model_cfg, random_pyramid

STAGES = [0, 1, len(SIZES) - 1]


def set_state(model, stage):
    """Put a model into the middle of the training of a scale."""
    model.reals = random_pyramid()
    model.fixed_noises = []
    torch.manual_seed(1)
    model.construct_fixed_noises()
    model.noise_weights = [1, .3, .2, .25, .15, .4]
    model.curr_stage = stage


def randomize(model):
    """Weights that matter everywhere, running statistics included."""
    torch.manual_seed(0)
    for name, value in model.state_dict().items():
        if not isinstance(value, torch.Tensor):
            continue
        if 'running_var' in name:
            value.uniform_(.5, 2)
        elif value.is_floating_point():
            value.copy_(torch.randn_like(value) * .2)


@pytest.fixture
def models(head):
    ours = build_from(MODELS, model_cfg(head))
    theirs = MMAGIC_MODELS.build({**model_cfg(head), '_scope_': 'mmagic'})
    assert type(theirs).__module__.startswith('mmagic.')
    randomize(ours)
    state = ours.state_dict()
    state.pop('_extra_state')
    expected = theirs.state_dict()
    assert {k: v.shape for k, v in state.items()} == {
        k: v.shape for k, v in expected.items()}
    theirs.load_state_dict(state)
    return ours, theirs


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_fixed_noises(models):
    for model in models:
        set_state(model, 0)
    for ours, theirs in zip(*(model.fixed_noises for model in models)):
        assert_same(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['rand', 'recon'])
@pytest.mark.parametrize('stage', STAGES)
def test_generator(models, mode, stage):
    results = []
    for model in models:
        set_state(model, stage)
        model.eval()
        torch.manual_seed(2)
        results.append(
            model.generator(
                None,
                model.fixed_noises,
                model.noise_weights,
                mode,
                stage,
                get_prev_res=True,
                return_noise=True))
    assert_same(results[0]['fake_img'], results[1]['fake_img'])
    # MMagic's plain SinGAN does not return its noises.
    for key in results[1].keys() - {'fake_img'}:
        assert len(results[0][key]) == len(results[1][key])
        for ours, theirs in zip(results[0][key], results[1][key]):
            assert_same(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize('stage', STAGES)
def test_discriminator(models, stage):
    image = random_pyramid()[stage]
    for mode in (True, False):
        ours, theirs = (
            model.train(mode).discriminator(image, stage) for model in models)
        assert_same(ours, theirs)


class RecordingOptimizer:
    """Takes the place of an optimiser: keeps gradients, steps nowhere."""

    def __init__(self, parameters):
        self.parameters = list(parameters)
        self.loss = 0
        self.gradients = [torch.zeros_like(p) for p in self.parameters]

    def backward(self, loss):
        self.loss = self.loss + loss.detach()
        # The gradient penalty does not depend on the last bias.
        gradients = torch.autograd.grad(
            loss, self.parameters, allow_unused=True)
        for total, gradient in zip(self.gradients, gradients):
            if gradient is not None:
                total += gradient

    update_params = backward

    def step(self):
        pass

    def zero_grad(self):
        pass


@pytest.mark.slow
@pytest.mark.parametrize('step', ['train_discriminator', 'train_generator'])
@pytest.mark.parametrize('stage', STAGES)
def test_losses_and_gradients(models, step, stage):
    results = []
    for is_ours, model in zip((True, False), models):
        set_state(model, stage)
        model.train()
        # We freeze earlier scales in evaluation mode; MMagic does not.
        if is_ours:
            model._activate(stage)
        else:
            model.generator.blocks[:stage].eval()
        network = model.discriminator if 'disc' in step else model.generator
        optimizer = RecordingOptimizer(network.blocks[stage].parameters())
        torch.manual_seed(4)
        inputs = dict(input_sample=torch.zeros_like(model.reals[0]))
        log_vars = getattr(model, step)(inputs, None, optimizer)
        results.append((optimizer, log_vars))
    (ours, our_log), (theirs, their_log) = results
    assert_same(ours.loss, theirs.loss)
    assert our_log.keys() == their_log.keys()
    for key, value in our_log.items():
        assert_same(torch.as_tensor(value), torch.as_tensor(their_log[key]))
    for a, b in zip(ours.gradients, theirs.gradients):
        scale = b.abs().max()
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4 * scale.item())


@pytest.mark.parametrize('stage', [1, 4])
def test_weights_of_the_previous_scale(models, stage):
    states = []
    for model in models:
        model.generator.check_and_load_prev_weight(stage)
        model.discriminator.check_and_load_prev_weight(stage)
        state = model.state_dict()
        state.pop('_extra_state', None)
        states.append(state)
    for key, value in states[1].items():
        assert torch.equal(states[0][key], value), key
