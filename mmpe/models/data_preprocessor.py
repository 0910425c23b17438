"""Data preprocessor with asynchronous copies to the GPU."""
from typing import Any, Union

from mmagic.models.data_preprocessors import DataPreprocessor as Base
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmpe.registry import MODELS

__all__ = ['DataPreprocessor']


@MODELS.register_module()
class DataPreprocessor(Base):
    """MMagic's ``DataPreprocessor`` without host synchronisation.

    Only copies from pinned memory are asynchronous, and data loaders do not
    pin data samples.
    """

    def cast_data(self, data: Any) -> Any:
        """Copy data to the model's device.

        Args:
            data: Nested tensors and data samples.

        Returns:
            The same structure on the device.
        """
        if self.device.type == 'cuda' and isinstance(
                data, (Tensor, BaseDataElement)):
            return _pinned(data).to(self.device, non_blocking=True)
        return super().cast_data(data)


def _pinned(
        data: Union[Tensor,
                    BaseDataElement]) -> Union[Tensor, BaseDataElement]:
    if isinstance(data, Tensor):
        return data.pin_memory() if data.device.type == 'cpu' else data
    data = data.new()
    data.set_data({
        key: _pinned(value)
        for key, value in data.items() if isinstance(value, Tensor)
    })
    return data
