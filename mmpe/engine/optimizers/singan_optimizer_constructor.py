"""One optimiser for each scale of SinGAN."""
from typing import Dict, List

import torch.nn as nn
from mmagic.engine.optimizers import \
    SinGANOptimWrapperConstructor as BaseConstructor
from mmengine.optim import OptimWrapperDict

from mmpe.registry import OPTIM_WRAPPER_CONSTRUCTORS

__all__ = ['SinGANOptimWrapperConstructor', 'SinGANOptimWrapperDict']


class SinGANOptimWrapperDict(OptimWrapperDict):
    """Optimisers named ``{network}_{scale}``; two are active at a time."""

    def get_lr(self) -> Dict[str, List[float]]:
        """Learning rates of the current scale."""
        rates = {}
        for name, wrapper in self.optim_wrappers.items():
            network = name.rsplit('_', 1)[0]
            if network not in rates or wrapper.optimizer.state:
                rates[network] = wrapper.get_lr()['lr']
        return {f'{network}.lr': lr for network, lr in rates.items()}


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class SinGANOptimWrapperConstructor(BaseConstructor):
    """MMagic's constructor, with only the current learning rates in the log.

    Args:
        optim_wrapper_cfg: Configs of the optimiser wrappers of ``generator``
            and ``discriminator``, used at every scale.
        paramwise_cfg: Must be None; set it in each wrapper's config.
    """

    def __call__(self, module: nn.Module) -> SinGANOptimWrapperDict:
        """Build the optimisers of all scales.

        Args:
            module: The SinGAN.

        Returns:
            Wrappers ``generator_{i}`` and ``discriminator_{i}``.
        """
        wrappers = super().__call__(module).optim_wrappers
        return SinGANOptimWrapperDict(**wrappers)
