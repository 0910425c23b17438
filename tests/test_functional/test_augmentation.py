"""Differentiable transforms, against loops over images and pixels."""
import pytest
import torch

from mmpe.functional.augmentation import adjust_colour, cut_out, translate


def images(num=3, size=(5, 7), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, 3, *size, generator=generator).double()


def test_translate_moves_down_and_to_the_right():
    x = images()
    shifts = torch.tensor([[1, -2], [0, 0], [-4, 6]])
    expected = torch.zeros_like(x)
    for index, (down, right) in enumerate(shifts.tolist()):
        for row in range(5):
            for column in range(7):
                if 0 <= row - down < 5 and 0 <= column - right < 7:
                    expected[index, :, row, column] = (
                        x[index, :, row - down, column - right])
    assert torch.equal(translate(x, shifts), expected)


def test_colours():
    x = images()
    brightness = torch.tensor([0.3, 0., -0.2]).double()
    saturation = torch.tensor([0.5, -1., 0.]).double()
    contrast = torch.tensor([-0.5, 0.2, 0.]).double()
    out = adjust_colour(x, brightness, saturation, contrast)
    for index, image in enumerate(x):
        image = image + brightness[index]
        grey = image.mean(dim=0)
        image = torch.stack(
            [grey + (1 + saturation[index]) * (c - grey) for c in image])
        mean = image.mean()
        image = mean + (1 + contrast[index]) * (image - mean)
        torch.testing.assert_close(out[index], image)
    assert torch.allclose(out[1, 0], out[1, 2])  # without colours


def test_cut_out():
    x = images(size=(8, 8)) + 9
    centres = torch.tensor([[0.5, 0.25], [0., 1.], [0.5, 0.5]])
    out = cut_out(x, centres, torch.tensor([0.5, 0.5, 0.]))
    expected = x.clone()
    expected[0, :, 2:6, 0:4] = 0
    expected[1, :, :2, 6:] = 0
    assert torch.equal(out, expected)


TRANSFORMS = dict(
    translate=lambda x: translate(x, torch.tensor([[1, -1], [0, 2]])),
    colour=lambda x: adjust_colour(
        x, *torch.tensor([[.1, -.2], [.5, -.5], [.3, -.1]]).double()),
    cut_out=lambda x: cut_out(x, torch.tensor([[.2, .6], [.9, .1]]),
                              torch.tensor([.5, .5])))


@pytest.mark.parametrize('name', TRANSFORMS)
def test_gradients(name):
    x = images(2, (3, 4)).requires_grad_()
    # Not linear in the images, so that second derivatives are not zero.
    def squares(x):
        return TRANSFORMS[name](x).square()

    assert torch.autograd.gradcheck(squares, x)
    assert torch.autograd.gradgradcheck(squares, x)


def test_amounts_of_zero_change_nothing():
    x, zero = images().float(), torch.zeros(3)
    assert torch.equal(translate(x, torch.zeros(3, 2, dtype=torch.long)), x)
    assert torch.equal(adjust_colour(x, zero, zero, zero), x)
    assert torch.equal(cut_out(x, torch.rand(3, 2), zero), x)
