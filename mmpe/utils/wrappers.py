"""Wrappers of models for distributed training."""
from typing import Any

import torch.nn as nn
from mmengine.model import is_model_wrapper

__all__ = ['unwrap']


def unwrap(model: nn.Module) -> Any:
    """Remove the wrapper of a model, if there is one."""
    return model.module if is_model_wrapper(model) else model
