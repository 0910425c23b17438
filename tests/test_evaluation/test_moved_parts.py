"""Parts of a photograph that have been moved."""
import numpy as np
import pytest

from mmpe.evaluation.moved_parts import (mean_moved_part, moved_part,
                                         random_moves)

BOX, SHIFT = (5, 6, 25, 30), (20, -6)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(
        0, 256, (50, 60, 3), dtype=np.uint8)


def copied(image, box=BOX, shift=SHIFT):
    """An image in which a box is copied elsewhere, to the pixel."""
    top, left, bottom, right = box
    result = image.copy()
    result[top + shift[0]:bottom + shift[0],
           left + shift[1]:right + shift[1]] = image[top:bottom, left:right]
    return result


def test_a_copy(image):
    figures = moved_part(copied(image), image, BOX, SHIFT)
    assert figures.ssim == pytest.approx(1)
    assert figures.psnr > 70
    assert 0.7 < figures.steps < 1  # of noise


def test_another_part(image):
    assert moved_part(image, image, BOX, SHIFT).ssim < 0.2


def test_noise_has_its_psnr(image):
    image = (image // 2) + 60
    noisy = copied(image).astype(int)
    noisy[25:45, :24] += 5
    figures = moved_part(noisy.astype(np.uint8), image, BOX, SHIFT)
    assert figures.psnr == pytest.approx(20 * np.log10(255 / 5), abs=1e-3)


def test_a_seam_has_large_steps():
    y, x = np.mgrid[:50, :60]
    smooth = np.stack([y + x] * 3, 2).astype(np.uint8)
    seam = smooth.copy()
    seam[25:45, 4:28] += 100
    before = moved_part(smooth, smooth, BOX, (20, -2)).steps
    assert before == pytest.approx(1)
    assert moved_part(seam, smooth, BOX, (20, -2)).steps == pytest.approx(
        100, abs=1)


def test_moves_stay_inside():
    for box, shift in random_moves((40, 70), 50, 0.5, seed=3):
        top, left, bottom, right = box
        assert bottom - top == right - left == 20
        assert 0 <= top + shift[0] <= 20 and 0 <= left + shift[1] <= 50
        assert 0 <= top <= 20 and 0 <= left <= 50
    assert random_moves((40, 70), 3, seed=1) == random_moves((40, 70), 3,
                                                            seed=1)


def test_means(image):
    figures = mean_moved_part(
        lambda box, shift: copied(image, box, shift), image, 4)
    assert set(figures) == {
        'SSIM', 'PSNR', 'steps', 'SSIM inside', 'PSNR inside'
    }
    assert figures['SSIM'] == pytest.approx(1)
    assert figures['SSIM inside'] == pytest.approx(1)


def test_inside_is_without_the_outer_fifth(image):

    def spoilt(box, shift):
        result = copied(image, box, shift)
        top, left = box[0] + shift[0], box[1] + shift[1]
        side = box[2] - box[0]
        cut = side // 5
        part = result[top:top + side, left:left + side]
        inner = part[cut:-cut, cut:-cut].copy()
        part[:] = 0
        part[cut:-cut, cut:-cut] = inner
        return result

    figures = mean_moved_part(spoilt, image, 3, 0.5)
    assert figures['SSIM inside'] == pytest.approx(1)
    assert figures['SSIM'] < 0.8


def test_whole_cells():
    for box, shift in random_moves((48, 64), 20, 0.3, step=4):
        assert not any(x % 4 for x in (*box, *shift))
        assert box[2] - box[0] == 16
        assert 0 <= box[0] + shift[0] <= 32 and 0 <= box[1] + shift[1] <= 48


@pytest.mark.parametrize('box, shift, message', [
    (BOX, (40, 0), 'stay inside'), ((0, 0, 5, 30), (0, 0), 'at least 11'),
    ((30, 0, 60, 30), (0, 0), 'stay inside')])
def test_boxes_that_do_not_fit(image, box, shift, message):
    with pytest.raises(ValueError, match=message):
        moved_part(image, image, box, shift)
