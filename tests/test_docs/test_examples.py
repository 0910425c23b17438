"""Examples in docstrings and on the site's pages say what is true."""
import doctest
import importlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from mmpe.inference import write_edits
from mmpe.registry import MODELS, build_from
from mmpe.zoo import rows

ROOT = Path(__file__).resolve().parents[2]
MODULES = [
    '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    for path in sorted((ROOT / 'mmpe').rglob('*.py'))
    if '>>> ' in path.read_text()
]
# This page is run by tests/test_analysis/test_tutorial.py.
PAGES = [
    path for folder in ('.', 'docs', 'configs/*')
    for path in sorted(ROOT.glob(f'{folder}/*.md'))
    if path.name != 'positions_for_others.md'
]
BLOCKS = [
    pytest.param(code, id=f'{path.relative_to(ROOT)}-{number}')
    for path in PAGES
    for number, code in enumerate(
        re.findall(r'^```python\n(.*?)^```', path.read_text(),
                   re.DOTALL | re.MULTILINE))
    # what needs a download is left out
    if not any(f"'{name}'" in code for name in rows())
]
SMALL = 'configs/mspie_small/mspie_spe_32-48-64.py'
TRAINED = 'work_dirs/mspie_spe_32-48-64/iter_54000.pth'


@pytest.mark.parametrize('name', MODULES)
def test_docstrings(name):
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert tried and not failed


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with the files that the pages name."""
    folder = tmp_path_factory.mktemp('reader')
    pixels = np.random.default_rng(0).integers(
        0, 256, (6, 8, 3), np.uint8)
    photo = Image.fromarray(pixels).resize((160, 120), Image.BICUBIC)
    photo.save(folder / 'photo.jpg')
    # as the model that is trained on it, which has the same methods
    (folder / 'out').mkdir()
    photo.save(folder / 'out' / 'photo', 'PNG')
    write_edits(folder / 'edits.json', [dict(shift=[0, 9])], (120, 160))
    shutil.copytree(ROOT / 'configs', folder / 'configs')
    torch.manual_seed(0)
    model = Config.fromfile(ROOT / SMALL).model
    (folder / TRAINED).parent.mkdir(parents=True)
    torch.save(dict(state_dict=build_from(MODELS, model).state_dict()),
               folder / TRAINED)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize('code', BLOCKS)
def test_pages(code, folder, monkeypatch):
    monkeypatch.chdir(folder)
    exec(compile(code, 'page', 'exec'), {'__name__': 'page'})
