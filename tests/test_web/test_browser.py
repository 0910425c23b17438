"""The page as a person uses it, in Chromium."""
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from urllib.parse import unquote

from .conftest import draw_photograph

pytest.importorskip('gradio')
FILE = ' input[type=file]'


def drop(page, path):
    """Drop a photograph, and wait until it is on the canvas."""
    page.set_input_files('#photograph-file' + FILE, str(path))
    wait_for(page, 'move-canvas', path)


def wait_for(page, name, path):
    """Wait for a photograph, where an earlier one may have been."""
    words = re.sub('[^A-Za-z0-9]+', '-', Path(path).stem).strip('-')[:40]
    page.wait_for_selector(f'#{name} canvas[aria-label^="{words}-"]')


def ready(page, name='move-canvas'):
    """What is on a canvas now."""
    found = page.locator(f'#{name} [data-ready]')
    return found.get_attribute('data-ready') if found.count() else None


def wait_for_new(page, before, name='move-canvas'):
    page.wait_for_function(
        '([name, before]) => { const x = document.querySelector('
        '`#${name} [data-ready]`); return x && x.dataset.ready !== before; }',
        arg=[name, before])


def drag(page, name, start, end):
    """Press, draw and let go; places as parts of the canvas."""
    canvas = page.locator(f'#{name} canvas')
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for place, then in ((start, page.mouse.down), (end, page.mouse.up)):
        page.mouse.move(box['x'] + place[1] * box['width'],
                        box['y'] + place[0] * box['height'], steps=4)
        then()


def tab(page, name):
    page.get_by_role('tab', name=name).click()


def told(page):
    """The sentence of the last error, which is taken away."""
    toast = page.locator('.toast-body').last
    text = toast.inner_text()
    toast.locator('button').last.click()
    toast.wait_for(state='detached')
    return text


def download(page, within, tmp_path):
    with page.expect_download() as waiting:
        page.locator(f'#{within} a.mmpe-download').first.click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return np.asarray(Image.open(path))


def test_move_undo_and_download(open_page, server, tmp_path):
    page = open_page()
    (tmp_path / 'text.png').write_text('some text')
    page.set_input_files('#photograph-file' + FILE, tmp_path / 'text.png')
    assert "'text.png' is not an image file that can be read" in told(page)
    Image.new('1', (8000, 6250)).save(tmp_path / 'large.png')
    page.set_input_files('#photograph-file' + FILE, tmp_path / 'large.png')
    assert 'it has 50.0 megapixels, more than the limit of 40' in told(page)

    drop(page, draw_photograph(tmp_path / 'meadow.png'))
    before = ready(page)
    # the red blot, and 20 pixels to the right
    drag(page, 'move-canvas', (9 / 48, 11 / 64), (21 / 48, 23 / 64))
    drag(page, 'move-canvas', (15 / 48, 17 / 64), (15 / 48, 37 / 64))
    wait_for_new(page, before)
    moved = download(page, 'move-results', tmp_path)
    assert moved.shape == (48, 64, 3)
    red = moved[11:19, :, 0].astype(int) - moved[11:19, :, 2]
    assert red[:, 33:41].min() > 80 and red[:, 12:21].max() < 40

    # a second edit, of which the first one is undone and made again
    page.get_by_label('Repeat: keep it in place, too').check()
    before = ready(page)
    drag(page, 'move-canvas', (9 / 48, 31 / 64), (21 / 48, 43 / 64))
    drag(page, 'move-canvas', (15 / 48, 37 / 64), (15 / 48, 17 / 64))
    wait_for_new(page, before)
    red = download(page, 'move-results', tmp_path)[14, :, 0].astype(int)
    assert red[16] > 180 and red[37] > 180
    before = ready(page)
    page.click('#undo')
    wait_for_new(page, before)
    assert np.array_equal(download(page, 'move-results', tmp_path), moved)
    before = ready(page)
    page.click('#redo')
    wait_for_new(page, before)
    for _ in range(2):
        before = ready(page)
        page.click('#undo')
        wait_for_new(page, before)
    assert not page.locator('#move-results img').count()
    page.click('#undo')
    assert 'There is nothing to undo.' in told(page)
    page.click('#apply')
    assert 'Draw around a part of the photograph first.' in told(page)


