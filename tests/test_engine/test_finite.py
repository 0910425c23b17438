import math

import pytest
import torch

from mmpe.engine.finite import first_not_finite

BAD = [float('nan'), math.inf, -math.inf]


def state(**changed):
    return {
        'weights': {
            'a.weight': torch.ones(2, 3),
            '_extra_state': dict(noises=[torch.zeros(1), torch.ones(4)],
                                 weights=[1.0, 0.5])
        },
        'optimizer': dict(
            state={0: dict(step=torch.tensor(3.), average=torch.ones(2))},
            groups=({'lr': 0.1, 'betas': (0.5, 0.9)}, )),
        'count': torch.tensor(2**40),
        'half': torch.ones(1, dtype=torch.bfloat16),
        'name': 'text',
        **changed
    }


def test_finite():
    assert first_not_finite(state()) is None
    # The sum of these is infinite, they are not.
    assert first_not_finite(dict(x=torch.full((4, ), 3e38))) is None
    assert first_not_finite({}) is None
    assert first_not_finite(dict(x=torch.zeros(0))) is None


@pytest.mark.parametrize('bad', BAD)
def test_names(bad):
    values = state()
    values['optimizer']['state'][0]['average'][1] = bad
    assert first_not_finite(values) == 'optimizer.state.0.average'
    values = state()
    values['weights']['_extra_state']['noises'][1][2] = bad
    assert first_not_finite(values) == 'weights._extra_state.noises.1'
    values = state()
    values['weights']['_extra_state']['weights'][1] = bad
    assert first_not_finite(values) == 'weights._extra_state.weights.1'
    assert first_not_finite(state(half=torch.full(
        (1, ), bad, dtype=torch.bfloat16))) == 'half'
