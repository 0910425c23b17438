"""Generators and discriminators of all 13 rows against MMagic's."""
import pytest
import torch

from .. import oracle
from ..oracle import ROWS

WIDTH = 1 / 64


def test_all_rows_are_there():
    assert len(ROWS) == 13


def inputs(generator, scale, num=2):
    torch.manual_seed(1)
    noise = torch.randn(num, generator.style_channels)
    if scale == 0:
        return noise, generator.make_injected_noise()
    return noise, generator.make_injected_noise(scale)


@pytest.mark.slow
@pytest.mark.parametrize('row', ROWS)
def test_generator(row):
    model = oracle.row_model(row)
    ours, theirs = oracle.build_pair(model.generator, WIDTH)
    assert oracle.shapes(ours) == oracle.shapes(theirs)
    ours.eval(), theirs.eval()
    for scale in {0, oracle.largest_scale(model)}:
        noise, injected = inputs(theirs, scale)
        kwargs = dict(injected_noise=injected)
        if scale:
            kwargs['chosen_scale'] = scale
        with torch.no_grad():
            oracle.assert_close(
                ours(noise, **kwargs), theirs(noise, **kwargs))


@pytest.mark.slow
@pytest.mark.parametrize('row', ROWS)
def test_discriminator(row):
    model = oracle.row_model(row)
    ours, theirs = oracle.build_pair(model.discriminator, WIDTH)
    assert oracle.shapes(ours) == oracle.shapes(theirs)
    for scale in {0, oracle.largest_scale(model)}:
        size = model.discriminator.in_size * (4 + scale) // 4
        torch.manual_seed(1)
        images = torch.randn(2, 3, size, size)
        with torch.no_grad():
            oracle.assert_close(ours(images), theirs(images))