def test_line_drawn_around(open_page, tmp_path):
    page = open_page()
    drop(page, draw_photograph(tmp_path / 'meadow1.png', seed=1))
    page.locator('#move-canvas select').select_option('lasso')
    box = page.locator('#move-canvas canvas').bounding_box()
    page.mouse.move(box['x'] + 10 / 64 * box['width'],
                    box['y'] + 8 / 48 * box['height'])
    page.mouse.down()
    for x, y in ((24, 8), (24, 22), (10, 22)):
        page.mouse.move(box['x'] + x / 64 * box['width'],
                        box['y'] + y / 48 * box['height'], steps=4)
    page.mouse.up()
    page.check('#remove input')
    before = ready(page)
    page.click('#apply')
    wait_for_new(page, before)
    image = download(page, 'move-results', tmp_path)
    assert image[12:18, 14:20, 0].max() < 150
    text = page.locator('#move-results .mmpe-command').text_content()
    assert re.search(r'layout .*\.png --max-size 250 --edits .*\.json', text)


def test_harmonize_with_brush_and_files(open_page, tmp_path):
    page = open_page()
    photograph = draw_photograph(tmp_path / 'meadow2.png', seed=2)
    drop(page, photograph)
    tab(page, 'Edit, harmonize, paint')
    wait_for(page, 'brush-canvas', photograph)
    page.locator('#edit-kind label').nth(1).click()
    page.click('#do-edit')
    assert 'Nothing is marked: paint over the changed pixels' in told(page)
    drag(page, 'brush-canvas', (.7, .3), (.7, .6))
    page.click('#do-edit')
    page.wait_for_selector('#edit-results img')
    page.wait_for_selector('#edit-results .mmpe-command', state='attached')
    image = download(page, 'edit-results', tmp_path)
    assert image.shape == (48, 64, 3)
    Image.new('L', (30, 30), 255).save(tmp_path / 'mask.png')
    page.set_input_files('#mask-file' + FILE, tmp_path / 'mask.png')
    page.wait_for_selector('#mask-file .file-preview')
    page.click('#do-edit')
    assert 'The mask must have the size of the image, 48 x 64' in told(page)


def test_two_pages_at_once(open_page, tmp_path):
    pages = open_page(), open_page()
    for index, page in enumerate(pages):
        drop(page, draw_photograph(tmp_path / f'page{index}.png',
                                   size=(48 + 8 * index, 64), seed=3))
    for page in pages:
        tab(page, 'New pictures')
        page.click('#draw')
    for index, page in enumerate(pages):
        page.wait_for_selector('#new-results img >> nth=3')
        page.wait_for_function(
            '[...document.querySelectorAll("#new-results img")]'
            '.every(x => x.naturalHeight)')  # which are loaded
        images = page.locator('#new-results img')
        sizes = images.evaluate_all('x => x.map(y => y.naturalHeight)')
        assert sizes == [48 + 8 * index] * 4
        source = unquote(page.locator('#photograph input').input_value())
        assert source.startswith(f'page{index}-')


def set_number(page, name, value):
    box = page.locator(f'#{name} input[type=number]')
    box.fill(str(value))
    box.press('Tab')


def row(page, status):
    page.wait_for_selector(f'#trainings tr[data-status="{status}"]')
    return page.locator(f'#trainings tr[data-status="{status}"]').first


@pytest.mark.slow
def test_learn_stop_go_on_and_kill(open_page, server, tmp_path):
    page = open_page()
    drop(page, draw_photograph(tmp_path / 'learnt.png', seed=4))
    tab(page, 'Learn')
    set_number(page, 'learn-size', 40)
    set_number(page, 'learn-rounds', 300)
    page.click('#how-long')
    page.wait_for_selector('#learn-time strong')
    page.click('#start')
    page.wait_for_selector('#trainings tr[data-status="training"] img')
    row(page, 'training').locator('button').click()
    row(page, 'stopped').locator('button').click()
    page.wait_for_function(
        'document.querySelector("#trainings tr[data-status=training] '
        'progress")?.value > 0')

    # The server dies, and comes back; the training goes on from there.
    server.stop(signal.SIGKILL)
    page.wait_for_selector('#mmpe-note')
    assert 'The server has stopped' in page.locator('#mmpe-note').inner_text()
    server.start()
    page.wait_for_selector('#mmpe-note', state='hidden')
    # what a browser says where nobody answers
    assert all('ERR_' in x or 'etwork' in x or 'onnection' in x
               for x in open_page.complaints), open_page.complaints
    open_page.complaints.clear()
    tab(page, 'Learn')
    row(page, 'stopped').locator('button').click()
    row(page, 'trained')
    page.locator('#drawn-by input').click()
    page.get_by_role('option', name='SinGAN 30x40').click()
    tab(page, 'New pictures')
    page.wait_for_function(
        'document.querySelector("#frame-canvas .mmpe-hint").textContent'
        '.startsWith("30 × 40")')
    page.click('#draw')
    page.wait_for_selector('#new-results img >> nth=3')
    assert download(page, 'new-results', tmp_path).shape == (30, 40, 3)
