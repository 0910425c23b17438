r"""Make a checkpoint fit for publication.

What only training needs is left out: optimisers, logs, random states and the
config, which holds paths of the machine. Weights get the names of MMagic 1.x.
The name of the file tells its hash, which is checked when the file is
downloaded.

Example:
    python tools/publish_model.py work_dirs/config-f/iter_1100000.pth \
        released/config-f.pth --ema-only

writes, for instance, released/config-f-71d9634b.pth.
"""
import argparse
import hashlib
import io
from pathlib import Path
from typing import Any, Dict

import torch

import mmpe
from mmpe.checkpoint import (CheckpointError, read_checkpoint,
                             to_current_layout)
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write

_META = ('epoch', 'iter', 'mmengine_version')
# SinGAN's state is needed whichever generator is sampled.
_AVERAGE = ('generator_ema.', '_extra_state')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='checkpoint of a training')
    parser.add_argument(
        'out', help='where to write; the hash is added to the name')
    parser.add_argument(
        '--ema-only',
        action='store_true',
        help='keep the average of the generator alone: enough to sample, and '
        'a third of the size')
    return parser.parse_args()


def published(checkpoint: Dict[str, Any], ema_only: bool) -> Dict[str, Any]:
    """What is published of a checkpoint.

    Args:
        checkpoint: What a file holds.
        ema_only: Whether to keep the average of the generator alone.

    Raises:
        CheckpointError: There are no weights in it, or no average.
    """
    if not isinstance(checkpoint, dict) or not isinstance(
            checkpoint.get('state_dict'), dict):
        raise CheckpointError('The checkpoint has no `state_dict`.')
    state_dict = to_current_layout(checkpoint['state_dict'])
    if ema_only:
        state_dict = {
            name: value
            for name, value in state_dict.items() if name.startswith(_AVERAGE)
        }
        if not any(name.startswith(_AVERAGE[0]) for name in state_dict):
            raise CheckpointError(
                'The checkpoint holds no average of the generator '
                '(`generator_ema.*`); leave out --ema-only.')
    meta = checkpoint.get('meta', {})
    return dict(
        meta=dict({key: meta[key]
                   for key in _META if key in meta},
                  mmpe_version=mmpe.__version__),
        state_dict=dict(state_dict))


def write(checkpoint: Dict[str, Any], out: Path) -> Path:
    """Write a checkpoint under a name with its hash.

    Args:
        checkpoint: What to write.
        out: The path without the hash.

    Returns:
        The path with it.
    """
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    data = buffer.getbuffer()
    digest = hashlib.sha256(data).hexdigest()[:8]
    path = out.with_name(f'{out.stem}-{digest}.pth')
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
    return path


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        checkpoint = published(read_checkpoint(args.checkpoint), args.ema_only)
        path = write(checkpoint, Path(args.out))
    size = path.stat().st_size / 2**20
    print(f'The checkpoint is in {path} ({size:.1f} MiB)')


if __name__ == '__main__':
    main()
