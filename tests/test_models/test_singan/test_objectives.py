"""How a scale is trained can be exchanged."""
import pytest
import torch
from torch import nn

from mmpe.models.singan import WholeImages
from mmpe.models.singan.objectives import CellMove
from mmpe.registry import MODELS, build_from

from .conftest import context_cfg, model_cfg, random_pyramid


@MODELS.register_module()
class HoldsWeights(nn.Linear):

    def __init__(self):
        super().__init__(1, 1)


def build(**kwargs):
    return build_from(MODELS, model_cfg('csg', **kwargs))


def weights_of(model):
    return (model.objective.gradient_penalty_weight,
            model.objective.reconstruction_weight)


@pytest.mark.parametrize('kwargs, expected', [
    (dict(), (0.1, 10)),
    (dict(reconstruction_weight=7), (0.1, 7)),
    (dict(gradient_penalty_weight=0), (0, 10)),
    (dict(objective=dict(gradient_penalty_weight=3)), (3, 10)),
    (dict(objective=dict(type='WholeImages', reconstruction_weight=2),
          reconstruction_weight=7, gradient_penalty_weight=1), (1, 2)),
])
def test_weights(kwargs, expected):
    model = build(**kwargs)
    assert type(model.objective) is WholeImages
    assert weights_of(model) == expected


@pytest.mark.parametrize('objective, error, message', [
    (dict(weight=3), TypeError, "unexpected keyword argument 'weight'"),
    (dict(type='Missing'), KeyError, 'Missing is not in'),
    (dict(type='HoldsWeights'), ValueError,
     r"not add to .*, but HoldsWeights adds \['bias', 'weight'\]"),
])
def test_bad_objectives(objective, error, message):
    with pytest.raises(error, match=message):
        build(objective=objective)


@pytest.mark.parametrize('stage', [0, 2])
def test_what_a_model_offers(stage):
    model = build()
    model.reals = random_pyramid()
    model.construct_fixed_noises()
    model.noise_weights = [1, .3, .2]
    model.curr_stage = stage
    for parameter in model.generator.parameters():
        nn.init.normal_(parameter, std=.2)
    model.eval()
    model._activate(stage)
    assert torch.equal(model.real, model.reals[stage])
    torch.testing.assert_close(
        model.reconstruction(), model.sample(mode='recon'))
    assert (model.recon_input is None) == (stage == 0)
    images = model.random_image(num_batches=3)
    assert images.shape == (3, *model.real.shape[1:])
    assert torch.equal(
        model.scores(images), model.current_discriminator(images))
    torch.manual_seed(1)
    first = model.random_image()
    torch.manual_seed(1)
    codes = model.encode_positions(
        torch.zeros(2, *model.pyramid_sizes[0]))
    assert not torch.equal(first, model.random_image(position_codes=codes))
    assert all(p.requires_grad for p in model.current_generator.parameters())


def ready_model(**kwargs):
    """A ContextSinGAN at its second scale, about to be trained."""
    model = build_from(MODELS, context_cfg(**kwargs))
    sizes = [(12, 16), (24, 32), (48, 64)]
    model.reals = [torch.rand(1, 3, *size) * 2 - 1 for size in sizes]
    model.construct_fixed_noises()
    model.noise_weights = [1, .3, .2]
    model.curr_stage = 1
    model._activate(1)
    return model


def test_lazy_penalty():
    model = build(objective=dict(penalty_interval=3))
    model.reals = random_pyramid()
    model.construct_fixed_noises()
    model.curr_stage = 0
    names = []
    for model.curr_step in range(6):
        names.append([name for name, _ in model.objective.disc_losses(model)])
    usual = ['loss_disc_fake', 'loss_disc_real']
    assert names == 2 * [[*usual, 'loss_gp'], usual, usual]

    model.curr_step = 0

    def penalty():
        torch.manual_seed(0)
        return dict(model.objective.disc_losses(model))['loss_gp']

    lazy = penalty()
    model.objective.penalty_interval = 1
    torch.testing.assert_close(lazy, 3 * penalty())


