r"""Train a model.

Examples:
    python tools/train.py \
        configs/positional_encoding_in_gans/singan_spe-dim4_fish.py \
        --work-dir work_dirs/fish --data-root photo.jpg \
        --cfg-options model.num_scales=None

    python tools/train.py configs/positional_encoding_in_gans/\
mspie-stylegan2-config-f_c2_8xb3-1100kiters_ffhq-256-512.py \
        --data-root data/ffhq/ffhq_512 --no-validate

A loss or weight that is not finite ends the training with exit code 1; its
checkpoints stay. With `--cfg-options train_cfg.rollbacks=2`, the training
resumes from the last checkpoint with other random numbers instead, at most
twice. SIGTERM ends the training with a checkpoint and exit code 75.
"""
import argparse
import sys

from mmengine.config import Config
from mmengine.dist import is_distributed, is_main_process

import mmpe  # noqa: F401  (installs the host bridge)
from mmpe.checkpoint import read_checkpoint
from mmpe.utils.arguments import TENSORBOARD, Argument
from mmpe.utils.command_line import (one_line_errors, parse_for_runner,
                                     read_config)
from mmpe.utils.download import is_url
from mmpe.utils.files import check_folder
from mmpe.utils.memory import keep_freed_memory

_NEEDED = ('model', 'train_cfg', 'train_dataloader', 'optim_wrapper')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    return parse_for_runner(
        __doc__,
        Argument(
            '--resume',
            nargs='?',
            const='auto',
            metavar='auto|PATH',
            help='resume from the latest checkpoint of the work dir, or from '
            'the given one'),
        Argument(
            '--amp', action='store_true', help='train in bfloat16 (autocast)'),
        Argument(
            '--compile',
            action='store_true',
            help='compile the networks if possible'), TENSORBOARD,
        Argument(
            '--no-validate',
            action='store_true',
            help='skip the evaluation during training, which needs the '
            'feature networks of the metrics'))


def load_config(args: argparse.Namespace) -> Config:
    """Read the config and apply the command line."""
    cfg = read_config(args)
    missing = [name for name in _NEEDED if not cfg.get(name)]
    if missing:
        raise ValueError(f'The config {args.config!r} does not train a model: '
                         f'it has no {", ".join(missing)}.')
    if args.resume:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
        if cfg.load_from and not is_url(cfg.load_from):
            read_checkpoint(cfg.load_from)  # before anything is written
    if args.amp:
        use_amp(cfg)
    if args.compile:
        cfg.custom_hooks = [
            *cfg.get('custom_hooks', []),
            dict(type='CompileHook')
        ]
    if args.tensorboard:
        from mmpe.engine import add_tensorboard
        add_tensorboard(cfg)
    if args.no_validate:
        leave_out_validation(cfg)
    return cfg


def use_amp(cfg: Config) -> None:
    """Use bfloat16 where it is safe, in all optimiser wrappers."""
    settings = cfg.optim_wrapper
    wrappers = [settings] if 'optimizer' in settings else [
        value for value in settings.values() if isinstance(value, dict)
    ]
    for wrapper in wrappers:
        wrapper.type = 'BFloat16OptimWrapper'


def leave_out_validation(cfg: Config) -> None:
    """Remove the validation, and settings that use its results."""
    for name in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        cfg[name] = None
    for name in ('save_best', 'rule'):
        cfg.default_hooks.checkpoint.pop(name, None)


def train(cfg: Config) -> None:
    """Train; report an end that all processes share only once."""
    from mmpe.engine import (NotFiniteError, Runner, Terminated,
                             leave_processes)
    from mmpe.utils.locks import FolderInUseError
    try:
        Runner.from_cfg(cfg).train()
    except Terminated as end:
        leave_processes(end.code)
        raise
    except (FolderInUseError, NotFiniteError) as error:
        if is_distributed() and is_main_process():
            print(f'{type(error).__name__}: {error}', file=sys.stderr)
        leave_processes(1)
        raise


def main() -> None:
    """Run the command."""
    args = parse_args()
    with one_line_errors():
        from mmpe.engine import fit_to_photograph, leave_processes
        cfg = load_config(args)
        check_folder(cfg.work_dir)
        if fit_to_photograph(cfg) is None:
            # Not for SinGAN: it gains nothing, and its many sizes fragment.
            keep_freed_memory()
        train(cfg)
    if is_main_process():
        print(f'Checkpoints, logs and pictures are in {cfg.work_dir}')
    leave_processes()


if __name__ == '__main__':
    main()
