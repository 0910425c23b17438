"""The metafile, the configs and the tables of the READMEs agree."""
import importlib.util
import re
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.fileio import load

from mmpe import zoo

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / 'configs' / 'positional_encoding_in_gans'
READMES = [ROOT / 'README.md', FOLDER / 'README.md']
ROWS = zoo.rows()


@pytest.fixture
def tool(monkeypatch):
    path = ROOT / '.dev_scripts' / 'update_tables.py'
    spec = importlib.util.spec_from_file_location('update_tables', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(sys, 'argv', ['update_tables.py'])
    return module


@pytest.fixture
def copy(tool, tmp_path, monkeypatch):
    """The tool, at work on copies of the READMEs."""
    for readme in READMES:
        target = tmp_path / readme.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(readme.read_bytes())
    # Configs are linked relative to a README.
    rows = {
        name: row._replace(config=tmp_path / row.config.relative_to(ROOT))
        for name, row in ROWS.items()
    }
    monkeypatch.setattr(tool, 'ROOT', tmp_path)
    monkeypatch.setattr(tool, 'rows', lambda: rows)
    return tool


def test_a_config_for_each_row_and_a_row_for_each_config():
    assert len(ROWS) == 21
    assert set(ROWS) == {path.stem for path in FOLDER.glob('*.py')}
    for row in ROWS.values():
        assert row.config == FOLDER / f'{row.name}.py'


def test_no_row_twice():
    models = load(FOLDER / 'metafile.yml')['Models']
    assert len(models) == len({model['Name'] for model in models})
    addresses = [x for row in ROWS.values()
                 for x in (row.weights, row.pickle) if x]
    assert len(addresses) == len(set(addresses)) == 13 + 2 * 8


def test_index_names_the_metafile():
    imports = load(ROOT / 'model-index.yml')['Import']
    assert [ROOT / path for path in imports] == [FOLDER / 'metafile.yml']


@pytest.mark.parametrize('row', ROWS.values(), ids=list(ROWS))
def test_row(row):
    """What is written in the metafile is what the config says."""
    cfg = Config.fromfile(row.config)
    assert re.search(r'-[0-9a-f]{8}\.pth$', row.weights)
    if 'Number of Scales' in row.metadata:
        assert row.pickle == row.weights[:-len('pth')] + 'pkl'
        assert cfg.model.num_scales == row.metadata['Number of Scales']
        photograph = Path(cfg.train_dataloader.dataset.data_root).name
        assert row.metadata['Photograph'].endswith(f'/{photograph}')
        assert not row.metrics
        return
    cells = cfg.model.get('train_settings', {}).get('multi_input_scales', [0])
    size = cfg.model.generator.out_size
    sizes = [str(size * (4 + x) // 4) for x in cells]
    assert row.metadata['Scales'] == ', '.join(sizes)
    letter = re.search(r'config-(\w)_', row.name)
    if row.metadata['Reference in Paper'].startswith('Tab.5'):
        letter = letter[1] if letter else {'256': 'a', '512': 'b'}[sizes[0]]
        assert row.metadata['Reference in Paper'] == f'Tab.5 config-{letter}'
    assert set(row.metrics) == {'FID50k', 'Precision10k', 'Recall10k'}


@pytest.mark.parametrize('readme', READMES, ids=['main', 'folder'])
def test_tables_are_as_the_metafile_says(tool, readme):
    text = readme.read_text()
    assert tool.updated(readme) == text
    for row in ROWS.values():
        start = f'| [{row.name}]('
        line, = (x for x in text.splitlines() if x.startswith(start))
        config = re.match(r'\| \[[^]]*\]\(([^)]*)\)', line)[1]
        assert (readme.parent / config).resolve() == row.config
        assert f'({row.weights})' in line
        for score in row.metrics.values():
            assert f' {score:.2f} ' in line


def test_check_finds_a_changed_table(copy, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['update_tables.py', '--check'])
    copy.main()
    readme = copy.ROOT / 'README.md'
    text = readme.read_text()
    readme.write_text(text.replace('75.92', '75.93'))
    with pytest.raises(SystemExit, match=r'^README.md: tables are outdated'):
        copy.main()
    assert '75.93' in readme.read_text()


def test_tables_are_written(copy, capsys):
    readme = copy.ROOT / 'README.md'
    text = readme.read_text()
    readme.write_text(re.sub(r'\n\| \[singan[^\n]*', '', text))
    copy.main()
    assert readme.read_text() == text
    assert capsys.readouterr().out == 'Updated README.md\n'


def test_a_row_that_is_not_there():
    with pytest.raises(ValueError, match="no row 'singan_spe-dim4'; did you "
                       'mean singan_spe-dim4_fish,.*[?]$'):
        zoo.find_row('singan_spe-dim4')
    with pytest.raises(ValueError, match=r"no row 'x'\.$"):
        zoo.find_row('x')


def test_an_installation_without_metafile(tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, '__file__', str(tmp_path / 'mmpe' / 'zoo.py'))
    with pytest.raises(FileNotFoundError, match='mmpe is incomplete'):
        zoo.rows()


def test_rows_of_an_installation(tmp_path, monkeypatch):
    kept = tmp_path / 'mmpe' / '.mim'
    target = kept / FOLDER.relative_to(ROOT)
    target.mkdir(parents=True)
    (target / 'metafile.yml').write_bytes(
        (FOLDER / 'metafile.yml').read_bytes())
    monkeypatch.setattr(zoo, '__file__', str(tmp_path / 'mmpe' / 'zoo.py'))
    row = zoo.find_row('singan-csg_fish')
    assert row.config == target / 'singan-csg_fish.py'
