"""What holds of layouts and tiles at any size."""
import functools
import tempfile
from pathlib import Path

import numpy as np
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmpe.functional.grids import GROWTHS, axis_positions
from mmpe.inference import LayoutEdit
from mmpe.inference.layout import PositionMap
from mmpe.inference.singan_tiles import draw_tiled
from mmpe.inference.tiling import MapFile, with_halo, without_halo
from mmpe.utils.images import to_rgb

from .test_tiling import SEED, make_model, untiled

SHARP = dict(feather=0, margin=0)
BORDER = 3
lengths = st.integers(2, 14)
grids = st.tuples(lengths, lengths)


@st.composite
def windows(draw, length, size=None):
    """A range within a length, of a size or of any."""
    if size is None:
        size = draw(st.integers(1, length))
    start = draw(st.integers(0, length - size))
    return range(start, start + size)


def boxes(grid):
    return st.tuples(*(windows(length) for length in grid))


def crop(values, rows, cols):
    return values[..., rows.start:rows.stop, cols.start:cols.stop]


class Lattice:
    """Cells that are points of a lattice, or squares with others around.

    Args:
        grid: Cells within the image.
        pitch: Pixels from cell to cell.
        squares: Which of both.
    """

    def __init__(self, grid, pitch, squares):
        self.grid, self.pitch = grid, pitch
        self.border = BORDER * squares
        self.cells = tuple(x + 2 * self.border for x in grid)
        self.size = tuple(
            x * pitch if squares else (x - 1) * pitch + 1 for x in grid)

    def map(self, *edits, trained=None, growth='extend'):
        return PositionMap(self.size, self.cells, trained or self.grid, growth,
                           edits, border=self.border)

    def unchanged(self):
        return torch.stack(
            torch.meshgrid(
                *[torch.arange(x).float() - self.border for x in self.cells],
                indexing='ij'))

    def region(self, rows, cols):
        """Pixels of these cells and of no others."""
        first = [x.start * self.pitch for x in (rows, cols)]
        if self.border:
            last = [x.stop * self.pitch for x in (rows, cols)]
        else:
            last = [(x.stop - 1) * self.pitch + 1 for x in (rows, cols)]
        return (*first, *last)

    def inside(self, rows, cols):
        """The same cells in the map."""
        return tuple(
            slice(x.start + self.border, x.stop + self.border)
            for x in (rows, cols))


lattices = st.builds(Lattice, grids, st.integers(2, 5), st.booleans())
growths = st.sampled_from(GROWTHS)


@given(lattices, grids, growths)
def test_without_edits(lattice, trained, growth):
    found = lattice.map(trained=trained, growth=growth).whole()
    inside = found[(slice(None), *lattice.inside(*map(range, lattice.grid)))]
    for axis in range(2):
        expected = axis_positions(
            torch.arange(lattice.grid[axis]), lattice.grid[axis],
            trained[axis], growth)
        expected = expected.view(*[-1 if x == axis else 1 for x in range(2)])
        torch.testing.assert_close(
            inside[axis], expected.expand(lattice.grid))
    assert not any(x.any() for x in lattice.map(growth=growth).marks())


@given(st.data(), lattices, grids, growths)
def test_an_edit_of_nothing(data, lattice, trained, growth):
    """No displacement, or a copy of a part onto itself."""
    rows, cols = data.draw(boxes(lattice.grid))
    still = np.zeros((2, *lattice.size), np.float32)
    expected = lattice.map(trained=trained, growth=growth).whole()
    for edit in (LayoutEdit(displacement=still),
                 LayoutEdit(lattice.region(rows, cols), displacement=still),
                 LayoutEdit(lattice.region(rows, cols), angle=360, keep=True)):
        found = lattice.map(edit, trained=trained, growth=growth).whole()
        difference = (found - expected).abs()
        if growth == 'tile':  # around the circle
            for axis, length in zip(difference, trained):
                torch.minimum(axis, (length - axis).abs(), out=axis)
        assert difference.max() < 1e-3


def move(lattice, rows, cols, new_rows, new_cols):
    """Repeats some cells elsewhere."""
    shift = [
        (new.start - old.start) * lattice.pitch
        for new, old in ((new_rows, rows), (new_cols, cols))
    ]
    assume(any(shift))
    return LayoutEdit(
        lattice.region(rows, cols), shift=shift, keep=True, **SHARP)


@st.composite
def moves(draw, grid):
    """Cells, and others of the same height and width."""
    old = draw(boxes(grid))
    return (*old, *(draw(windows(length, len(cells)))
                    for length, cells in zip(grid, old)))


