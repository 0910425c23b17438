"""What the page does, its command does and its Python does, bit for bit."""
import html
import json
import re
import shlex
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image

from mmpe.zoo import root
from tests import waiting

from .conftest import draw_photograph

gradio = pytest.importorskip('gradio')

from mmpe.web.studio import Studio  # noqa: E402
from mmpe.web.tabs import (AnimateTab, EditTab, FacesTab,  # noqa: E402
                           LearnTab, MoveTab, NewTab)
from mmpe.web.tabs.base import PATCHES  # noqa: E402


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A tab whose output folder is `out`, and its photograph."""
    monkeypatch.chdir(tmp_path)
    studios = []

    def make_one(tab, faces=()):
        studio = Studio(tmp_path / 'out', faces)
        studios.append(studio)
        path = draw_photograph(tmp_path / 'a meadow.png')
        return tab(studio), str(studio.keep_photograph(str(path), path.name))

    yield make_one
    for studio in studios:
        studio.close()


def texts(shown):
    """Command and Python of a piece of the tab."""
    found = re.findall(r'<pre class="mmpe-(\w+)">(.*?)</pre>', shown, re.S)
    return {name: html.unescape(text) for name, text in found}


def files_of(shown, folder):
    names = re.findall(r'href="/files/([^"?]+)\?', html.unescape(shown))
    paths = [folder / unquote(name) for name in names]
    return {path: path.read_bytes() for path in paths}


def flatten(images):
    if not isinstance(images, list):
        return [images]
    return [x for image in images for x in flatten(image)]


def check_same(shown, folder, run_tool):
    """Do it by the command, and by Python, and compare."""
    before = files_of(shown, folder)
    written = {x for x in before if 'results' in x.parts}
    for path in written:
        path.unlink()
    done = texts(shown)
    program, script, *options = shlex.split(done['command'])
    assert program == 'python'
    run_tool(root() / script, *options)
    assert {x: x.read_bytes() for x in before} == before
    films = [x for x in written if x.suffix != '.png']
    for path in films:
        path.unlink()
    names = {}
    exec(done['python'], names)
    images = names.get('images', [names.get('image')])
    flat = flatten(images)
    pictures = [Image.open(x) for x in before
                if x.suffix == '.png' and 'results' in x.parts]
    if films:
        assert {x: x.read_bytes() for x in films} == {
            x: before[x] for x in films}
    elif isinstance(flat[0], np.ndarray):
        assert sorted(x.tobytes() for x in flat) == sorted(
            np.asarray(x).tobytes() for x in pictures)
    return done


def last(answers):
    *_, shown = answers
    return shown


def test_layout(make, run_tool):
    tab, photograph = make(MoveTab)
    where = photograph, PATCHES, 250
    state = dict(edits=[], undone=[])
    _, shown, state = last(tab.move(
        *where, state, dict(selection=dict(region=[9, 11, 21, 23]),
                            shift=[0, 20]),
        0, 0, 1, 1, 0, 'no', False, False, 0, 0))
    outline = [[30, 8], [30, 30], [44, 20]]
    _, shown, state = last(tab.move(
        *where, state, dict(selection=dict(outline=outline)), 0, 12, 1.25, 1,
        10, 'horizontal', True, False, 1, 7))
    assert len(state['edits']) == 2
    done = check_same(shown, tab.studio.folder, run_tool)
    assert 'layout' in done['command'] and '--edits' in done['command']
    kept = json.loads(next((tab.studio.folder / 'edits').glob('*.json'))
                      .read_text())
    assert kept['size'] == [48, 64] and len(kept['edits']) in (1, 2)
    # nothing moved, and nothing marked
    for event in ({}, dict(selection=dict(region=[9, 11, 21, 23]))):
        with pytest.raises(ValueError, match='Draw around|requires one of'):
            last(tab.move(*where, state, event, 0, 0, 1, 1, 0, 'no', False,
                           False, 0, 0))


def test_edits_from_a_file(make, tmp_path):
    tab, photograph = make(MoveTab)
    where = photograph, PATCHES, 250
    path = tmp_path / 'edits.json'
    content = dict(size=[48, 64], edits=[dict(region=[9, 11, 21, 23],
                                              shift=[0, 20])])
    path.write_text(json.dumps(content))
    _, shown, state = last(tab.open_edits(*where, str(path), 0, 0))
    assert state['edits'] == content['edits'] and 'layout.png' in shown
    for text, match in (('no JSON', 'not a file of edits'),
                        (json.dumps(dict(content, size=[50, 64])),
                         'belong to a picture of 50 x 64 pixels')):
        path.write_text(text)
        with pytest.raises(ValueError, match=match):
            last(tab.open_edits(*where, str(path), 0, 0))


def test_new_pictures(make, run_tool):
    tab, photograph = make(NewTab)
    where = photograph, PATCHES, 250
    for growth, scale, keep in (('extend', 1, False), ('centre', 0, True)):
        shown = last(tab.sample(*where, 2, 5, 56, 72, growth, scale, keep))
        check_same(shown, tab.studio.folder, run_tool)


def test_edit_harmonize_and_paint(make, run_tool, tmp_path):
    tab, photograph = make(EditTab)
    where = photograph, PATCHES, 250
    mask = np.zeros((48, 64), np.uint8)
    mask[20:30, 20:40] = 255
    Image.fromarray(mask).save(tmp_path / 'mask.png')
    picture = str(draw_photograph(tmp_path / 'other.png', seed=9))
    for kind in ('edit', 'harmonize', 'paint'):
        shown = last(tab.edit(*where, kind, '', picture,
                               str(tmp_path / 'mask.png'), 1, 9, 3, 8))
        assert shown.count('<figure>') == 3  # scales to start from
        check_same(shown, tab.studio.folder, run_tool)
    with pytest.raises(ValueError, match='Paint on the photograph, or upload'):
        last(tab.edit(*where, 'edit', '', None, None, 1, 9, 3, 8))


def test_enlarge_animate_and_tiles(make, run_tool):
    tab, photograph = make(AnimateTab)
    where = photograph, PATCHES, 250
    for shown in (last(tab.enlarge(*where, 2)),
                  last(tab.animate(*where, 3, 12, .1, .9, 1, 4)),
                  tab.tiled(*where, 70, 300, 'tile', 3)):
        check_same(shown, tab.studio.folder, run_tool)


@pytest.mark.parametrize('kind', ['random', 'truncation', 'mixing', 'sizes',
                                  'interpolation'])
def test_faces(kind, make, run_tool, trained):
    tab, _ = make(FacesTab, [trained()])
    name, = tab.studio.faces
    low, high = tab.size_bounds(name)[0]['minimum'], 48
    shown = last(tab.faces(name, kind, 2, 3, high, high + low, .7, 2))
    check_same(shown, tab.studio.folder, run_tool)


def wait_for(tab, status):

    def found():
        states = tab.studio.queue.states()
        statuses = [x.status for x in states]
        assert 'failed' not in statuses, states
        return states if statuses == status else None

    return waiting.wait_for(found)


def test_learn(make, run_tool):
    tab, photograph = make(LearnTab)
    shown, _ = tab.start(photograph, 32, 2, 1)
    state, = wait_for(tab, ['trained'])
    folder = state.training.folder
    expected = (folder / 'iter_2.pth').read_bytes()
    assert tab.model_choices(photograph)[1][1] == str(folder)
    result = (folder / 'result.json').read_bytes()
    done = texts(shown)
    # Both find that this very training is finished.
    run_tool(root() / shlex.split(done['command'])[1],
             *shlex.split(done['command'])[2:])
    exec(done['python'].replace("'configs", f"'{root()}/configs"), {})
    assert (folder / 'iter_2.pth').read_bytes() == expected
    assert (folder / 'result.json').read_bytes() == result
    shown = last(NewTab(tab.studio).sample(
        photograph, str(folder), 250, 1, 0, 32, 40, '', 0, False))
    check_same(shown, tab.studio.folder, run_tool)
    with pytest.raises(ValueError, match='training is not finished'):
        tab.model(photograph, '/etc', 250)
