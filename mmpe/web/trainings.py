"""Trainings that are started from the page."""
import math
from pathlib import Path
from typing import Dict, Optional

from mmengine.config import Config

from mmpe.engine.photographs import QUICK_CONFIG
from mmpe.utils.command_line import open_config
from mmpe.zoo import root
from .action import command_line
from .actions import PHOTOGRAPHS

__all__ = ['settings_of', 'train_command', 'train_config', 'train_lines']


def settings_of(rounds: int,
                max_size: Optional[int] = None) -> Dict[str, object]:
    """Settings of a training.

    Args:
        rounds: Number of rounds per scale.
        max_size: Long side of the photograph, unless it is set elsewhere.
    """
    settings = {
        'model.iters_per_scale': rounds,
        'model.lr_scheduler_args.milestones': [math.ceil(0.8 * rounds)],
        'default_hooks.checkpoint.interval': rounds
    }
    if max_size is not None:
        settings['train_dataloader.dataset.max_size'] = max_size
    return settings


def train_config(max_size: int, rounds: int) -> Config:
    """Config of a training.

    Args:
        max_size: Long side of the photograph.
        rounds: Number of rounds per scale.
    """
    return open_config(
        str(root() / QUICK_CONFIG), settings_of(rounds, max_size))


def train_command(photograph: str, max_size: int, rounds: int, seed: int,
                  folder: Path) -> str:
    """Command that runs a training.

    Args:
        photograph: Path of the photograph.
        max_size: Its long side in the training.
        rounds: Number of rounds per scale.
        seed: Random seed.
        folder: Parent of the training's folder.
    """
    settings = [
        f'{name}={value}' for name, value in settings_of(rounds).items()
    ]
    return command_line(PHOTOGRAPHS, [
        'train', photograph, '--max-size', max_size, '--seed', seed,
        '--cfg-options', *settings
    ], folder)


def train_lines(photograph: str, max_size: int, rounds: int, seed: int,
                folder: Path) -> str:
    """Python code that runs a training.

    Args:
        photograph: Path of the photograph.
        max_size, rounds, seed: As for :func:`train_command`.
        folder: Folder of the training.
    """
    return '\n'.join([
        'from mmpe.engine.photographs import train_photograph',
        'from mmpe.utils.command_line import open_config', '',
        f'config = open_config({QUICK_CONFIG!r}, '
        f'{settings_of(rounds, max_size)!r})',
        f'train_photograph(config, {photograph!r}, {str(folder)!r}, '
        f'seed={seed})'
    ])
