"""Edits of a layout in a file."""
import json

import numpy as np
import pytest

from mmpe.inference import parse_edits, read_edits, write_edits

MOVE = dict(region=[2, 3, 10, 12], shift=[4, -6], keep=True, feather=2)
AROUND = dict(
    outline=[[4, 4], [4, 15], [15, 15], [15, 4]], scale=[2, 1.5], angle=20,
    flip='vertical', margin=0)


def test_what_is_written_is_read(tmp_path):
    path = write_edits(tmp_path / 'new/edits.json', [MOVE, AROUND], (20, 30))
    first, second = read_edits(path, (20, 30))
    assert first.region == (2, 3, 10, 12) and first.shift == (4, -6)
    assert first.keep and not first.remove and first.feather == 2
    assert first.margin is None and first.flip is None
    mask = np.zeros((20, 30), bool)
    mask[4:16, 4:16] = True  # corners belong to it
    assert np.array_equal(second.region, mask)
    assert second.scale == (2, 1.5) and second.angle == 20
    assert second.flip == 'vertical' and second.margin == 0


def test_other_sizes_scale_the_pixels(tmp_path):
    path = write_edits(tmp_path / 'edits.json', [MOVE, AROUND], (20, 30))
    first, second = read_edits(path, (40, 90))
    assert first.region == (4, 9, 20, 36) and first.shift == (8, -18)
    assert first.feather == 5  # by 2 and 3, on average
    rows, cols = np.nonzero(second.region)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (8, 30, 12, 45)
    assert second.scale == (2, 1.5)


def content(**edit):
    return dict(size=[20, 30], edits=[edit])


@pytest.mark.parametrize('wrong, match', [
    (content(shift=[0, 0]), 'requires one of'),
    (content(shift=[0, float('nan')]), '"shift" of edits must be 2 numbers'),
    (content(shift=[0]), '"shift" of edits must be 2 numbers'),
    (content(shift=[True, 1]), '"shift" of edits must be 2 numbers'),
    (content(shift='12'), '"shift" of edits must be 2 numbers'),
    (content(shift=[1, 10**400]), '"shift" of edits must be 2 numbers'),
    (content(angle=[3]), '"angle" of edits must be a number'),
    (content(keep=1, shift=[1, 1]), '"keep" of an edit must be true or'),
    (content(flip=['vertical']), '"flip" of an edit must be a string'),
    (content(flip='sideways'), "`flip` must be one of"),
    (content(displacement='a.npy'), 'must be an object with some of region'),
    (content(**MOVE, **AROUND), 'cannot have both "region" and "outline"'),
    (content(outline=[[1, 1], [2, 2]], remove=True), 'from 3 to 5000'),
    (content(outline=[[1, 1]] * 5001, remove=True), 'from 3 to 5000'),
    (content(outline=[[90, 90], [90, 95], [95, 95]], remove=True),
     'must enclose a part of the output, 20 x 30 pixels'),
    (dict(size=[20, 30], edits=[]), 'from 1 to 100 edits'),
    (dict(size=[20, 30], edits=[MOVE] * 101), 'from 1 to 100 edits'),
    (dict(size=[0, 30], edits=[MOVE]), 'two whole numbers from 1'),
    (dict(size=[20.5, 30], edits=[MOVE]), 'two whole numbers from 1'),
    (dict(edits=[MOVE]), 'object with "size" and "edits"'),
    ([MOVE], 'object with "size" and "edits"'),
])
def test_wrong_content(wrong, match):
    with pytest.raises(ValueError, match=match):
        parse_edits(wrong, (20, 30))


def test_wrong_files(tmp_path):
    path = tmp_path / 'edits.json'
    with pytest.raises(FileNotFoundError, match='no file of edits .*edits.js'):
        read_edits(path, (20, 30))
    for data in (b'text', b'\xff\xfe', b'', b'[' * 100000):
        path.write_bytes(data)
        with pytest.raises(ValueError, match='json. is not a file of edits'):
            read_edits(path, (20, 30))
    path.write_text(json.dumps(content(shift=[0, 0])))
    with pytest.raises(ValueError, match=r"edits.json': .* requires one of"):
        read_edits(path, (20, 30))
    path.write_bytes(b' ' * (2**20 + 1))
    with pytest.raises(ValueError, match='more than 1048576 bytes'):
        read_edits(path, (20, 30))
    with pytest.raises(ValueError, match='requires one of'):
        write_edits(tmp_path / 'no.json', [dict(region=[1, 2, 3, 4])],
                    (20, 30))
    assert not (tmp_path / 'no.json').exists()
