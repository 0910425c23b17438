r"""Prepare a checkpoint for publication.

Removes what only training needs: optimiser states, logs, random states and the
config, which contains paths of this machine. Weights get the names of MMagic
1.x. The file name contains the hash, which is checked after a download.

Example:
    python tools/publish_model.py work_dirs/config-f/iter_1100000.pth \
        released/config-f.pth --ema-only

writes, for example, released/config-f-71d9634b.pth.
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
from mmpe.utils.arguments import CHECKPOINT, Argument, make_parser
from mmpe.utils.command_line import one_line_errors
from mmpe.utils.files import atomic_write

_META = ('epoch', 'iter', 'mmengine_version')
# SinGAN needs its state to sample either generator.
_AVERAGE = ('generator_ema.', '_extra_state')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return make_parser(
        __doc__, CHECKPOINT.but(help='checkpoint of a training'),
        Argument('out', help='output path; the hash is added to the name'),
        Argument(
            '--ema-only',
            action='store_true',
            help='keep only the averaged generator: enough for sampling, and '
            'a third of the size')).parse_args()


def published(checkpoint: Dict[str, Any], ema_only: bool) -> Dict[str, Any]:
    """The published part of a checkpoint.

    Args:
        checkpoint: Content of a file.
        ema_only: Whether to keep only the averaged generator.

    Raises:
        CheckpointError: The checkpoint has no weights, or no average.
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
                'The checkpoint has no averaged generator '
                '(`generator_ema.*`): run this without --ema-only.')
    meta = checkpoint.get('meta', {})
    return dict(
        meta=dict({key: meta[key]
                   for key in _META if key in meta},
                  mmpe_version=mmpe.__version__),
        state_dict=dict(state_dict))


def write(checkpoint: Dict[str, Any], out: Path) -> Path:
    """Write a checkpoint, with its hash in the file name.

    Args:
        checkpoint: The checkpoint.
        out: Path without the hash.

    Returns:
        Path with the hash.
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
    print(f'The checkpoint is {path} ({size:.1f} MiB)')


if __name__ == '__main__':
    main()
