"""Positions that a changed layout tells the first scale."""
import numpy as np
import pytest
import torch

from mmpe.inference import LayoutEdit
from mmpe.inference.layout import PositionMap

SIZE, CELLS = (61, 81), (13, 17)  # 5 pixels from cell to cell


def positions(*edits, size=SIZE, cells=CELLS, growth='extend'):
    return PositionMap(size, cells, CELLS, growth, edits).whole()


def cells_of(height=CELLS[0], width=CELLS[1]):
    return torch.stack(
        torch.meshgrid(
            torch.arange(height), torch.arange(width), indexing='ij')).float()


def test_without_changes():
    assert (positions() == cells_of()).all()


def test_everything_is_shifted():
    moved = positions(LayoutEdit(shift=(10, -15)))
    expected = cells_of() - torch.tensor([2, -3])[:, None, None]
    torch.testing.assert_close(moved, expected)


@pytest.mark.parametrize('flip, axes', [('horizontal', [2]),
                                        ('vertical', [1]), ('both', [1, 2])])
def test_everything_is_mirrored(flip, axes):
    torch.testing.assert_close(
        positions(LayoutEdit(flip=flip)), cells_of().flip(axes))


def test_everything_is_enlarged_about_the_middle():
    y, x = positions(LayoutEdit(scale=(2, 4)))
    torch.testing.assert_close(y[:, 0], 6 + (torch.arange(13.) - 6) / 2)
    torch.testing.assert_close(x[0], 8 + (torch.arange(17.) - 8) / 4)


def test_everything_is_turned_counter_clockwise():
    turned = positions(
        LayoutEdit(angle=90), size=(61, 61), cells=(13, 13))
    # above the middle stands now what was right of it
    torch.testing.assert_close(
        turned[:, 2, 6], torch.tensor([6., 10.]), atol=1e-5, rtol=0)


BOX = (20, 30, 41, 51)  # cells 4 to 8, and 6 to 10
SHARP = dict(feather=0, margin=0)


def test_a_region_is_repeated():
    y, x = positions(
        LayoutEdit(BOX, shift=(0, -25), keep=True, **SHARP))
    assert x[6].tolist() == [0, *range(6, 11), *range(6, 17)]
    assert (y == cells_of()[0]).all()


def test_a_region_is_removed():
    y, x = positions(LayoutEdit(BOX, remove=True, **SHARP))
    # mirrored at the nearest edge, half a pixel outside of the box
    assert x[6, 6:11].tolist() == pytest.approx(
        [i / 5 for i in (29, 24, 61, 56, 51)])
    assert x[6, :6].tolist() == list(range(6))
    assert (x[0] == cells_of()[1, 0]).all() and (y == cells_of()[0]).all()


def test_a_region_at_the_border_continues_what_is_inside():
    x = positions(LayoutEdit((20, 0, 41, 31), remove=True, **SHARP))[1, 6]
    assert (x[:7] > 6).all() and (x[7:] == torch.arange(7., 17)).all()


def test_a_region_of_full_width_continues_from_above_and_below():
    y, x = positions(LayoutEdit((20, 0, 41, 81), remove=True, **SHARP))
    assert (x == cells_of()[1]).all()
    assert ((y[4:9] < 4) | (y[4:9] > 8)).all()


def test_a_region_is_moved():
    x = positions(LayoutEdit(BOX, shift=(0, -30), **SHARP))[1, 6]
    assert x[:5].tolist() == list(range(6, 11))
    assert ((x[6:11] < 6) | (x[6:11] > 10)).all()


def test_a_mask_is_a_region():
    mask = np.zeros(SIZE, np.uint8)
    mask[20:41, 30:51] = 255
    for region in (mask, mask > 0, mask / 255):
        assert (positions(LayoutEdit(region, angle=30)) == positions(
            LayoutEdit(BOX, angle=30))).all()


def test_a_margin_enlarges_the_region_about_the_same_middle():
    inner = positions(
        LayoutEdit((25, 35, 36, 46), flip='horizontal', keep=True, feather=0,
                   margin=5))
    outer = positions(
        LayoutEdit(BOX, flip='horizontal', keep=True, **SHARP))
    # a dilated box has round corners
    assert (inner[:, 6] == outer[:, 6]).all()
    assert (inner[:, 4, 7:10] == outer[:, 4, 7:10]).all()


def test_a_soft_edge_lies_between():
    edit = LayoutEdit(BOX, shift=(0, 40), keep=True, feather=10, margin=0)
    x = positions(edit)[1, 6]
    shifts = torch.arange(17.) - x
    assert shifts[0] == 0 and shifts[16] == pytest.approx(8, abs=.6)
    assert 0 < shifts[13] < 8


def test_changes_follow_each_other():
    first, second = LayoutEdit(shift=(0, 10)), LayoutEdit(flip='horizontal')
    torch.testing.assert_close(
        positions(first, second), positions(first).flip(2))


