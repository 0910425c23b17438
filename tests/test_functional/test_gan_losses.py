import math

import pytest
import torch

from mmpe.functional.gan_losses import (input_gradient, logistic_loss,
                                        path_length_penalty, path_lengths,
                                        r1_penalty, relativistic_loss)


def test_logistic_loss():
    scores = torch.tensor([[0.5], [-2.]])
    real = (math.log1p(math.exp(-0.5)) + math.log1p(math.exp(2))) / 2
    fake = (math.log1p(math.exp(0.5)) + math.log1p(math.exp(-2))) / 2
    assert float(logistic_loss(scores, True)) == pytest.approx(real)
    assert float(logistic_loss(scores, False)) == pytest.approx(fake)
    assert logistic_loss(scores.bfloat16(), True).dtype == torch.float32


def test_relativistic_loss():
    scores, others = torch.tensor([[0.5], [-2.]]), torch.tensor([[1.], [0.]])
    expected = (math.log1p(math.exp(0.5)) + math.log1p(math.exp(2.))) / 2
    assert float(relativistic_loss(scores, others)) == pytest.approx(expected)
    assert relativistic_loss(scores.bfloat16(),
                             others).dtype == torch.float32


def test_r1_of_a_linear_score_is_the_norm_of_its_weight():
    weight = torch.randn(3, 4, 4)
    images = torch.randn(2, 3, 4, 4, requires_grad=True)
    gradient = input_gradient((images * weight).sum(dim=(1, 2, 3)), images)
    norm = float(weight.square().sum())
    assert float(r1_penalty(gradient, 'HWC')) == pytest.approx(norm)
    assert float(r1_penalty(gradient, 'pixel')) == pytest.approx(norm / 16)


def test_r1_has_a_gradient():
    images = torch.ones(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    factor = torch.tensor(3., dtype=torch.float64, requires_grad=True)
    gradient = input_gradient((factor * images.square()).sum(), images)
    r1_penalty(gradient).backward()
    # 4 pixels of (2 * factor)^2.
    assert float(factor.grad) == pytest.approx(4 * 8 * 3)


def test_r1_norm_mode():
    with pytest.raises(ValueError, match='`norm_mode` must be'):
        r1_penalty(torch.zeros(1, 3, 2, 2), 'CHW')


def test_path_length_of_a_linear_generator():
    torch.manual_seed(0)
    jacobian = torch.randn(3 * 4 * 4, 2 * 5)
    latents = torch.randn(1, 2, 5, requires_grad=True)
    images = (jacobian @ latents.reshape(-1)).reshape(1, 3, 4, 4)
    torch.manual_seed(1)
    lengths = path_lengths(images, latents)
    torch.manual_seed(1)
    direction = torch.randn(1, 3, 4, 4).reshape(-1) / 4
    per_layer = (jacobian.t() @ direction).reshape(2, 5).square().sum(dim=1)
    torch.testing.assert_close(lengths, per_layer.mean()[None].sqrt())


def test_path_length_penalty():
    penalty, mean = path_length_penalty(
        torch.tensor([1., 3.]), torch.tensor(1.), decay=0.5)
    assert float(mean) == 1.5  # halfway to the mean of 2
    assert float(penalty) == pytest.approx((0.5**2 + 1.5**2) / 2)
