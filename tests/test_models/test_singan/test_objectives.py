"""How a scale is trained can be exchanged."""
import pytest
import torch
from torch import nn

from mmpe.models.singan import WholeImages
from mmpe.registry import MODELS, build_from

from .conftest import model_cfg, random_pyramid


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
     r"add nothing to .*, but HoldsWeights adds \['bias', 'weight'\]"),
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