def test_a_dense_displacement():
    values = np.zeros((2, *SIZE), np.float32)
    values[1] = 10
    shifted = cells_of()
    shifted[1] += 2
    edit = LayoutEdit(displacement=values)
    torch.testing.assert_close(positions(edit), shifted)
    part = positions(LayoutEdit(BOX, displacement=values, **SHARP))[1, 6]
    assert (part - torch.arange(17.)).tolist() == [0] * 6 + [2] * 5 + [0] * 6


def cells_in(rows, cols):
    inside = torch.zeros(CELLS)
    inside[rows, cols] = 1
    return inside


def marks(*edits):
    moved, missing = PositionMap(SIZE, CELLS, CELLS, 'extend', edits).marks()
    assert moved.shape == missing.shape == (1, *CELLS)
    return moved[0], missing[0]


@pytest.mark.parametrize('shift, moved, missing', [
    (-30, slice(0, 5), slice(6, 11)),
    (-10, slice(4, 9), slice(9, 11)),
    (15, slice(9, 14), slice(6, 9)),
])
def test_marks_of_a_shift(shift, moved, missing):
    rows = slice(4, 9)
    edit = LayoutEdit(BOX, shift=(0, shift), **SHARP)
    got = marks(edit)
    torch.testing.assert_close(got[0], cells_in(rows, moved))
    torch.testing.assert_close(got[1], cells_in(rows, missing))
    got = marks(LayoutEdit(BOX, shift=(0, shift), keep=True, **SHARP))
    torch.testing.assert_close(got[0], cells_in(rows, moved))
    assert not got[1].any()


def test_marks_of_what_is_removed():
    moved, missing = marks(LayoutEdit(BOX, remove=True, **SHARP))
    assert not moved.any()
    torch.testing.assert_close(missing, cells_in(slice(4, 9), slice(6, 11)))


def test_marks_of_soft_edges_lie_between():
    moved, missing = marks(
        LayoutEdit(BOX, shift=(0, -30), feather=10, margin=0))
    assert 0 < moved[6, 4] < 1 and 0 < missing[6, 6] < 1
    assert moved[6, 2] > .9 and missing[6, 8] > .9


def test_marks_of_changes_that_hold_everywhere():
    values = np.full((2, *SIZE), 3)
    for edits in ((), (LayoutEdit(angle=20), ),
                  (LayoutEdit(displacement=values), ),
                  (LayoutEdit(BOX, displacement=values), )):
        assert not any(x.any() for x in marks(*edits))


def test_marks_of_two_changes():
    first = LayoutEdit(BOX, shift=(0, -30), **SHARP)
    there = (20, 0, 41, 21)
    second = LayoutEdit(there, shift=(20, 0), **SHARP)
    left = cells_in(slice(4, 9), slice(6, 11))
    moved, missing = marks(first, second)
    torch.testing.assert_close(moved, cells_in(slice(8, 13), slice(0, 5)))
    torch.testing.assert_close(missing,
                               left + cells_in(slice(4, 8), slice(0, 5)))
    moved, missing = marks(first, LayoutEdit(there, remove=True, **SHARP))
    assert not moved.any()
    torch.testing.assert_close(missing,
                               left + cells_in(slice(4, 9), slice(0, 5)))


def test_a_later_change_may_cover_what_is_missing():
    first = LayoutEdit(BOX, remove=True, **SHARP)
    beside = (20, 0, 41, 21)
    second = LayoutEdit(beside, shift=(0, 30), keep=True, **SHARP)
    moved, missing = marks(first, second)
    torch.testing.assert_close(moved, cells_in(slice(4, 9), slice(6, 11)))
    assert not missing.any()


@pytest.mark.parametrize('cell, widths', [
    (None, dict(feather=5, margin=20)),
    (1, dict(feather=1, margin=4)),
    (2.5, dict(feather=2.5, margin=10)),
])
def test_default_widths_are_multiples_of_a_cell(cell, widths):
    default, explicit = (
        PositionMap(SIZE, CELLS, CELLS, 'extend', [
            LayoutEdit(BOX, shift=(0, -25), **options)
        ], cell) for options in ({}, widths))
    assert (default.whole() == explicit.whole()).all()
    for got, expected in zip(default.marks(), explicit.marks()):
        assert (got == expected).all()
    other = LayoutEdit(BOX, shift=(0, -25), feather=3, margin=15)
    assert (default.whole() != positions(other)).any()


@pytest.mark.parametrize('growth', ['stretch', 'extend', 'centre', 'tile'])
def test_windows_are_crops(growth):
    whole = PositionMap((90, 130), (19, 27), CELLS, growth,
                        [LayoutEdit((10, 20, 60, 70), angle=20)])
    window = whole(range(3, 9), range(5, 26))
    torch.testing.assert_close(window, whole.whole()[:, 3:9, 5:26])


