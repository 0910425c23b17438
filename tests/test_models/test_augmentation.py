"""Augmentation in the training of StyleGAN2 and MS-PIE."""
import pytest
import torch
import torch.nn.functional as F

from mmpe.functional.gan_losses import r1_penalty
from mmpe.models.augmentation import AdaptiveAugmentation, Augmentation

from .test_mspie.networks import (assert_resume_is_exact, mspie, optimizers,
                                  train)

ADAPTIVE = dict(
    type='AdaptiveAugmentation', num_images=40, interval=2, probability=0.4)


def images(num=8, size=(16, 16)):
    return torch.rand(
        num, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_probability_zero_changes_nothing():
    x = images()
    assert torch.equal(Augmentation(0.)(x), x)
    assert not torch.equal(Augmentation(1.)(x), x)


@pytest.mark.parametrize('name', ['translation', 'colour', 'cutout'])
def test_share_of_changed_images(name):
    x = images(400, (8, 24))
    torch.manual_seed(0)
    out = Augmentation(0.25, [name])(x)
    changed = (out != x).flatten(1).any(dim=1).float().mean()
    # Some translations are by no pixel at all: one of 3 times one of 7.
    assert 0.17 < changed < 0.32


def test_each_image_is_drawn_alone():
    x = images(1).expand(6, -1, -1, -1)
    out = Augmentation()(x)
    assert len({tuple(image.flatten().tolist()) for image in out}) == 6


def scores(share):
    """Scores of 10 images, of which a share is positive."""
    return torch.where(torch.arange(10) < 10 * share, 1., -2.)[:, None]


@pytest.mark.parametrize('share, change', [(1., 1), (.9, 1), (.7, -1),
                                           (.1, -1)])
def test_probability_follows_the_signs(share, change):
    model = AdaptiveAugmentation(
        num_images=400, interval=3, probability=0.5)
    for iteration in range(3):
        assert float(model.probability) == 0.5
        model.observe(scores(share), iteration)
    assert float(model.probability) == pytest.approx(0.5 + change * 30 / 400)
    assert model.signs.tolist() == [0, 0]


def test_probability_stays_in_its_range():
    model = AdaptiveAugmentation(
        num_images=10, interval=1, probability=0.3, max_probability=0.7)
    model.observe(scores(1.), 0)
    assert float(model.probability) == pytest.approx(0.7)
    model.observe(scores(0.), 1)
    assert float(model.probability) == 0


@pytest.mark.parametrize('kwargs, message', [
    (dict(probability=1.5), '`probability` must be a number from 0 to 1'),
    (dict(probability='often'), '`probability` must be a number'),
    (dict(transforms=['rotation']), '`transforms` must be a subset of'),
    (dict(transforms=[]), '`transforms` must be a subset of'),
    (dict(target=2), '`target` must be a number from -1'),
    (dict(num_images=0), '`num_images` must be a positive integer'),
    (dict(interval=1.5), '`interval` must be a positive integer'),
    (dict(probability=.9), '`max_probability` must be a number from 0.9'),
])
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveAugmentation(**kwargs)


# -- training --


def test_without_it_the_state_is_as_ever():
    names = set(mspie().state_dict())
    more = set(mspie(augmentation=ADAPTIVE).state_dict()) - names
    assert not any('augment' in name for name in names)
    assert more == {'augmentation.probability', 'augmentation.signs'}


def test_checkpoints_from_before_load():
    model = mspie(augmentation=ADAPTIVE)
    keys = model.load_state_dict(mspie().state_dict(), strict=False)
    assert set(keys.missing_keys) == {
        'augmentation.probability', 'augmentation.signs'
    }
    assert float(model.augmentation.probability) == pytest.approx(0.4)


def test_real_and_generated_images_of_all_sizes_are_augmented():
    model = mspie(augmentation=dict(type='Augmentation'))
    augmented, scored = [], []
    model.augmentation.register_forward_hook(
        lambda module, args, output: augmented.append(output.detach()))
    model.discriminator.register_forward_pre_hook(
        lambda module, args: scored.append(args[0].detach()))
    logs = train(model, optimizers(model), range(8))
    assert len({int(log['scale']) for log in logs}) == 3
    # Twice in the discriminator's step and once in the generator's.
    assert len(augmented) == 3 * 8
    assert [float(log['augmentation']) for log in logs] == [1.] * 8
    assert sum(map(len, scored)) == sum(map(len, augmented))
    for seen in scored:
        found = [x for x in augmented if x.shape[1:] == seen.shape[1:]]
        known = torch.cat(found).flatten(1)
        for image in seen.flatten(1):
            assert (known == image).all(dim=1).any()


def test_r1_is_taken_at_the_images_as_they_are():
    model = mspie(
        augmentation=dict(type='Augmentation'),
        loss_config=dict(r1_interval=1, r1_loss_weight=2.))
    reals, fakes = images(2, (32, 32)), images(4, (32, 32))[2:]
    torch.manual_seed(7)
    loss = model.disc_loss(fakes, reals, 0)['loss_r1_gp']
    parameters = list(model.discriminator.parameters())
    actual = torch.autograd.grad(loss, parameters, allow_unused=True)

    torch.manual_seed(7)
    leaves = reals.clone().requires_grad_()
    scores = model.discriminator(model.augmentation(leaves))
    gradient, = torch.autograd.grad(scores.sum(), leaves, create_graph=True)
    # What moves out of the image, or lies in the hole, has no influence.
    assert (gradient == 0).any() and (gradient != 0).any()
    expected_loss = 2 * r1_penalty(gradient)
    torch.testing.assert_close(loss, expected_loss)
    expected = torch.autograd.grad(
        expected_loss, parameters, allow_unused=True)
    for x, y in zip(actual, expected):
        assert (x is None) == (y is None)
        if x is not None:
            torch.testing.assert_close(x, y)


def test_second_derivative_of_r1():
    """Against differences of the penalty, with a smooth discriminator."""
    augmentation = Augmentation().double()
    reals = images(3, (6, 8)).double()

    def penalty(weight):
        torch.manual_seed(7)
        leaves = reals.clone().requires_grad_()
        scores = F.conv2d(augmentation(leaves), weight).tanh().flatten(1)
        gradient, = torch.autograd.grad(
            scores.sum(), leaves, create_graph=True)
        return r1_penalty(gradient)

    weight = torch.randn(
        2, 3, 3, 3, generator=torch.Generator().manual_seed(1)).double() / 5
    assert torch.autograd.gradcheck(penalty, weight.requires_grad_())


def test_differences_are_observed_with_the_relativistic_loss():
    model = mspie(
        augmentation=dict(ADAPTIVE, probability=0.),
        loss_config=dict(adversarial='relativistic'))
    shift = [0.]
    model.discriminator.register_forward_hook(
        lambda module, args, output: output * 0 + shift[0] + torch.arange(
            len(output))[:, None])
    signs = []
    for shift[0] in (-100., 100.):  # fakes come first, and score less
        model.augmentation.signs.zero_()
        model.disc_loss(images(2), images(2), 2)
        signs.append(model.augmentation.signs.tolist())
    assert signs == [[2, 2], [2, 2]]


def test_resume_is_exact():
    saved, logs = assert_resume_is_exact(augmentation=ADAPTIVE)
    assert saved['augmentation.signs'][1] > 0  # in the middle of an interval
    assert len({float(log['augmentation']) for log in logs}) > 1
