"""The notebooks run from top to bottom, here with tiny settings."""
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.tools
ROOT = Path(__file__).resolve().parent.parent
# The settings of each notebook, and how many pictures it shows.
NOTEBOOKS = {
    'layout_edit': ('PHOTOGRAPH, MAX_SIZE = None, 64', 5),
    'encodings_explained': ('CELLS, SIZE = 8, 48', 5),
    'mspie_any_size': ('NUM_IMAGES, ITERATIONS = 4, 2', 3),
}


def read(name):
    return nbformat.read(ROOT / 'notebooks' / f'{name}.ipynb', as_version=4)


def outputs(notebook):
    return [output for cell in notebook.cells
            for output in cell.get('outputs', [])]


def pictures(notebook):
    return [output for output in outputs(notebook)
            if any('image' in kind for kind in output.get('data', {}))]


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_notebook(name, tmp_path, monkeypatch):
    settings, num_pictures = NOTEBOOKS[name]
    notebook = read(name)
    names = settings.split(' = ')[0]
    cell, = (cell for cell in notebook.cells if cell.source.startswith(names))
    cell.source = settings
    (tmp_path / 'notebooks').mkdir()
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    for variable in ('IPYTHONDIR', 'JUPYTER_RUNTIME_DIR'):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    folder = dict(metadata=dict(path=str(tmp_path / 'notebooks')))
    NotebookClient(notebook, timeout=600, resources=folder).execute()
    assert len(pictures(notebook)) == num_pictures


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_outputs(name):
    """What is kept shows all pictures, is small and tells no folder."""
    notebook = read(name)
    assert len(pictures(notebook)) == NOTEBOOKS[name][1]
    assert (ROOT / 'notebooks' / f'{name}.ipynb').stat().st_size < 300_000
    assert not any('site-packages' in str(output)
                   for output in outputs(notebook))


def test_all_are_tested():
    found = {path.stem for path in (ROOT / 'notebooks').glob('*.ipynb')}
    assert found == set(NOTEBOOKS)