def test_reused_images():
    """Both networks see one image, which takes one random draw."""
    model = ready_model(objective=dict(reuse_images=True))
    seen = []
    model.discriminator.register_forward_hook(
        lambda module, args, output: seen.append(args[0].detach()))
    list(model.objective.disc_losses(model))
    state = torch.get_rng_state()
    losses = model.objective.gen_losses(model)
    adversarial = next(losses)[1]
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(seen[0], seen[-1])
    adversarial.backward()
    assert model.current_generator.tail.conv.weight.grad.abs().sum() > 0
    list(losses)
    # The next update would draw anew.
    next(model.objective.gen_losses(model))
    assert not torch.equal(state, torch.get_rng_state())


def test_edited_layouts():
    model = ready_model(
        objective=dict(type='EditedLayouts', probability=1, seam=1))
    torch.manual_seed(0)
    with torch.no_grad():
        error = model.objective.error(model)
        torch.manual_seed(0)
        move = CellMove.random((12, 16))
        image = model.reconstruction(edit=move)
    (height, width), (top, left), (y, x) = move.size, move.old, move.new
    target = model.real.clone()
    target[..., 2 * y:2 * (y + height), 2 * x:2 * (x + width)] = model.real[
        ..., 2 * top:2 * (top + height), 2 * left:2 * (left + width)]
    # One cell on both sides of the border does not count.
    counts = torch.ones(1, 1, 24, 32)
    counts[..., max(2 * y - 2, 0):2 * (y + height) + 2,
           max(2 * x - 2, 0):2 * (x + width) + 2] = 0
    rows, cols = [(2 * start + 2 * (start > 0),
                   2 * (start + side) - 2 * (start + side < length))
                  for start, side, length in zip(move.new, move.size,
                                                 (12, 16))]
    counts[..., slice(*rows), slice(*cols)] = 1
    torch.testing.assert_close(error,
                               ((image - target).square() * counts).mean())


def test_moves_stay_inside():
    torch.manual_seed(0)
    for _ in range(200):
        move = CellMove.random((7, 11))
        for length, side, old, new in zip((7, 11), move.size, move.old,
                                          move.new):
            assert 1 <= side <= length // 2
            assert 0 <= min(old, new) and max(old, new) + side <= length


def test_how_often_layouts_are_edited():
    model = ready_model(
        objective=dict(type='EditedLayouts', probability=.25))
    edited = torch.tensor(
        [model.objective._is_edited(model) for model.curr_step in range(2000)])
    torch.testing.assert_close(
        edited.float().mean(0), torch.tensor([.25, .25]), atol=.03, rtol=0)
    assert abs(float(edited.all(1).float().mean()) - .25**2) < .02


def test_moves_are_drawn_evenly():
    torch.manual_seed(0)
    moves = [CellMove.random((10, 3)) for _ in range(1500)]
    for axis, sizes in ((0, [2, 3, 4, 5]), (1, [1])):
        found = [int(move.size[axis]) for move in moves]
        assert sorted(set(found)) == sizes
        assert min(map(found.count, sizes)) > .8 * 1500 / len(sizes)
    # Columns 0, 1 and 2 are as frequent.
    for corner in ('old', 'new'):
        found = [int(getattr(move, corner)[1]) for move in moves]
        assert min(map(found.count, range(3))) > 400


def test_no_edits():
    model = ready_model(objective=dict(type='EditedLayouts', probability=0))
    with torch.no_grad():
        torch.testing.assert_close(
            model.objective.error(model),
            (model.reconstruction() - model.real).square().mean())


@pytest.mark.parametrize('kwargs, message', [
    (dict(penalty_interval=0), 'must be at least 1, but got 0'),
    (dict(type='EditedLayouts', probability=2), 'from 0 to 1, but got 2'),
])
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        build(objective=kwargs)


def test_checks():
    model = ready_model(
        generator_steps=2, objective=dict(reuse_images=True))
    with pytest.raises(ValueError, match='but got 2 and 1'):
        model.objective.check(model)
    model = ready_model(objective=dict(type='EditedLayouts'))
    model.objective.check(model)
    model.reals[0] = torch.zeros(1, 3, 13, 17)
    with pytest.raises(ValueError, match='sizes double from scale to scale'):
        model.objective.check(model)
    model = build(objective=dict(type='EditedLayouts'))
    model.reals = [torch.zeros(1, 3, 8 * 2**i, 8 * 2**i) for i in range(3)]
    model.construct_fixed_noises()
    with pytest.raises(ValueError, match='needs a ContextSinGAN, but got a '
                       'PESinGAN'):
        model.objective.check(model)
