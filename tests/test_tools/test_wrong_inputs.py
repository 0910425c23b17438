"""Typical mistakes with each command: one line, and nothing left behind."""
import hashlib
import importlib.util
import os
import os.path as osp
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Dict, List, NamedTuple

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmpe.inference import write_edits
from mmpe.registry import MODELS, build_from
from tests.test_inference.conftest import small_config
from tests.test_models.test_singan.conftest import model_cfg, random_pyramid

from .conftest import ROOT

FAST = osp.join(ROOT, 'configs/singan_fast/singan_csg_fast.py')
ROW_F = osp.join(ROOT, 'configs/mspie_small/mspie_spe_32-48-64.py')
SIZES = [(13, 17), (21, 27), (40, 52)]
DEMO = 'demo/sinGAN_manipulation.py'

# What may stand in the place of a file, by kind of file.
CONFIGS = {
    'no config': 'none.py',
    'folder as config': 'folder',
    'empty config': 'empty.py',
    'text as config': 'text.py',
    'config with a syntax error': 'syntax.py',
    'config that cannot be run': 'error.py',
    'config with an unknown base': 'base.py',
    'config without a model': 'no_model.py',
    'config of an unknown model': 'unknown.py',
    'damaged JSON': 'damaged.json',
    'damaged YAML': 'damaged.yml',
}
CHECKPOINTS = {
    'no checkpoint': 'none.pth',
    'folder as checkpoint': 'folder',
    'empty checkpoint': 'empty.pth',
    'text as checkpoint': 'text.pth',
    'image as checkpoint': 'image.pth',
    'cut checkpoint': 'cut.pth',
    'malicious checkpoint': 'evil.pth',
    'checkpoint without weights': 'nothing.pth',
    'checkpoint of another model': '{other}.pth',
}
PICTURES = {
    'no picture': 'none.png',
    'folder as picture': 'folder',
    'empty picture': 'empty.png',
    'text as picture': 'text.png',
    'cut picture': 'cut.png',
    'checkpoint as picture': 'singan.pth',
}
PHOTOGRAPHS = {**PICTURES, 'photograph that is too small': 'small.png'}
MASKS = {
    **PICTURES, 'mask of another size': 'small.png',
    'black mask': 'black.png'
}
FLOWS = {
    'no displacement': 'none.npy',
    'folder as displacement': 'folder',
    'text as displacement': 'text.npy',
    'displacement of another size': 'flow_small.npy',
    'displacement with NaN': 'flow_nan.npy',
    'displacement of objects': 'flow_objects.npy',
    'photograph as displacement': 'photograph.png'
}
OPTIONS = {
    'unknown option': ['--no-such-option'],
    'option without a value': ['--seed'],
    'word as number': ['--seed', 'many'],
}
CFG_OPTIONS = {
    'setting without a value': ['--cfg-options', 'model.num_scales'],
    'setting of an unknown part': ['--cfg-options', 'modle.num_scales=3'],
    'setting inside a number': ['--cfg-options', 'model.num_scales.x=3'],
    'setting beyond a list': ['--cfg-options', '_base_.9=3'],
}
DEVICES = {
    'unknown device': ['--device', 'cpuu'],
    'device that is not there': ['--device', 'cuda:77'],
}
OUT_DIRS = {
    'file in the way': ['--out-dir', '{files}/text.png'],
    'file in the way of a folder': ['--out-dir', '{files}/text.png/out'],
}


class Command(NamedTuple):
    """A command and what can be wrong with it.

    Args:
        script: Its path.
        args: Arguments with which it works; what ends in a suffix or names a
            folder is a file of the fixture.
        files: For some of its files what may stand in their place.
        more: Arguments that are added.
        other: Name of a model of another family.
    """

    script: str
    args: List[str]
    files: Dict[str, Dict[str, str]]
    more: Dict[str, List[str]]
    other: str = 'mspie'

    def mistakes(self) -> Dict[str, List[str]]:
        """Wrong arguments by kind."""
        found = {}
        for right, wrong in self.files.items():
            for kind, name in wrong.items():
                name = '{files}/' + name.format(other=self.other)
                kind = kind if kind not in found else f'{kind} ({right})'
                found[kind] = [
                    name if arg == '{files}/' + right else arg
                    for arg in self.args
                ]
        for kind, more in self.more.items():
            found[kind] = [*self.args, *more]
        return found


def command(script, *args, files=None, other='mspie', **kinds):
    more = {}
    for group in kinds.pop('groups', ()):
        more.update(group)
    more.update(kinds.pop('more', {}))
    return Command(script, list(args), files or {}, more, other)


def numbers(*names, least=1):
    """Numbers that are no numbers, or too small."""
    found = {}
    for name in names:
        found.update({
            f'{name} is a word': [f'--{name}', 'many'],
            f'{name} is too small': [f'--{name}', str(least - 1)],
        })
    return found


