"""What neither kind of model of a photograph takes."""
import inspect

import numpy as np
import pytest

from mmpe.inference import LayoutEdit

from . import test_patch_diffusion, test_singan


def ones(sampler):
    return np.ones(sampler.size, bool)


@pytest.fixture(scope='module', params=['SinGAN', 'patch diffusion'])
def kind(request):
    return request.param


@pytest.fixture(scope='module')
def sampler(kind):
    return (test_singan.build()
            if kind == 'SinGAN' else test_patch_diffusion.sampler_of())


@pytest.mark.parametrize('call, message', [
    (lambda x: x.sample(0), 'at least 1, but got 0'),
    (lambda x: x.sample(size=(3, 90)), '`size` must be at least'),
    (lambda x: x.sample(start_scale=x.last_scale + 1), 'from 0 to {last} '),
    (lambda x: x.sample(growth='grow'), "'stretch'.*but got 'grow'"),
    (lambda x: x.sample(seed=-1), '`seed` must be'),
    (lambda x: x.resize((60, 80), 'grow'), "but got 'grow'"),
    (lambda x: x.resize((3, 90)), '`size` must be at least'),
    (lambda x: x.layout([LayoutEdit((0, 0, 60, 9), angle=3)]),
     'height.*{size}'),
    (lambda x: x.animate(start_scale=9), 'from 0 to {last}'),
    (lambda x: x.animate(alpha=2), '0 <= `alpha` <= 1'),
    (lambda x: x.animate(beta=2), '0 <= `beta` <= 1'),
    (lambda x: x.animate(0), '`num_frames` >= 1'),
    (lambda x: x.super_resolution(1), 'above 1, but got 1'),
    (lambda x: x.paint(x.photograph, 0), 'from 1 to {last}'),
    (lambda x: x.paint(x.photograph, colours=1), 'at least 2'),
    (lambda x: x.paint(np.zeros((4, 5, 3))), r'uint8 \(H, W, 3\)'),
    (lambda x: x.edit(x.photograph, np.ones((5, 6), bool)),
     'size of the image, {size}.*got 5 x 6'),
    (lambda x: x.edit(x.photograph, ~ones(x)), 'is empty'),
    (lambda x: x.edit(x.photograph, ones(x), 0), 'from 1 to {last}'),
    (lambda x: x.edit(x.photograph[:20], ones(x)[:20]),
     'aspect ratio.*{size}.*got 20 x {width}'),
    (lambda x: x.harmonize(x.photograph[:20], ones(x)[:20]),
     'aspect ratio.*{size}.*got 20 x {width}'),
])
def test_bad_arguments(sampler, call, message):
    height, width = sampler.size
    for name, value in dict(
            last=sampler.last_scale, size=f'{height} x {width}',
            width=width).items():
        message = message.replace(f'{{{name}}}', str(value))
    with pytest.raises(ValueError, match=message):
        result = call(sampler)
        assert not inspect.isgenerator(result)


def test_the_least_size(kind, sampler):
    least = 4 if kind == 'SinGAN' else 18
    assert sampler.sample(size=(least, 90))[0].shape == (least, 90, 3)
    with pytest.raises(ValueError, match=f'at least {least} x {least} '
                       f'.*got {least - 1} x 90'):
        sampler.sample(size=(least - 1, 90))


@pytest.mark.parametrize('call', [
    lambda x: x.resize((50, 60)),
    lambda x: x.sample(growth='tile'),
    lambda x: x.layout([LayoutEdit(angle=3)]),
    lambda x: x.draw_to_file('none.png', growth='tile'),
])
def test_positions_must_be_explicit(kind, call):
    sampler = (test_singan.build('interp-pad') if kind == 'SinGAN' else
               test_patch_diffusion.sampler_of(positions=None))
    assert not sampler.has_positions
    with pytest.raises(ValueError, match='no explicit positions'):
        call(sampler)
    assert sampler.resize((50, 60), seed=1).shape == (50, 60, 3)
