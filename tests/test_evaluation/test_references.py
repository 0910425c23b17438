"""Features of real images: which, how, and where they are kept."""
import os

import numpy as np
import pytest
import torch

from mmpe.evaluation import references as R
from .tiny import make_loader, save_images


def _mean_colour(images):
    return images.mean(dim=(2, 3))


def test_indices_are_drawn_without_replacement():
    assert R.chosen_indices(5, -1) == [0, 1, 2, 3, 4]
    drawn = R.chosen_indices(1000, 400)
    assert len(set(drawn)) == 400
    assert drawn == sorted(drawn) == R.chosen_indices(1000, 400)
    assert drawn != list(range(400))
    # A fair draw: about as many from either half.
    assert 160 < sum(index < 500 for index in drawn) < 240


@pytest.mark.parametrize('num, real_nums, message', [
    (0, -1, 'dataset of real images is empty'),
    (5, 6, 'number of real images, 5, but got 6'),
    (5, 0, 'but got 0'),
])
def test_indices_refuse(num, real_nums, message):
    with pytest.raises(ValueError, match=message):
        R.chosen_indices(num, real_nums)


@pytest.mark.parametrize('order', ['bgr', 'rgb'])
def test_real_images_are_bgr(folder, order):
    from PIL import Image
    loader = make_loader(folder, channel_order=order)
    features = R.extract_real_features(_mean_colour, loader, [0, 3, 13])
    paths = [loader.dataset.get_data_info(i)['gt_path'] for i in (0, 3, 13)]
    expected = [
        np.array(Image.open(path)).mean(axis=(0, 1))[::-1] for path in paths
    ]
    np.testing.assert_allclose(features, expected, rtol=1e-5)


def test_real_images_may_be_the_inputs(folder):
    """MMagic's MS-PIE configs load them under the key 'img'."""
    expected = R.extract_real_features(_mean_colour, make_loader(folder), [2])
    loader = make_loader(folder)
    load, pack = loader.dataset.pipeline.transforms
    load.key, pack.keys = 'img', ['img']
    sample = loader.dataset.get_data_info(2)
    results = pack(load(dict(sample, img_path=sample['gt_path'])))
    assert results['data_samples'].get('gt_img') is None
    images = R.RealImages([results], [0], 'gt_img', None)
    torch.testing.assert_close(_mean_colour(images[0][None]), expected)


def test_real_images_are_resized_with_antialiasing(folder):
    loader = make_loader(folder)
    image = loader.dataset[0]['data_samples'].gt_img.float()
    # Half of the size: a triangle of 4 pixels, [1, 3, 3, 1] / 8, in either
    # direction; cut off, and so not compared, at the border.
    window = torch.tensor([1., 3., 3., 1.]) / 8
    kernel = torch.outer(window, window)[None, None]
    got = R.extract_real_features(lambda x: x, loader, [0], size=(12, 12))
    assert got.shape == (1, 3, 12, 12)
    expected = torch.nn.functional.conv2d(
        image[:, None, 1:, 1:], kernel, stride=2)[:, 0, :10, :10]
    torch.testing.assert_close(got[0, :, 1:11, 1:11], expected)
    assert expected.std() > 1


def test_smaller_images_are_enlarged_with_a_warning(folder,
                                                    monkeypatch):
    said = []
    monkeypatch.setattr(R, 'print_log', lambda text, *_: said.append(text))
    loader = make_loader(folder)
    R.extract_real_features(_mean_colour, loader, [0], size=(24, 24))
    assert not said
    R.extract_real_features(_mean_colour, loader, [0, 1], size=(32, 32))
    assert len(said) == 1
    assert 'smaller than the evaluated size (32, 32)' in said[0]


def test_unequal_images_need_a_size(folder):
    save_images(folder, 1, size=(20, 30))
    loader = make_loader(folder)
    with pytest.raises(ValueError, match='must have the same size.*real_size'):
        R.extract_real_features(_mean_colour, loader, [0, 1])
    features = R.extract_real_features(
        _mean_colour, loader, [0, 1], size=(16, 16))
    assert features.shape == (2, 3)


def test_unknown_key(folder):
    loader = make_loader(folder)
    with pytest.raises(ValueError, match='`real_key` must be the key of'):
        R.extract_real_features(_mean_colour, loader, [0], real_key='mask')


@pytest.mark.parametrize('world_size', [2, 3, 4])
def test_ranks_share_the_images(folder, world_size, monkeypatch):
    loader, indices = make_loader(folder), [1, 4, 7, 8, 12]
    expected = R.extract_real_features(_mean_colour, loader, indices)
    monkeypatch.setattr(R, 'get_world_size', lambda: world_size)
    shares = []
    monkeypatch.setattr(R, 'all_gather', lambda x: shares.append(x) or shares)
    for rank in range(world_size):
        monkeypatch.setattr(R, 'get_rank', lambda rank=rank: rank)
        got = R.extract_real_features(_mean_colour, loader, indices)
    assert len({len(share) for share in shares}) == 1
    torch.testing.assert_close(got, expected)


def test_identity_follows_files_and_pipeline(folder):
    first = R.dataset_identity(make_loader(folder).dataset)
    assert R.dataset_identity(make_loader(folder).dataset) == first
    rgb = make_loader(folder, channel_order='rgb').dataset
    assert R.dataset_identity(rgb) != first
    file = folder / '003.png'
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    touched = R.dataset_identity(make_loader(folder).dataset)
    assert touched != first
    file.write_bytes(file.read_bytes() + b' ')
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    grown = R.dataset_identity(make_loader(folder).dataset)
    assert grown not in (first, touched)
    file.unlink()
    assert R.dataset_identity(make_loader(folder).dataset) not in (
        first, touched, grown)


def test_datasets_without_files_have_no_identity():
    assert R.dataset_identity([1, 2]) is None


def test_references_are_whole_and_belong_to_their_key(tmp_path):
    path = tmp_path / 'deep' / 'reference.npz'
    arrays = dict(features=np.arange(6.).reshape(2, 3))
    R.write_reference(path, 'this', arrays)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    np.testing.assert_array_equal(
        R.read_reference(path, 'this')['features'], arrays['features'])
    with pytest.raises(ValueError, match='another image size'):
        R.read_reference(path, 'that')
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ValueError, match='or is damaged'):
        R.read_reference(path, 'this')


def test_references_execute_nothing(tmp_path):
    marker = tmp_path / 'executed'

    class Attack:

        def __reduce__(self):
            return os.mkdir, (str(marker), )

    path = tmp_path / 'attack.npz'
    np.savez(path, key=np.array('key'),
             features=np.array([Attack()], dtype=object))
    with pytest.raises(ValueError, match='or is damaged'):
        R.read_reference(path, 'key')
    assert not marker.exists()
