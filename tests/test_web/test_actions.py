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

from mmpe.web.page import PATCHES, Page  # noqa: E402
from mmpe.web.studio import Studio  # noqa: E402


@pytest.fixture
def make(tmp_path, monkeypatch):
    """A page whose out folder is `out`, and its photograph."""
    monkeypatch.chdir(tmp_path)
    studios = []

    def make_one(faces=()):
        studio = Studio(tmp_path / 'out', faces)
        studios.append(studio)
        path = draw_photograph(tmp_path / 'a meadow.png')
        return Page(studio), str(studio.keep_photograph(str(path), path.name))

    yield make_one
    for studio in studios:
        studio.close()


def texts(shown):
    """Command and Python of a piece of the page."""
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
    page, photograph = make()
    where = photograph, PATCHES, 250
    state = dict(edits=[], undone=[])
    _, shown, state = last(page.move(
        *where, state, dict(selection=dict(region=[9, 11, 21, 23]),
                            shift=[0, 20]),
        0, 0, 1, 1, 0, 'no', False, False, 0, 0))
    outline = [[30, 8], [30, 30], [44, 20]]
    _, shown, state = last(page.move(
        *where, state, dict(selection=dict(outline=outline)), 0, 12, 1.25, 1,
        10, 'horizontal', True, False, 1, 7))
    assert len(state['edits']) == 2
    done = check_same(shown, page.studio.folder, run_tool)
    assert 'layout' in done['command'] and '--edits' in done['command']
    kept = json.loads(next((page.studio.folder / 'edits').glob('*.json'))
                      .read_text())
    assert kept['size'] == [48, 64] and len(kept['edits']) in (1, 2)
    # nothing moved, and nothing marked
    for event in ({}, dict(selection=dict(region=[9, 11, 21, 23]))):
        with pytest.raises(ValueError, match='draw around|needs one of'):
            last(page.move(*where, state, event, 0, 0, 1, 1, 0, 'no', False,
                           False, 0, 0))


def test_edits_from_a_file(make, tmp_path):
    page, photograph = make()
    where = photograph, PATCHES, 250
    path = tmp_path / 'edits.json'
    content = dict(size=[48, 64], edits=[dict(region=[9, 11, 21, 23],
                                              shift=[0, 20])])
    path.write_text(json.dumps(content))
    _, shown, state = last(page.open_edits(*where, str(path), 0, 0))
    assert state['edits'] == content['edits'] and 'layout.png' in shown
    for text, match in (('no JSON', 'no file of edits'),
                        (json.dumps(dict(content, size=[50, 64])),
                         'drawn on a picture of 50 x 64 pixels')):
        path.write_text(text)
        with pytest.raises(ValueError, match=match):
            last(page.open_edits(*where, str(path), 0, 0))


def test_new_pictures(make, run_tool):
    page, photograph = make()
    where = photograph, PATCHES, 250
    for growth, scale, keep in (('extend', 1, False), ('centre', 0, True)):
        shown = last(page.sample(*where, 2, 5, 56, 72, growth, scale, keep))
        check_same(shown, page.studio.folder, run_tool)


def test_edit_harmonize_and_paint(make, run_tool, tmp_path):
    page, photograph = make()
    where = photograph, PATCHES, 250
    mask = np.zeros((48, 64), np.uint8)
    mask[20:30, 20:40] = 255
    Image.fromarray(mask).save(tmp_path / 'mask.png')
    picture = str(draw_photograph(tmp_path / 'other.png', seed=9))
    for kind in ('edit', 'harmonize', 'paint'):
        shown = last(page.edit(*where, kind, '', picture,
                               str(tmp_path / 'mask.png'), 1, 9, 3, 8))
        assert shown.count('<figure>') == 3  # scales to start from
        check_same(shown, page.studio.folder, run_tool)
    with pytest.raises(ValueError, match='Paint on the photograph, or give'):
        last(page.edit(*where, 'edit', '', None, None, 1, 9, 3, 8))


def test_enlarge_animate_and_tiles(make, run_tool):
    page, photograph = make()
    where = photograph, PATCHES, 250
    for shown in (last(page.enlarge(*where, 2)),
                  last(page.animate(*where, 3, 12, .1, .9, 1, 4)),
                  page.tiled(*where, 70, 300, 'tile', 3)):
        check_same(shown, page.studio.folder, run_tool)


@pytest.mark.parametrize('kind', ['random', 'truncation', 'mixing', 'sizes',
                                  'interpolation'])
def test_faces(kind, make, run_tool, trained):
    page, _ = make([trained()])
    name, = page.studio.faces
    low, high = page.size_bounds(name)[0]['minimum'], 48
    shown = last(page.faces(name, kind, 2, 3, high, high + low, .7, 2))
    check_same(shown, page.studio.folder, run_tool)


def wait_for(page, status):

    def found():
        states = page.studio.queue.states()
        statuses = [x.status for x in states]
        assert 'failed' not in statuses, states
        return states if statuses == status else None

    return waiting.wait_for(found)


def test_learn(make, run_tool):
    page, photograph = make()
    shown, _ = page.start(photograph, 32, 2, 1)
    state, = wait_for(page, ['trained'])
    folder = state.training.folder
    expected = (folder / 'iter_2.pth').read_bytes()
    assert page.model_choices(photograph)[1][1] == str(folder)
    result = (folder / 'result.json').read_bytes()
    done = texts(shown)
    # Both find that this very training is finished.
    run_tool(root() / shlex.split(done['command'])[1],
             *shlex.split(done['command'])[2:])
    exec(done['python'].replace("'configs", f"'{root()}/configs"), {})
    assert (folder / 'iter_2.pth').read_bytes() == expected
    assert (folder / 'result.json').read_bytes() == result
    shown = last(page.sample(photograph, str(folder), 250, 1, 0, 32, 40, '',
                             0, False))
    check_same(shown, page.studio.folder, run_tool)
    with pytest.raises(ValueError, match='training is not finished'):
        page.model(photograph, '/etc', 250)
