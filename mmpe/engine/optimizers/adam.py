"""Fused Adam by default."""
from typing import Any, Iterable, List, Union

import torch
from mmengine.utils import digit_version
from torch import Tensor

from mmpe.registry import OPTIMIZERS

__all__ = ['Adam']

# First version of PyTorch with a fused Adam for CPUs.
_FUSED_ON_CPU = digit_version(torch.__version__) >= digit_version('2.4')


@OPTIMIZERS.register_module()
class Adam(torch.optim.Adam):
    """PyTorch's Adam, fused by default where PyTorch supports it.

    Small networks spend a tenth of their training in an Adam that loops over
    the parameters.

    Args:
        params: Parameters, or groups of them.
        args, kwargs: As for :class:`torch.optim.Adam`.
    """

    def __init__(self, params: Iterable[Union[Tensor, dict]], *args,
                 **kwargs) -> None:
        groups: List[Any] = list(params)
        said = kwargs.get('foreach') is not None or any(
            kwargs.get(key) for key in ('capturable', 'differentiable'))
        if not said and all(map(_can_be_fused, _tensors(groups))):
            kwargs.setdefault('fused', True)
        super().__init__(groups, *args, **kwargs)

    def load_state_dict(self, state_dict: dict) -> None:
        """Load the state of a training.

        Raises:
            ValueError: It belongs to parameters of other shapes, which would
                end the process in the fused Adam.
        """
        super().load_state_dict(state_dict)
        for param, state in self.state.items():
            shape = getattr(state.get('exp_avg'), 'shape', param.shape)
            if shape != param.shape:
                raise ValueError(
                    'The state of the optimizer belongs to another model: it '
                    f'has a parameter of shape {tuple(shape)} in place of '
                    f'{tuple(param.shape)}. Resume with the config of that '
                    'training, or train anew.')


def _tensors(params: Iterable[Union[Tensor, dict]]) -> Iterable[Tensor]:
    for param in params:
        if isinstance(param, dict):
            group = param['params']
            yield from [group] if isinstance(group, Tensor) else group
        else:
            yield param


def _can_be_fused(param: Tensor) -> bool:
    device = param.device.type
    return param.is_floating_point() and (
        device == 'cuda' or (device == 'cpu' and _FUSED_ON_CPU))