F = '{files}/'
SAMPLED = dict(files={'photograph.png': PHOTOGRAPHS})
ON_PHOTOGRAPH = [F + 'photograph.png', '--max-size', '48', '--out-dir', 'out']
MODEL = [F + 'singan.py', F + 'singan.pth', '--out-dir', 'out']
MODEL_FILES = {'singan.py': CONFIGS, 'singan.pth': CHECKPOINTS}
SIZE_MISTAKES = {
    'size of one number': ['--size', '40'],
    'negative size': ['--size', '-40', '40'],
    'size of zero': ['--size', '0', '0'],
    'size and factor': ['--size', '40', '40', '--factor', '1', '1'],
    'unknown positions': ['--positions', 'none'],
    'tile of zero': ['--tile', '0'],
    'negative tile': ['--tile', '-5'],
    'unknown format': ['--tile-format', 'jpg'],
}
SCRIPT_OPTIONS = {
    'unknown option': ['--no-such-option'],
    'unknown name': ['--only', 'everything'],
    'no name': ['--only'],
}
COMMANDS = {
    'train': command(
        'tools/train.py', FAST, '--work-dir', 'out', '--data-root',
        F + 'photograph.png',
        files={'photograph.png': PHOTOGRAPHS},
        groups=[OPTIONS, CFG_OPTIONS],
        more={
            'unknown launcher': ['--launcher', 'cloud'],
            'unknown argument of the model':
            ['--cfg-options', 'model.iters_per_scal=3'],
            'argument of another type':
            ['--cfg-options', 'train_dataloader.dataset.max_size=large'],
            'no iterations': ['--cfg-options', 'model.iters_per_scale=0'],
            'negative size':
            ['--cfg-options', 'train_dataloader.dataset.max_size=-8'],
            'unknown hook':
            ['--cfg-options', 'default_hooks.checkpoint.type=Best'],
            'resumed from nothing': ['--resume', F + 'none.pth'],
            'resumed from text': ['--resume', F + 'text.pth'],
            'resumed from a malicious file': ['--resume', F + 'evil.pth'],
            'file in the way': ['--work-dir', F + 'text.png'],
        }),
    'train (config)': command(
        'tools/train.py', F + 'singan.py', '--work-dir', 'out',
        files={'singan.py': CONFIGS}),
    'train (folder of images)': command(
        'tools/train.py', ROW_F, '--work-dir', 'out', '--data-root',
        F + 'images', '--no-validate', '--cfg-options',
        'train_cfg.max_iters=1', 'model.generator.width=0.01',
        'model.discriminator.width=0.01',
        files={'images': {
            'no folder': 'none', 'file as folder': 'text.png',
            'folder without images': 'folder'}},
        more={
            'unknown argument of a network':
            ['--cfg-options', 'model.generator.widht=1'],
            'negative width': ['--cfg-options', 'model.generator.width=-1'],
            'unknown augmentation':
            ['--cfg-options', 'model.augmentation.type=Rotation'],
            'unknown transform':
            ['--cfg-options', 'model.augmentation.type=Augmentation',
             'model.augmentation.transforms=rotation'],
            'probability beyond 1':
            ['--cfg-options', 'model.augmentation.type=Augmentation',
             'model.augmentation.probability=2'],
            'no images to adapt to':
            ['--cfg-options', 'model.augmentation.type=AdaptiveAugmentation',
             'model.augmentation.num_images=0'],
            'unknown loss':
            ['--cfg-options', 'model.loss_config.adversarial=hinge'],
            'batch of zero':
            ['--cfg-options', 'train_dataloader.batch_size=0'],
            'unknown dataset':
            ['--cfg-options', 'train_dataloader.dataset.type=Folder'],
        }),
    'test': command(
        'tools/test.py', ROW_F, F + 'mspie.pth', '--work-dir', 'out',
        '--data-root', F + 'images',
        files={'mspie.pth': CHECKPOINTS, 'images': {
            'no folder': 'none', 'folder without images': 'folder'}},
        groups=[OPTIONS],
        other='singan',
        more={
            'unknown scale': ['--scales', 'huge'],
            'word among scales': ['--scales', '0', 'all'],
            'scale that there is not': ['--scales', '99'],
            'negative scale': ['--scales', '-4'],
            'word as size': ['--sizes', 'huge'],
            'size of three numbers': ['--sizes', '32x32x32'],
            'size of zero': ['--sizes', '0'],
            'size that cannot be drawn': ['--sizes', '41'],
            'file in the way': ['--out', F + 'text.png/results.json'],
        }),
    'test (config)': command(
        'tools/test.py', F + 'mspie.py', F + 'mspie.pth', '--work-dir', 'out',
        files={'mspie.py': {**CONFIGS, 'another family': 'singan.py'}}),
    'print_config': command(
        'tools/print_config.py', FAST,
        more={x: CFG_OPTIONS[x] for x in CFG_OPTIONS}),
    'print_config (config)': command(
        'tools/print_config.py', F + 'singan.py',
        files={'singan.py': {
            x: CONFIGS[x] for x in CONFIGS if 'model' not in x
            and x != 'empty config'}},
        more={'unknown option': ['--no-such-option']}),
    'publish_model': command(
        'tools/publish_model.py', F + 'mspie.pth', 'out/model.pth',
        files={'mspie.pth': {
            x: CHECKPOINTS[x] for x in CHECKPOINTS if 'another' not in x}},
        more={
            'unknown option': ['--no-such-option'],
            'three files': ['third.pth'],
        }),
    'publish_model (average)': command(
        'tools/publish_model.py', F + 'singan.pth', 'out/model.pth',
        '--ema-only', more={'no average': []}),
    'publish_model (target)': command(
        'tools/publish_model.py', F + 'mspie.pth', F + 'text.png/out.pth',
        more={'file in the way': []}),
    'export': command(
        'tools/export.py', F + 'mspie.py', F + 'mspie.pth', 'out.pt2',
        files={'mspie.py': CONFIGS, 'mspie.pth': CHECKPOINTS},
        other='singan',
        more={
            'unknown option': ['--no-such-option'],
            'size of one number': ['--size', '64'],
            'negative size': ['--size', '-64', '64'],
            'size of zero': ['--size', '0', '0'],
            'size that cannot be drawn': ['--size', '31', '31'],
            'word as tolerance': ['--tolerance', 'small'],
            'negative tolerance': ['--tolerance', '-1'],
        }),
    'export (target)': command(
        'tools/export.py', F + 'mspie.py', F + 'mspie.pth', 'out.jpg',
        more={'unknown format': []}),
    'prepare_images': command(
        'tools/prepare_images.py', F + 'images', 'out', '--sizes', '8',
        '--workers', '1',
        files={'images': {
            'no folder': 'none', 'file that is no archive': 'text.png',
            'empty file': 'empty.png', 'folder without images': 'folder',
            'damaged archive': 'cut.zip', 'archive without images': 'a.zip',
        }},
        more={
            **numbers('workers'),
            'size of zero': ['--sizes', '0'],
            'word as size': ['--sizes', 'large'],
            'no sizes': ['--sizes'],
            'huge size': ['--sizes', '1000000'],
            'fewer names than sizes':
            ['--sizes', '8', '9', '--folders', 'one'],
            'one name twice':
            ['--sizes', '8', '9', '--folders', 'one', 'one'],
            'unknown option': ['--no-such-option'],
        }),
    'prepare_images (target)': command(
        'tools/prepare_images.py', F + 'images', F + 'text.png/out',
        '--sizes', '8', '--workers', '1', more={'file in the way': []}),
    'benchmark': command(
        'tools/benchmark.py', '--only', 'singan-spe-dim4-sample-512',
        '--scale-down', '--repeats', '1', '--no-memory',
        groups=[DEVICES],
        more={
            **numbers('repeats', 'threads'),
            'unknown workload': ['--only', 'everything'],
            'unknown number format': ['--dtype', 'int3'],
            'no photograph': ['--image', F + 'none.png'],
            'text as photograph': ['--image', F + 'text.png'],
            'cut photograph': ['--image', F + 'cut.png'],
            'file in the way': ['--json', F + 'text.png/a.json'],
            'unknown option': ['--no-such-option'],
        }),
    'compare_positions': command(
        'tools/analysis/compare_positions.py', F + 'photograph.png',
        '--out-dir', 'out',
        files={'photograph.png': PHOTOGRAPHS},
        groups=[OPTIONS, CFG_OPTIONS, OUT_DIRS],
        more={
            **numbers('num', 'jobs'),
            'negative widening': ['--widen', '-1'],
            'widening by NaN': ['--widen', 'nan'],
        }),
    'compare_scales': command(
        'tools/analysis/compare_scales.py', '--data-root', F + 'images',
        '--model', F + 'mspie.py', F + 'mspie.pth',
        files={'mspie.py': CONFIGS, 'mspie.pth': CHECKPOINTS, 'images': {
            'no folder': 'none', 'folder without images': 'folder'}},
        groups=[OPTIONS, DEVICES],
        other='singan',
        more={
            **numbers('num', 'columns', 'last', 'every'),
            'model without checkpoint': ['--model', ROW_F],
            'model of a photograph':
            ['--model', F + 'singan.py', F + 'singan.pth'],
            'row without a folder': ['--run', 'spe'],
            'no folder of a training': ['--run', 'spe', F + 'none'],
            'folder without a training': ['--run', 'spe', F + 'images'],
            'folder of another training': ['--run', 'spe', F + 'training'],
            'word as size': ['--sizes', 'huge'],
            'size of three numbers': ['--sizes', '32x32x32'],
            'size of zero': ['--sizes', '0'],
            'size that cannot be drawn': ['--sizes', '41'],
            'curves of one checkpoint': ['--curves', 'curves.png'],
            'text as results': ['--results', F + 'text.json'],
            'folder as results': ['--results', F + 'folder'],
            'file in the way': ['--sheet', F + 'text.png/sheet.png'],
            'file in the way of results':
            ['--results', F + 'text.png/results.json'],
            'file in the way of curves':
            ['--curves', F + 'text.png/curves.png'],
        }),
    'compare_scales (results)': command(
        'tools/analysis/compare_scales.py', '--results', F + 'text.json',
        more={
            'text as results': [],
            'no results': ['--results', F + 'none.json'],
            'damaged results': ['--results', F + 'damaged.json'],
        }),
    'compare_scales (nothing)': command(
        'tools/analysis/compare_scales.py', more={'no arguments': []}),
    'get_flops': command(
        'tools/analysis/get_flops.py', FAST, '--photo-size', '80', '100',
        groups=[CFG_OPTIONS],
        more={
            'unknown option': ['--no-such-option'],
            'size of one number': ['--photo-size', '80'],
            'word as size': ['--photo-size', 'large', 'large'],
            'negative size': ['--photo-size', '-80', '100'],
            'size of zero': ['--photo-size', '0', '0'],
            'photograph that is too small': ['--photo-size', '5', '5'],
            'unknown argument of the model':
            ['--cfg-options', 'model.iters_per_scal=3'],
        }),
    'get_flops (config)': command(
        'tools/analysis/get_flops.py', F + 'singan.py',
        files={'singan.py': CONFIGS}),
    'singan_metrics': command(
        'tools/analysis/singan_metrics.py', F + 'singan.py', F + 'singan.pth',
        '--num', '2',
        files={'singan.py': CONFIGS, 'singan.pth': CHECKPOINTS},
        groups=[OPTIONS, DEVICES],
        more={
            **numbers('num', least=2), **numbers('moved-step'),
            'negative number of boxes': ['--moved', '-1'],
            'size of zero': ['--size', '0', '0'],
            'negative size': ['--size', '-5', '9'],
            'no network': ['--inception-path', F + 'none.pt'],
            'text as network': ['--lpips-path', F + 'text.pth'],
            'size of zero for photographs': ['--max-size', '0'],
            'file in the way': ['--json', F + 'text.png/a.json'],
        }),
    'singan_metrics (photograph)': command(
        'tools/analysis/singan_metrics.py', F + 'photograph.png', '--num',
        '2', files={'photograph.png': PHOTOGRAPHS}),
    'mspie_sampling': command(
        'demo/mspie_sampling.py', F + 'mspie.py', F + 'mspie.pth', '--num',
        '1', '--steps', '1', '--out-dir', 'out',
        files={'mspie.py': CONFIGS, 'mspie.pth': CHECKPOINTS},
        groups=[OPTIONS, DEVICES, OUT_DIRS],
        other='singan',
        more={
            **numbers('num', 'steps', 'batch-size'),
            'truncation beyond 1': ['--truncation', '1.5'],
            'truncation of NaN': ['--truncation', 'nan'],
            'size of zero': ['--size', '0', '0'],
            'negative size': ['--size', '-64', '64'],
            'size that cannot be drawn': ['--size', '31', '31'],
            'unknown weights': ['--sample-model', 'best'],
            'unknown kind of picture': ['--only', 'films'],
        }),
    'mspie_sampling (photograph)': command(
        'demo/mspie_sampling.py', F + 'photograph.png', '--out-dir', 'out',
        more={'photograph': []}),
    'quick start': command(
        DEMO, '--image', F + 'photograph.png', '--no-train', '--num', '1',
        '--max-size', '48', '--out-dir', 'out',
        files={'photograph.png': PHOTOGRAPHS},
        groups=[OPTIONS, DEVICES, OUT_DIRS],
        more={
            **numbers('num'), **numbers('max-size', least=32),
            'unknown command': ['smaple'],
            'negative seed': ['--seed', '-1'],
        }),
    'demo train': command(
        DEMO, 'train', F + 'photograph.png', '--out-dir', 'out',
        '--config', F + 'fast.py',
        files={'photograph.png': PHOTOGRAPHS, 'fast.py': CONFIGS},
        groups=[OPTIONS, CFG_OPTIONS, OUT_DIRS],
        more={
            **numbers('jobs'), **numbers('max-size', least=32),
            'one photograph twice': [F + 'photograph.png'],
            'config of another family': ['--config', ROW_F],
        }),
    'demo sample': command(
        DEMO, 'sample', *ON_PHOTOGRAPH, **SAMPLED,
        groups=[OPTIONS, DEVICES, OUT_DIRS, SIZE_MISTAKES],
        more={
            **numbers('num', 'batch-size', 'max-size'),
            'scale that there is not': ['--start-scale', '99'],
            'negative scale': ['--start-scale', '-1'],
        }),
    'demo sample (model)': command(
        DEMO, 'sample', *MODEL, files=MODEL_FILES),
    'demo resize': command(
        DEMO, 'resize', *ON_PHOTOGRAPH, '--size', '40', '60', **SAMPLED,
        groups=[OPTIONS, DEVICES, OUT_DIRS, SIZE_MISTAKES],
        more=numbers('num', least=0)),
    'demo resize (size)': command(
        DEMO, 'resize', *ON_PHOTOGRAPH, more={
            'no size': [],
            'factor of NaN': ['--factor', 'nan', '1'],
            'infinite factor': ['--factor', 'inf', '1'],
            'factor of zero': ['--factor', '0', '0'],
            'negative factor': ['--factor', '-1', '1']}),
    'demo layout': command(
        DEMO, 'layout', *ON_PHOTOGRAPH, '--flip', 'both', **SAMPLED,
        groups=[OPTIONS, DEVICES, OUT_DIRS, SIZE_MISTAKES],
        more={
            **numbers('num', least=0),
            'box outside': ['--region', '5', '5', '900', '900'],
            'empty box': ['--region', '5', '5', '5', '5'],
            'box of three numbers': ['--region', '5', '5', '9'],
            'shift by NaN': ['--shift', 'nan', '0'],
            'infinite shift': ['--shift', 'inf', '0'],
            'scale of zero': ['--scale', '0', '1'],
            'scale of NaN': ['--scale', 'nan', '1'],
            'turn by NaN': ['--rotate', 'nan'],
            'unknown flip': ['--flip', 'sideways'],
            'nothing to remove': ['--remove'],
            'negative edge': ['--feather', '-1'],
            'edge of NaN': ['--region', '5', '5', '20', '20', '--feather',
                            'nan'],
            'negative margin': ['--margin', '-1'],
        }),
    'demo layout (edits)': command(
        DEMO, 'layout', *ON_PHOTOGRAPH, '--edits', F + 'edits.json',
        files={'edits.json': {
            'no edits': 'none.json', 'folder as edits': 'folder',
            'empty edits': 'empty.json', 'text as edits': 'text.json',
            'picture as edits': 'photograph.png',
            'other JSON as edits': 'damaged.json'}},
        more={
            'edits and a shift': ['--shift', '0', '5'],
            'edits and a region': ['--region', '5', '5', '20', '20'],
        }),
    'demo layout (nothing)': command(
        DEMO, 'layout', *ON_PHOTOGRAPH, more={'no change': []}),
    'demo layout (mask)': command(
        DEMO, 'layout', *ON_PHOTOGRAPH, '--mask', F + 'mask.png', '--remove',
        files={'mask.png': MASKS}),
    'demo layout (displacement)': command(
        DEMO, 'layout', *ON_PHOTOGRAPH, '--displacement', F + 'flow.npy',
        files={'flow.npy': FLOWS}),
    **{
        f'demo {name}': command(
            DEMO, name, F + 'photograph.png', '--max-size', '48', '--image',
            F + 'pasted.png', '--mask', F + 'mask.png', '--out-dir', 'out',
            files={
                'photograph.png': PHOTOGRAPHS, 'pasted.png': PICTURES,
                'mask.png': MASKS},
            groups=[OPTIONS, DEVICES, OUT_DIRS],
            more={
                'scale that there is not': ['--start-scale', '99'],
                'scale of zero': ['--start-scale', '0'],
                'negative dilation': ['--dilation', '-1'],
                'word as scale': ['--start-scale', 'fine'],
            })
        for name in ('edit', 'harmonize')
    },
    'demo edit (nothing)': command(
        DEMO, 'edit', F + 'photograph.png', more={'no picture': []}),
    'demo paint': command(
        DEMO, 'paint', *ON_PHOTOGRAPH, '--image', F + 'pasted.png',
        files={'photograph.png': PHOTOGRAPHS, 'pasted.png': PICTURES},
        groups=[OPTIONS, DEVICES, OUT_DIRS],
        more={
            'scale that there is not': ['--start-scale', '99'],
            'one colour': ['--colours', '1'],
            'negative number of colours': ['--colours', '-3'],
            'word as number of colours': ['--colours', 'all'],
        }),
    'demo super-resolution': command(
        DEMO, 'super-resolution', *ON_PHOTOGRAPH, '--image', F + 'pasted.png',
        files={'photograph.png': PHOTOGRAPHS, 'pasted.png': PICTURES},
        groups=[OPTIONS, DEVICES, OUT_DIRS],
        more={
            'factor of zero': ['--factor', '0'],
            'factor of NaN': ['--factor', 'nan'],
            'infinite factor': ['--factor', 'inf'],
            'huge factor': ['--factor', '1e9'],
            'word as factor': ['--factor', 'twice'],
        }),
    'demo super-resolution (trained)': command(
        DEMO, 'super-resolution', '--image', F + 'photograph.png',
        '--out-dir', 'out',
        files={'photograph.png': PHOTOGRAPHS},
        more={
            'factor of one': ['--factor', '1'],
            'factor of NaN': ['--factor', 'nan'],
            'config of another family': ['--config', ROW_F],
            'no config': ['--config', 'none.py'],
        }),
    'demo super-resolution (nothing)': command(
        DEMO, 'super-resolution', more={'nothing': []}),
    'demo animate': command(
        DEMO, 'animate', *ON_PHOTOGRAPH, '--frames', '2', **SAMPLED,
        groups=[OPTIONS, DEVICES, OUT_DIRS],
        more={
            **numbers('frames'),
            'no frames a second': ['--fps', '0'],
            'NaN frames a second': ['--fps', 'nan'],
            'infinite frames a second': ['--fps', 'inf'],
            'alpha beyond 1': ['--alpha', '2'],
            'beta of NaN': ['--beta', 'nan'],
            'scale that there is not': ['--start-scale', '99'],
            'negative scale': ['--start-scale', '-1'],
        }),
    'demo animate (folder)': command(
        DEMO, 'animate', F + 'training', '--out-dir', 'out',
        files={'training': {'folder without a training': 'folder'}}),
    'web': command(
        'demo/web.py', '--port', '0', '--out-dir', 'out', '--faces',
        F + 'mspie.py', F + 'mspie.pth',
        files={
            'mspie.py': {**CONFIGS, 'another family': 'singan.py'},
            'mspie.pth': CHECKPOINTS},
        groups=[OUT_DIRS],
        other='singan',
        more={
            'unknown option': ['--no-such-option'],
            'option without a value': ['--port'],
            'word as port': ['--port', 'http'],
            'negative port': ['--port', '-1'],
            'port that there is not': ['--port', '70000'],
            'config without checkpoint': ['--faces', F + 'mspie.py'],
        }),
    'check_web': command(
        '.dev_scripts/check_web.py', '--image', F + 'photograph.png',
        files={'photograph.png': PICTURES},
        more={
            **numbers('number'),
            'unknown option': ['--no-such-option'],
            'file in the way': ['--out', F + 'text.png'],
        }),
    'fuzz': command(
        '.dev_scripts/fuzz.py', '--number', '1',
        more={
            **numbers('number'),
            'unknown option': ['--no-such-option'],
            'word as seed': ['--seed', 'many'],
            'unknown kind': ['--kinds', 'film'],
            'no kind': ['--kinds'],
            'no time': ['--time', '0'],
            'time of NaN': ['--time', 'nan'],
            'file in the way': ['--keep', F + 'text.png'],
        }),
    'kill_and_resume': command(
        '.dev_scripts/kill_and_resume.py',
        more={
            **numbers('number'), **SCRIPT_OPTIONS,
            'negative number': ['--number', '-4'],
            'word as seed': ['--seed', 'many'],
            'part of a number': ['--number', '1.5'],
        }),
    'long_run': command(
        '.dev_scripts/long_run.py',
        more={
            **numbers('iterations'), **SCRIPT_OPTIONS,
            'word as limit': ['--limit', 'small'],
            'limit of zero': ['--limit', '0'],
            'limit of NaN': ['--limit', 'nan'],
        }),
    'check_gpu': command(
        '.dev_scripts/check_gpu.py', '--device', 'cpu', '--scale-down',
        '--out', 'out',
        more={
            **SCRIPT_OPTIONS,
            'unknown device': ['--device', 'tpu'],
            'word as limit': ['--limit', 'short'],
            'limit of zero': ['--limit', '0'],
            'limit of NaN': ['--limit', 'nan'],
            'no results': ['--render', F + 'none.json'],
            'picture as results': ['--render', F + 'text.png'],
            'file in the way': ['--out', F + 'text.png'],
        }),
    'check_forks': command(
        '.dev_scripts/check_forks.py', '--only', '1',
        more={
            'unknown option': ['--no-such-option'],
            'extra word': ['mmengine'],
            'number of zero': ['--only', '0'],
            'number too large': ['--only', '9'],
            'word as number': ['--only', 'all'],
            'no number': ['--only'],
            'file in the way': ['--logs', F + 'text.png'],
            'no folder': ['--logs'],
        }),
    'check_lowest': command(
        '.dev_scripts/check_lowest.py', 'tests/test_functional',
        more={
            'unknown option': ['--no-such-option'],
            'option without a value': ['--python'],
            'word as version': ['--python', 'newest'],
            'version that is too old': ['--python', '3.8'],
            'no interpreter': ['--python', F + 'none'],
            'folder as interpreter': ['--python', F + 'folder'],
            'text as interpreter': ['--python', F + 'text.py'],
            'no such test': ['tests/test_nothing.py'],
            'no such test in a folder': ['tests/none/test_x.py::test_y'],
            'test elsewhere': [F + 'text.py'],
            'no markers': ['-m'],
        }),
    'positions_in_features': command(
        'tools/analysis/positions_in_features.py', '--model', 'dcgan',
        '--out-dir', 'out',
        more={
            **numbers('num', least=8),
            'unknown option': ['--no-such-option'],
            'unknown network': ['--model', 'GAN'],
            'unknown padding': ['--padding', 'some'],
            'word as seed': ['--seeds', 'many'],
            'config without checkpoint': ['--trained', ROW_F],
            'no config': ['--trained', F + 'none.py', F + 'mspie.pth'],
            'text as checkpoint':
            ['--trained', F + 'mspie.py', F + 'text.pth'],
            'factory without a name': ['--factory', 'json'],
            'no module': ['--factory', 'no_such_module:make'],
            'no factory': ['--factory', 'json:no_such_factory'],
        }),
    'positions_in_features (claims)': command(
        'tools/analysis/positions_in_features.py', '--claim', 'd',
        '--data-root', F + 'images', '--photograph', F + 'photograph.png',
        '--work-dir', 'out',
        files={'photograph.png': PHOTOGRAPHS, 'images': {
            'no folder': 'none', 'folder without images': 'folder'}},
        more={
            'unknown claim': ['--claim', 'x'],
            'claim with a network': ['--model', 'dcgan'],
            'claim without seeds': ['--seeds'],
            'word as seed': ['--seeds', 'many'],
            'file in the way': ['--work-dir', F + 'text.png'],
            'setting without a value': ['--cfg-options', 'model'],
        }),
    'positions_in_features (options of claims)': command(
        'tools/analysis/positions_in_features.py',
        more={
            'no images': ['--claim', 'all'],
            'images without a claim': ['--data-root', F + 'images'],
            'settings without a claim': ['--cfg-options', 'a=1'],
        }),
}
# These take nothing but options without a value.
WITHOUT_INPUTS = ('.dev_scripts/check_mim.py', '.dev_scripts/mutants.py',
                  '.dev_scripts/update_tables.py')
