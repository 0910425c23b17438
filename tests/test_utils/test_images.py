"""Pictures that people look at."""
import numpy as np
import pytest
import torch
from PIL import Image

from mmpe.utils.images import contact_sheet, save_gif, save_image, to_rgb


def plain(height, width, value):
    return np.full((height, width, 3), value, np.uint8)


def places(sheet, value):
    """Boxes (top, left, bottom, right) of a colour, as one box."""
    rows, columns = np.nonzero((sheet == value).all(axis=2))
    return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1


def test_to_rgb():
    image = torch.tensor([-3., 127.6, 300.]).reshape(3, 1, 1)
    assert to_rgb(image).tolist() == [[[255, 128, 0]]]


def test_contact_sheet_has_all_pictures_apart():
    sheet = contact_sheet([[('', plain(20, 30, 10)), ('', plain(10, 30, 60))],
                           [('', plain(40, 50, 110))]])
    boxes = [places(sheet, value) for value in (10, 60, 110)]
    assert [(bottom - top, right - left)
            for top, left, bottom, right in boxes] == [(20, 30), (10, 30),
                                                       (40, 50)]
    assert boxes[0][0] == boxes[1][0] and boxes[0][3] < boxes[1][1]
    assert boxes[2][1] == boxes[0][1] and boxes[2][0] > boxes[0][2]
    assert sheet.dtype == np.uint8 and (sheet[0] == 255).all()


def test_contact_sheet_has_room_for_labels():
    label = 'a label wider than its picture'
    sheet = contact_sheet([[(label, plain(8, 8, 10)), ('', plain(8, 8, 60))]])
    top = len(sheet) - 8 - 8
    text = sheet[:top].min(axis=2).min(axis=0) < 128
    assert text.sum() > 50
    assert np.nonzero(text)[0].max() < places(sheet[top:], 60)[1]


def test_save_gif(tmp_path):
    path = save_gif(tmp_path / 'new' / 'a.gif',
                    [plain(8, 12, value) for value in (0, 120, 255)], 0.2)
    with Image.open(path) as animation:
        assert animation.n_frames == 3 and animation.size == (12, 8)
        assert animation.info['duration'] == 200
        assert animation.info['loop'] == 0
        animation.seek(1)
        assert np.abs(np.asarray(animation.convert('RGB'), int)
                      - 120).max() <= 4


def test_files_are_whole_or_not_there(tmp_path):
    with pytest.raises(TypeError):
        save_image(tmp_path / 'a.png', np.zeros((2, 2, 7)))
    with pytest.raises(ValueError, match='not enough'):
        save_gif(tmp_path / 'a.gif', [])
    assert not list(tmp_path.iterdir())