# Cells that are squares of 4 pixels, with others beside the image.
IMAGE, GRID, BORDER = (48, 64), (12, 16), 7


def square_cells(*edits, size=IMAGE, growth='extend'):
    cells = [length // 4 + 2 * BORDER for length in size]
    return PositionMap(size, cells, GRID, growth, edits, border=BORDER)


@pytest.mark.parametrize('growth', ['stretch', 'extend', 'centre'])
def test_positions_go_on_beyond_the_border(growth):
    map_ = square_cells(growth=growth)
    assert (map_.whole() == cells_of(26, 30) - BORDER).all()


def test_tiles_end_at_the_border():
    map_ = square_cells(growth='tile', size=(48, 128))
    y, x = map_.whole()
    assert (y[:, 0] == torch.arange(-7., 19)).all()
    expected = torch.cat([torch.arange(-7., 16), torch.arange(0., 23)])
    torch.testing.assert_close(x[0], expected)


@pytest.mark.parametrize('keep', [False, True])
def test_positions_of_a_moved_box(keep):
    # rows 5 to 9 and columns 6 to 8 of the coarse cells
    box = (20, 24, 40, 36)
    map_ = square_cells(LayoutEdit(box, shift=(4, -16), keep=keep, **SHARP))
    moved = map_.whole()
    expected = cells_of(*moved.shape[1:]) - BORDER
    new, old = ((slice(None), slice(BORDER + top, BORDER + top + 5),
                 slice(BORDER + left, BORDER + left + 3))
                for top, left in ((6, 2), (5, 6)))
    unmoved = expected.clone()
    expected[new] = unmoved[old]
    assert (moved[new] == expected[new]).all()
    differs = (moved != expected).any(0)
    assert differs.any() != keep
    differs[old[1:]] = False
    assert not differs.any()


def test_marks_with_a_border():
    edit = LayoutEdit((20, 24, 40, 36), shift=(4, -16), **SHARP)
    for found, (top, left) in zip(square_cells(edit).marks(),
                                  ((6, 2), (5, 6))):
        expected = torch.zeros(1, 26, 30)
        expected[:, 7 + top:12 + top, 7 + left:10 + left] = 1
        torch.testing.assert_close(found, expected)


def test_default_widths_of_square_cells():
    edit = LayoutEdit((20, 24, 40, 36), shift=(4, -16))
    explicit = LayoutEdit(edit.region, edit.shift, feather=1, margin=4)
    assert (square_cells(edit).whole() == square_cells(
        explicit).whole()).all()


@pytest.mark.parametrize('growth', ['stretch', 'extend', 'centre', 'tile'])
def test_windows_with_a_border_are_crops(growth):
    map_ = square_cells(
        LayoutEdit((10, 20, 60, 70), angle=20), size=(80, 120), growth=growth)
    torch.testing.assert_close(
        map_(range(3, 9), range(5, 40)), map_.whole()[:, 3:9, 5:40])


@pytest.mark.parametrize('arguments, message', [
    (dict(), 'requires one of `shift`'),
    (dict(scale=0), '`scale` must be above 0'),
    (dict(flip='diagonal'), "one of .*'vertical'.*but got 'diagonal'"),
    (dict(shift=(1, 1), feather=-1), '`feather` must be at least 0'),
    (dict(shift=(1, 1), margin=-1), '`margin` must be at least 0'),
    (dict(shift=(1, 1), keep=True), 'require `region`'),
    (dict(region=BOX, keep=True, remove=True), 'cannot be combined'),
    (dict(region=BOX, remove=True, angle=3), '`remove` cannot be combined'),
    (dict(displacement=np.zeros((2, 3, 4)), angle=3), 'can only be combined'),
])
def test_bad_changes(arguments, message):
    with pytest.raises(ValueError, match=message):
        LayoutEdit(**arguments)


@pytest.mark.parametrize('arguments, message', [
    (dict(region=(0, 0, 62, 10), angle=1), r'top < bottom <= height.*61 x 81'),
    (dict(region=(0, 9, 5, 9), angle=1), r'left < right'),
    (dict(region=(0, 9, 5), angle=1), r'a box \(top'),
    (dict(region=np.ones((61, 80), bool), angle=1), '61 x 81.*got 61 x 80'),
    (dict(region=np.zeros(SIZE, bool), angle=1), 'mask is empty'),
    (dict(region=np.ones(SIZE, bool), angle=1), 'nothing can continue'),
    (dict(displacement=np.zeros((2, 5, 6))), r'\(2, 61, 81\).*\(2, 5, 6\)'),
    (dict(displacement=np.full((2, *SIZE), np.nan)), 'must be finite'),
])
def test_changes_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        positions(LayoutEdit(**arguments))