@given(st.data(), lattices)
def test_whole_cells_are_repeated(data, lattice):
    *old, new_rows, new_cols = data.draw(moves(lattice.grid))
    expected = lattice.unchanged()
    there = slice(None), *lattice.inside(new_rows, new_cols)
    expected[there] = lattice.unchanged()[(slice(None),
                                           *lattice.inside(*old))]
    map_ = lattice.map(move(lattice, *old, new_rows, new_cols))
    torch.testing.assert_close(
        map_.whole(), expected, atol=1e-3, rtol=0)
    moved, missing = map_.marks()
    expected = torch.zeros(1, *lattice.cells)
    expected[there] = 1
    torch.testing.assert_close(moved, expected, atol=1e-3, rtol=0)
    assert not missing.any()


@given(st.data(), lattices)
def test_whole_cells_are_moved(data, lattice):
    """What moves leaves a place where the surroundings go on."""
    *old, new_rows, new_cols = data.draw(moves(lattice.grid))
    repeat = move(lattice, *old, new_rows, new_cols)
    assume(any(len(x) < length for x, length in zip(old, lattice.grid)))
    map_ = lattice.map(LayoutEdit(repeat.region, repeat.shift, **SHARP))
    found, unchanged = map_.whole(), lattice.unchanged()
    there, here = (torch.zeros(lattice.cells, dtype=bool) for _ in range(2))
    there[lattice.inside(new_rows, new_cols)] = True
    here[lattice.inside(*old)] = True
    torch.testing.assert_close(
        found[:, there], unchanged[:, here], atol=1e-3, rtol=0)
    beside = ~there & ~here
    torch.testing.assert_close(
        found[:, beside], unchanged[:, beside], atol=1e-3, rtol=0)
    torch.testing.assert_close(
        map_.marks()[1][0], (here & ~there).float(), atol=1e-3, rtol=0)


@given(st.data(), st.tuples(lengths, lengths, lengths), st.integers(2, 5),
       st.booleans())
def test_edits_of_different_places_in_any_order(data, sides, pitch, squares):
    height, *widths = sides  # of a left and of a right part
    lattice = Lattice((height, sum(widths)), pitch, squares)
    edits = []
    for width, first in zip(widths, (0, widths[0])):
        rows, cols, new_rows, new_cols = data.draw(moves((height, width)))
        cols, new_cols = (range(x.start + first, x.stop + first)
                          for x in (cols, new_cols))
        edits.append(move(lattice, rows, cols, new_rows, new_cols))
    torch.testing.assert_close(
        lattice.map(*edits).whole(), lattice.map(*edits[::-1]).whole(),
        atol=1e-3, rtol=0)


@given(st.data(), lattices, grids, growths, st.integers(-180, 180))
def test_windows_of_positions_are_crops(data, lattice, trained, growth, angle):
    assume(angle)
    region = lattice.region(*data.draw(boxes(lattice.grid)))
    map_ = lattice.map(
        LayoutEdit(region, angle=angle, keep=True),
        trained=trained,
        growth=growth)
    rows, cols = data.draw(boxes(lattice.cells))
    assert torch.equal(map_(rows, cols), crop(map_.whole(), rows, cols))


@given(st.data(), grids, st.integers(0, 5))
def test_windows_of_a_file(data, size, halo):
    values = torch.randn(1, 2, *size)
    rows, cols = data.draw(boxes(size))
    file = MapFile.of(Path(tempfile.gettempdir()), values)
    outer = with_halo(rows, cols, halo, size)
    window = file.read(*outer)
    assert torch.equal(window, crop(values, *outer))
    expected = crop(values, rows, cols)
    assert torch.equal(without_halo(window, rows, cols, outer), expected)
    for inner, whole, length in zip((rows, cols), outer, size):
        assert whole.start == max(inner.start - halo, 0)
        assert whole.stop == min(inner.stop + halo, length)
    file.write(rows, cols, -expected)
    crop(values, rows, cols).neg_()
    assert torch.equal(file.read(*map(range, size)), values)
    file.close()


model_of = functools.cache(make_model)


@settings(max_examples=12)
@given(
    head=st.sampled_from(['csg', 'spe4-noise8', 'interp-pad', 'context']),
    size=st.tuples(st.integers(20, 60), st.integers(20, 60)),
    tile=st.integers(12, 40))
def test_a_tiled_sample_is_the_whole(head, size, tile):
    model = model_of(head)
    expected = to_rgb(
        model.data_preprocessor.destruct(untiled(model, size))[0])
    with tempfile.TemporaryDirectory() as folder:
        path = draw_tiled(model, Path(folder) / 'a.png', size, SEED, tile=tile)
        written = np.asarray(Image.open(path))
    assert written.shape == (*size, 3)
    assert expected.std() > 10
    assert np.abs(expected.astype(int) - written).max() <= 1
