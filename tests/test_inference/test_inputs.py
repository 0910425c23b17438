"""What people hand in to manipulate a photograph."""
import cv2
import numpy as np
import pytest
from PIL import Image

from mmpe.inference.colours import quantise
from mmpe.inference.inputs import read_displacement, read_mask, read_rgb


def test_pictures_are_rgb(tmp_path):
    Image.new('RGB', (3, 2), (10, 20, 30)).save(tmp_path / 'a.png')
    assert read_rgb(tmp_path / 'a.png').tolist() == [[[10, 20, 30]] * 3] * 2


@pytest.mark.parametrize('mode', ['1', 'L', 'RGB', 'RGBA'])
def test_masks_of_any_mode(tmp_path, mode):
    image = Image.new('L', (5, 4), 100)
    image.paste(200, (1, 2, 3, 4))
    image.convert(mode, dither=Image.Dither.NONE).save(tmp_path / 'm.png')
    expected = np.zeros((4, 5), bool)
    expected[2:, 1:3] = True
    assert (read_mask(tmp_path / 'm.png') == expected).all()


def test_bad_masks(tmp_path):
    Image.new('L', (5, 4), 100).save(tmp_path / 'dark.png')
    with pytest.raises(ValueError, match='dark.png.*empty'):
        read_mask(tmp_path / 'dark.png')
    with pytest.raises(FileNotFoundError, match='none.png'):
        read_mask(tmp_path / 'none.png')


def test_displacements(tmp_path):
    flow = np.random.default_rng(0).integers(-50, 50, (4, 5, 2)) / 2
    np.save(tmp_path / 'flow.npy', flow)
    expected = flow[..., ::-1].transpose(2, 0, 1)
    assert (read_displacement(tmp_path / 'flow.npy') == expected).all()

    valid = np.ones((4, 5), np.uint16)
    valid[0] = 0
    x, y = (flow * 64 + 2**15).astype(np.uint16).transpose(2, 0, 1)
    # OpenCV writes blue first, so that the file's channels are x, y, valid
    cv2.imwrite(str(tmp_path / 'flow.png'), np.dstack((valid, y, x)))
    expected = expected * valid
    assert (read_displacement(tmp_path / 'flow.png') == expected).all()


@pytest.mark.parametrize('name, content, message', [
    ('a.npy', np.zeros((4, 5)), r'shape \(H, W, 2\).*\(4, 5\)'),
    ('a.npy', np.array([{}], object), 'not a .npy file of numbers'),
    ('a.npy', np.full((4, 5, 2), 'x'), 'must hold numbers'),
    ('a.png', np.zeros((4, 5, 3), np.uint8), 'neither a .npy file nor a flow'),
    ('a.png', np.zeros((4, 5), np.uint16), 'three channels of 16 bits'),
])
def test_bad_displacements(tmp_path, name, content, message):
    path = str(tmp_path / name)
    if name.endswith('npy'):
        np.save(path, content)
    else:
        cv2.imwrite(path, content)
    with pytest.raises(ValueError, match=message):
        read_displacement(path)
    with pytest.raises(FileNotFoundError, match='no displacement file'):
        read_displacement(path + '2')


def test_colours_are_those_of_the_reference():
    reference = np.zeros((6, 6, 3), np.uint8)
    reference[:3], reference[3:] = (200, 30, 30), (20, 40, 220)
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    result = quantise(image, reference, 2)
    nearer = np.stack([((image.astype(int) - colour)**2).sum(2)
                       for colour in ((200, 30, 30), (20, 40, 220))])
    assert (result == np.array([[200, 30, 30], [20, 40, 220]],
                               np.uint8)[nearer.argmin(0)]).all()


def test_one_colour_is_too_few():
    with pytest.raises(ValueError, match='at least 2, but got 1'):
        quantise(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 3)), 1)
