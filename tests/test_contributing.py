"""CONTRIBUTING.md, CITATION.cff and the forms say what is true."""
import os.path as osp
import re
from glob import glob

import pytest
import yaml

ROOT = osp.dirname(osp.dirname(osp.abspath(__file__)))


def read(*path):
    with open(osp.join(ROOT, *path), encoding='utf-8') as file:
        return file.read()


def test_places_exist():
    rows = re.findall(r'^\| .*\? \| `(\S+)` \| `(\w+)` \| .* \|$',
                      read('CONTRIBUTING.md'), re.MULTILINE)
    assert len(rows) == 6
    for path, name in rows:
        assert re.search(rf'^\s*(def|class) {name}\b', read(path),
                         re.MULTILINE), f'{path}: {name}'


@pytest.mark.parametrize('path', [
    'CITATION.cff',
    *(osp.relpath(path, ROOT)
      for path in glob(osp.join(ROOT, '.github', '**', '*.yml'),
                       recursive=True)),
])
def test_yaml_can_be_read(path):
    assert isinstance(yaml.safe_load(read(path)), dict)