CASES = [(name, kind) for name, x in COMMANDS.items() for kind in x.mistakes()]


def script_of(name):
    """A command without what is in brackets: its parts count together."""
    return name.split(' (')[0]


class Payload:

    def __reduce__(self):
        return os.mkdir, ('executed', )


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """A folder of right and wrong files."""
    folder = tmp_path_factory.mktemp('files')
    random = np.random.default_rng(0)

    def picture(name, *size):
        pixels = random.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)

    picture('photograph.png', 40, 52)
    picture('pasted.png', 40, 52)
    picture('small.png', 6, 9)
    for name in ('folder', 'images', 'training'):
        (folder / name).mkdir()
    for index in range(3):
        picture(f'images/{index}.png', 64, 64)
    mask = np.zeros((40, 52), np.uint8)
    Image.fromarray(mask).save(folder / 'black.png')
    mask[10:20, 20:30] = 255
    Image.fromarray(mask).save(folder / 'mask.png')
    for suffix in ('png', 'pth', 'py', 'npy', 'json'):
        (folder / f'text.{suffix}').write_text('some text in a file\n')
        (folder / f'empty.{suffix}').touch()
    write_edits(folder / 'edits.json',
                [dict(region=[5, 5, 20, 20], shift=[0, 9])], (40, 52))
    flow = np.zeros((40, 52, 2), np.float32)
    np.save(folder / 'flow.npy', flow)
    np.save(folder / 'flow_small.npy', flow[:9])
    np.save(folder / 'flow_nan.npy', flow * np.nan)
    np.save(folder / 'flow_objects.npy', flow.astype(object))
    write_configs(folder)
    write_checkpoints(folder)
    for name in ('photograph.png', 'singan.pth'):
        data = (folder / name).read_bytes()
        cut = (folder / 'cut').with_suffix(Path(name).suffix)
        cut.write_bytes(data[:len(data) // 2])
    shutil.copy(folder / 'photograph.png', folder / 'image.pth')
    shutil.make_archive(str(folder / 'a'), 'zip', folder / 'training')
    archive = shutil.make_archive(str(folder / 'b'), 'zip', folder / 'images')
    (folder / 'cut.zip').write_bytes(Path(archive).read_bytes()[:300])
    return folder


def write_configs(folder):
    Config(dict(model=model_cfg('csg', num_scales=2))).dump(
        folder / 'singan.py')
    small_config('mspie_spe_32-48-64').dump(folder / 'mspie.py')
    shutil.copy(folder / 'singan.py', folder / 'training/config.py')
    Config.fromfile(FAST).dump(folder / 'fast.py')
    for name, text in {
            'syntax.py': 'model = dict(\n',
            'error.py': 'model = 1 / 0\n',
            'base.py': "_base_ = './none.py'\n",
            'no_model.py': 'train_cfg = dict(max_iters=1)\n',
            'unknown.py': "model = dict(type='NoSuchModel')\n",
            'damaged.json': '{"model": ',
            'damaged.yml': 'model: [\n'
    }.items():
        (folder / name).write_text(text)


def write_checkpoints(folder):
    torch.manual_seed(0)
    model = build_from(MODELS, model_cfg('csg', num_scales=2))
    model.reals = random_pyramid(SIZES)
    model.construct_fixed_noises()
    model.noise_weights, model.curr_stage = [1, .3, .2], 2
    state = dict(state_dict=model.state_dict(), meta=dict(iter=2))
    torch.save(state, folder / 'singan.pth')
    torch.save(state, folder / 'training/iter_2.pth')
    model = build_from(MODELS, small_config('mspie_spe_32-48-64').model)
    torch.save(
        dict(state_dict=model.state_dict(), meta=dict(iter=2)),
        folder / 'mspie.pth')
    torch.save(dict(meta={}), folder / 'nothing.pth')
    torch.save(dict(state_dict={}, meta=Payload()), folder / 'evil.pth')


MODULES = {}


def main_of(path):
    """A script's function, read once."""
    if path not in MODULES:
        spec = importlib.util.spec_from_file_location(
            f'command_{len(MODULES)}', osp.join(ROOT, path))
        MODULES[path] = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = MODULES[path]
        spec.loader.exec_module(MODULES[path])
    return MODULES[path].main


def snapshot(folder):
    """All files and folders, and what is in them."""
    return {
        path.relative_to(folder): path.is_file()
        and hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob('*')
    }


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty working directory and home."""
    for name in ('here', 'home'):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    monkeypatch.setenv('HOME', str(tmp_path / 'home'))
    monkeypatch.setattr(sys, 'path', list(sys.path))
    return tmp_path


@pytest.mark.parametrize('name, kind', CASES)
def test_one_line(name, kind, files, empty, monkeypatch, capfd):
    tool = COMMANDS[name]
    args = [str(arg).format(files=files) for arg in tool.mistakes()[kind]]
    before = snapshot(files)
    main = main_of(tool.script)
    monkeypatch.setattr(sys, 'argv', [tool.script, *args])
    capfd.readouterr()
    with pytest.raises(SystemExit) as stop:
        main()
    check_end(stop.value.code, capfd.readouterr().err)
    assert snapshot(files) == before
    assert not os.listdir()
    # Once a machine, Matplotlib writes a list of fonts.
    assert not [path for path in empty.rglob('*')
                if path.is_file() and 'matplotlib' not in path.parts]


def check_end(code, printed):
    """One line in the style of the project, or argparse's."""
    if code == 2:
        assert re.match('usage: ', printed)
        assert ': error: ' in printed.splitlines()[-1]
        return
    assert isinstance(code, str) and '\n' not in code
    assert printed == ''
    assert re.match(r'\w*(Error|Exception): \S.*', code), code
    assert len(code) < 1000


@pytest.mark.parametrize('script', WITHOUT_INPUTS)
def test_scripts_without_inputs(script, monkeypatch, capsys):
    for args in (['--no-such-option'], ['word']):
        monkeypatch.setattr(sys, 'argv', [script, *args])
        with pytest.raises(SystemExit) as stop:
            main_of(script)()
        check_end(stop.value.code, capsys.readouterr().err)


def test_every_command_and_eight_kinds():
    scripts = {
        str(path.relative_to(ROOT))
        for pattern in ('tools/*.py', 'tools/analysis/*.py', 'demo/*.py',
                        '.dev_scripts/*.py')
        for path in Path(ROOT).glob(pattern)
    }
    tested = {x.script for x in COMMANDS.values()}
    assert scripts == tested | set(WITHOUT_INPUTS)
    commands = main_of(DEMO).__globals__['COMMANDS']
    assert {f'demo {x}' for x in commands} <= set(COMMANDS)
    counts = Counter(script_of(name) for name, _ in CASES)
    assert min(counts.values()) >= 8, counts


@pytest.mark.parametrize('name, kind, code', [
    ('demo sample', 'text as picture', 1),
    ('mspie_sampling', 'num is too small', 2)
])
def test_in_a_process_of_its_own(name, kind, code, files, empty):
    tool = COMMANDS[name]
    args = [str(arg).format(files=files) for arg in tool.mistakes()[kind]]
    result = subprocess.run(
        [sys.executable, osp.join(ROOT, tool.script), *args],
        env={**os.environ, 'PYTHONPATH': ROOT, 'OMP_NUM_THREADS': '1'},
        text=True,
        capture_output=True)
    assert result.returncode == code
    last = result.stderr.splitlines()[-1]
    if code == 1:
        assert re.match(r'\w+Error: ', last) and result.stderr == f'{last}\n'
    assert 'Traceback' not in result.stderr
    assert not os.listdir()
