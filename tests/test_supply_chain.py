"""The lock file and the list of licences know what mmpe requires."""
import os.path as osp
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = osp.dirname(osp.dirname(osp.abspath(__file__)))
# What the test command of README.md installs, beside MMagic alone.
INSTALLED = ('runtime', 'demo', 'lite', 'tests')


def read(*path):
    with open(osp.join(ROOT, *path), encoding='utf-8') as file:
        return file.read()


def requirements(name):
    lines = read('requirements', f'{name}.txt').splitlines()
    return [Requirement(line) for line in lines
            if line and not line.startswith('#')]


@pytest.fixture(scope='module')
def locked():
    """Lines of the lock file by the package's name."""
    entries = {}
    for line in read('.ci', 'lock.txt').replace('\\\n', '').splitlines():
        if line[:1] not in ('', ' ', '#'):
            name = canonicalize_name(line.split('==')[0])
            entries.setdefault(name, []).append(line)
    return entries


def installed():
    """All of INSTALLED, and MMagic."""
    yield requirements('mmagic')[0]
    for name in INSTALLED:
        yield from requirements(name)


def test_what_is_required_is_locked(locked):
    for requirement in installed():
        lines = locked.get(canonicalize_name(requirement.name))
        assert lines, f'{requirement}: run .dev_scripts/lock.sh'
        for line in lines:
            version = re.match(r'[^=\s]+==([^\s;]+)', line)[1]
            assert requirement.specifier.contains(version), requirement


def test_all_is_pinned_by_hashes(locked):
    for lines in locked.values():
        for line in lines:
            assert re.match(r'[\w.-]+==[\w.+]+ ', line), line
            assert re.search(r' --hash=sha256:[0-9a-f]{64}\b', line), line


def test_no_index_is_named():
    text = read('.ci', 'lock.txt')
    assert '://' not in text and '--index' not in text


def test_licences_of_what_is_required():
    table = re.findall(r'^\| *([\w.-]+) *\|', read('docs', 'licences.md'),
                       re.MULTILINE)
    listed = {canonicalize_name(entry) for entry in table}
    for requirement in installed():
        assert canonicalize_name(requirement.name) in listed, (
            f'{requirement}: run .dev_scripts/inventory.sh')
