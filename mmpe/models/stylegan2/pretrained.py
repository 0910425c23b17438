"""Load a network's weights from a model's checkpoint (``pretrained``)."""
from mmengine.runner.checkpoint import _load_checkpoint_with_prefix
from torch import nn

__all__ = ['load_pretrained']


def load_pretrained(network: nn.Module,
                    ckpt_path: str,
                    prefix: str = '',
                    map_location: str = 'cpu',
                    strict: bool = True) -> None:
    """Load a network's weights.

    Args:
        network: Generator or discriminator.
        ckpt_path: Path or address of the checkpoint.
        prefix: Prefix of the network's weights in the checkpoint, for example
            'generator_ema'.
        map_location: Device to load to.
        strict: Treat missing and unexpected weights as errors.
    """
    state = _load_checkpoint_with_prefix(prefix, ckpt_path, map_location)
    # A moving average keeps its weights under `module.` and counts `steps`.
    state.pop('steps', None)
    network.load_state_dict(
        {
            key[7:] if key.startswith('module.') else key: value
            for key, value in state.items()
        },
        strict=strict)
