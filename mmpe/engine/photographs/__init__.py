"""SinGAN trainings on photographs, each in its own folder.

A folder contains ``config.py``, checkpoints, and ``result.json`` once the
training is finished. ``mmpe.inference.load(folder)`` loads the model.

========================  ====================================================
:mod:`.plan`              Check a training before it starts
:mod:`.training`          Train in this process
:mod:`.running`           Run trainings in their own processes
:mod:`.results`           Read and summarise results
:mod:`.estimate`          Estimate the training time
========================  ====================================================

``python -m mmpe.engine.photographs FOLDER`` trains in a folder.
"""
from .estimate import estimate_seconds
from .plan import (CONFIG, QUICK_CONFIG, Training, bundled_photograph,
                   plan_training, training_in, write_config)
from .results import TrainingResult, finished, summary_table
from .running import run_training, run_trainings, train_photographs
from .training import train_photograph

__all__ = [
    'CONFIG', 'QUICK_CONFIG', 'Training', 'TrainingResult',
    'bundled_photograph', 'estimate_seconds', 'finished', 'plan_training',
    'run_training', 'run_trainings', 'summary_table', 'train_photograph',
    'train_photographs', 'training_in', 'write_config'
]
