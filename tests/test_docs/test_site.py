"""The site builds, its links lead somewhere, and no public name is missing."""
import ast
import configparser
import importlib
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image
from sphinx.util.inventory import InventoryFile

pytestmark = pytest.mark.tools
ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
PAGES = [
    path for path in (*ROOT.glob('*.md'), *DOCS.rglob('*.md'),
                      *ROOT.glob('configs/*/*.md'))
    if '_build' not in path.parts
]


def run(*command):
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, text=True,
        capture_output=True, env={**os.environ, 'PYTHONPATH': str(ROOT)})


@pytest.fixture(scope='module')
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp('site')
    done = run('-m', 'sphinx', '-W', '--keep-going', '-q', '-d',
               folder / 'doctrees', DOCS, folder / 'html')
    assert done.returncode == 0, done.stderr
    return folder / 'html'


class Page(HTMLParser):
    """Anchors and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids.add(attrs.get('id'))
        self.links |= {attrs.get(name) for name in ('href', 'src')} - {None}


@pytest.mark.slow
def test_links(site):
    pages = {path: Page(path.read_text()) for path in site.rglob('*.html')}
    assert len(pages) > 40
    broken, inside = [], 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = path
            if parts.path:
                target = (path.parent / unquote(parts.path)).resolve()
            anchor = unquote(parts.fragment)
            found = target.is_file() and site in target.parents and (
                not anchor or anchor in pages[target].ids)
            inside += found
            if not found:
                broken.append(f'{path.relative_to(site)}: {link}')
    assert not broken and inside > 1000


def modules_and_names():
    """All that is public, read without importing anything."""
    for path in (ROOT / 'mmpe').rglob('*.py'):
        module = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
        names = []
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and getattr(
                    node.targets[0], 'id', '') == '__all__':
                names = ast.literal_eval(node.value)
                break
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                names.append(node.name)
        for name in names:
            if not name.startswith('_') and path.stem not in (
                    '__main__', 'version'):
                yield module.removesuffix('.__init__'), name


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(site):
    with open(site / 'objects.inv', 'rb') as file:
        objects = InventoryFile.load(file, '', lambda base, path: path)
    known = {name for kind, entries in objects.items()
             if kind.startswith('py:') for name in entries}
    public = list(modules_and_names())
    assert len(public) > 500
    missing = []
    for module, name in public:
        package = module.rpartition('.')[0]
        if not {f'{module}.{name}', f'{package}.{name}'} & known:
            # what is defined elsewhere is documented there
            value = getattr(importlib.import_module(module), name)
            if f'{getattr(value, "__module__", module)}.{name}' not in known:
                missing.append(f'{module}.{name}')
    assert not missing


@pytest.mark.parametrize(
    'page', PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])
def test_links_between_files(page):
    """On the repository's website, too."""
    text = re.sub(r'(?s)```.*?```|`[^`\n]*`', '', page.read_text())
    for link in re.findall(r'\]\(\s*([^)\s]+)', text):
        if urlsplit(link).scheme or link.startswith('#'):
            continue
        path, _, anchor = link.partition('#')
        target = page.parent / path
        assert target.exists(), link
        if anchor:
            headings = re.findall(r'(?m)^#+ (.*)', target.read_text().lower())
            slugs = [re.sub(r'[^\w\- ]', '', heading).replace(' ', '-')
                     for heading in headings]
            assert anchor in slugs, link


def test_every_extra_is_explained():
    config = configparser.ConfigParser()
    config.read(ROOT / 'setup.cfg')
    text = (DOCS / 'start.md').read_text()
    for extra in config['options.extras_require']:
        assert re.search(rf'(?m)^\|[^|]*`{extra}`', text), extra


def test_figures_are_those_of_the_code(tmp_path):
    done = run(DOCS / 'figures.py', '--out-dir', tmp_path)
    assert done.returncode == 0, done.stderr
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(path.name for path in DOCS.glob('positions/*'))
    for name in drawn:
        new, old = (np.asarray(Image.open(folder / name).convert('RGB'), int)
                    for folder in (tmp_path, DOCS / 'positions'))
        assert new.shape == old.shape
        # versions of matplotlib draw other letters, and a processor that
        # rounds otherwise may choose other patches
        assert np.abs(new - old).mean() < 8, name
