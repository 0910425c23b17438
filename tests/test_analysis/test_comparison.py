"""Measurements of models at many sizes: kept, averaged, drawn."""
import json

import numpy as np
import pytest
from PIL import Image

from mmpe.analysis.comparison import (Measurements, curve_sizes, draw_curves,
                                      tables)

SETTINGS = dict(num=4, reals=9, seed=0)


def measure(measured, row, run, iteration, swd, trained=('8x8', '16x16')):
    entry = measured.entry(row, run, f'iter_{iteration}')
    entry.update(
        iteration=iteration,
        minutes=iteration / 100,
        seconds=30.,
        trained=list(trained),
        distances={
            size: {'SWD': swd + len(size), 'EffLite0-KID x 1000': 2 * swd}
            for size in ('8x8', '16x16', '12x16')
        })
    if len(trained) > 1:
        entry['similarity'] = {'8x8-16x16': 0.5, 'mean': 0.5}


@pytest.fixture
def measured(tmp_path):
    made = Measurements(tmp_path / 'figures.json', SETTINGS)
    for run, offset in (('a', 0.), ('b', 2.)):
        for iteration in (300, 100, 200):
            measure(made, 'many', run, iteration, offset + iteration / 100)
    measure(made, 'one', 'a', 200, 50., ['16x16'])
    made.save()
    return made


def cells(lines):
    return [[x.strip() for x in line.split('|')[1:-1]]
            for line in '\n'.join(lines).splitlines() if line.startswith('|')]


def test_tables(measured):
    found = cells(tables(measured, 2))
    # Smallest size first. Of run a 2.5 + 3 and of run b 4.5 + 3.
    assert [found[0], *found[2:8]] == [
        ['size', 'SWD', 'EffLite0-KID x 1000'],
        ['8x8 many', '6.5 ± 1', '7 ± 2'],
        ['8x8 one, resized', '53', '100'],
        ['12x16 many, untrained', '8.5 ± 1', '7 ± 2'],
        ['12x16 one, resized', '55', '100'],
        ['16x16 many', '8.5 ± 1', '7 ± 2'],
        ['16x16 one', '55', '100'],
    ]
    assert ['many', '0.5 ± 0', '0.5 ± 0'] in found
    assert ['many', '2.5 ± 0', '0.5 ± 0'] in found  # minutes
    assert ['one', '2', '0.5'] in found


def test_the_file_says_the_same(measured):
    again = Measurements(measured.path, None)
    assert again.settings == SETTINGS
    assert tables(again, 3) == tables(measured, 3)
    assert again.entry('many', 'b', 'iter_100')['iteration'] == 100
    assert len(again.entries) == 7
    assert again.entry('many', 'c', 'iter_100')['distances'] == {}


def test_curves(measured, tmp_path):
    assert curve_sizes(measured) == ['8x8', '16x16']
    with Image.open(draw_curves(measured, tmp_path / 'x.png')) as image:
        pixels = np.asarray(image.convert('RGB'))
    # Lines of both rows in their colours.
    for colour in ((0x2e, 0x86, 0xab), (0xd1, 0x49, 0x5b)):
        assert (pixels == colour).all(axis=-1).sum() > 20


def test_curves_need_two_checkpoints(tmp_path):
    made = Measurements(None, SETTINGS)
    for run in 'ab':
        measure(made, 'one', run, 200, 1.)
    made.save()
    with pytest.raises(ValueError, match='at least two checkpoints of a run'):
        draw_curves(made, tmp_path / 'x.png')
    assert not list(tmp_path.iterdir())


def test_other_settings_are_refused(measured):
    with pytest.raises(ValueError, match='figures.json.*use another file'):
        Measurements(measured.path, dict(SETTINGS, num=5))


@pytest.mark.parametrize('content', [
    'text', '[]', '{}', '{"settings": {}, "checkpoints": [1]}',
    '{"settings": {}, "checkpoints": [{"row": "x"}]}',
    json.dumps(dict(checkpoints=[]))
])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / 'figures.json'
    path.write_text(content)
    with pytest.raises(ValueError, match='has no measurements'):
        Measurements(path, None)
