"""Folders of images, how they are read, and in which order."""
from itertools import islice

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from PIL import Image
from torch.utils.data import DataLoader

from mmagic.models.data_preprocessors import DataPreprocessor
from mmpe.datasets import (ImageFolderDataset, LoadPhotograph,
                           ResumableSampler, deliver_size)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (6, 9, 3), np.uint8) for _ in range(5)]


@pytest.fixture
def folder(tmp_path, arrays):
    # Written in another order than that of their names.
    for index in (3, 0, 4, 2, 1):
        Image.fromarray(arrays[index]).save(tmp_path / f'{index}.png')
    (tmp_path / 'notes.txt').write_text('not an image')
    return tmp_path


def image_of(item):
    """RGB (H, W, 3) of a packed item."""
    return item['data_samples'].gt_img.flip(0).permute(1, 2, 0).numpy()


def test_items_are_the_images_in_order(folder, arrays):
    dataset = ImageFolderDataset(str(folder))
    assert len(dataset) == 5
    for index, array in enumerate(arrays):
        item = dataset[index]
        np.testing.assert_array_equal(image_of(item), array)
        assert item['data_samples'].gt_path.endswith(f'{index}.png')
        assert item['data_samples'].ori_gt_shape == (6, 9, 3)


def test_mirrored_images_are_further_items(folder, arrays):
    dataset = ImageFolderDataset(str(folder), mirror=True)
    assert len(dataset) == 10
    for index, array in enumerate(arrays):
        np.testing.assert_array_equal(image_of(dataset[index]), array)
        np.testing.assert_array_equal(
            image_of(dataset[index + 5]), array[:, ::-1])


def test_files_of_all_kinds_are_colour(folder):
    grey = np.arange(54, dtype=np.uint8).reshape(6, 9)
    Image.fromarray(grey).save(folder / 'a.png')
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / 'b.png')
    dataset = ImageFolderDataset(str(folder))
    for index in (5, 6):
        np.testing.assert_array_equal(
            image_of(dataset[index]), np.stack([grey] * 3, axis=-1))


def test_batches_suit_mmagics_preprocessor(folder, arrays):
    loader = DataLoader(
        ImageFolderDataset(str(folder)), 5, collate_fn=pseudo_collate)
    data = DataPreprocessor()(next(iter(loader)), training=True)
    images = data['data_samples'].gt_img
    expected = np.stack(arrays)[..., ::-1].transpose(0, 3, 1, 2) / 127.5 - 1
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-6)


def test_folders_in_folders_and_own_pipelines(folder):
    (folder / 'more').mkdir()
    Image.new('RGB', (20, 30)).save(folder / 'more' / 'image.jpg')
    pipeline = [
        dict(type='LoadPhotograph'),
        dict(type='Resize', keys=['gt'], scale=(8, 4)),
        dict(type='PackInputs')
    ]
    dataset = ImageFolderDataset(
        str(folder), recursive=True, pipeline=pipeline)
    assert len(dataset) == 6
    sample = dataset[5]['data_samples']
    assert sample.gt_path.endswith('image.jpg')
    assert sample.gt_img.shape == (3, 4, 8)
    assert sample.ori_gt_shape == (30, 20, 3)


def test_no_images(tmp_path):
    for root in (tmp_path / 'none', None):
        with pytest.raises(FileNotFoundError, match='There is no folder'):
            ImageFolderDataset(root)
    with pytest.raises(ValueError, match=f'no images in .{tmp_path}.'):
        ImageFolderDataset(str(tmp_path))


def test_unreadable_images_are_named(folder):
    whole = (folder / '2.png').read_bytes()
    (folder / '1.png').write_text('some text')
    (folder / '2.png').write_bytes(whole[:len(whole) // 2])
    dataset = ImageFolderDataset(str(folder))
    for index in (1, 2):
        with pytest.raises(ValueError, match=f'{index}.png'):
            dataset[index]
    (folder / '3.png').unlink()
    with pytest.raises(FileNotFoundError, match='3.png'):
        dataset[3]


def test_unreadable_images_are_skipped_on_request(folder, arrays,
                                                  monkeypatch):
    said = []
    monkeypatch.setattr('mmpe.datasets.image_folder.print_log',
                        lambda text, *_: said.append(text))
    for index in (3, 4):
        (folder / f'{index}.png').write_text('some text')
    dataset = ImageFolderDataset(str(folder), skip_unreadable=True)
    for index, array in zip((2, 3, 4), (arrays[2], arrays[0], arrays[0])):
        np.testing.assert_array_equal(image_of(dataset[index]), array)
    assert len(said) == 3 and '3.png' in said[0] and '4.png' in said[1]
    for index in range(3):
        (folder / f'{index}.png').write_text('some text')
    with pytest.raises(ValueError, match='No image in .* can be read'):
        dataset[0]


def test_as_many_images_as_told_are_kept(folder, arrays):
    dataset = ImageFolderDataset(str(folder), num_cached=2)
    for index in range(3):
        # Nobody can change what is kept.
        dataset[index]['data_samples'].gt_img.zero_()
        (folder / f'{index}.png').unlink()
    for index in (0, 1):
        np.testing.assert_array_equal(
            image_of(dataset[index]), arrays[index])
    with pytest.raises(FileNotFoundError, match='2.png'):
        dataset[2]


def test_the_transform_says_what_it_does(folder):
    assert repr(LoadPhotograph('img')) == "LoadPhotograph(key='img')"
    results = LoadPhotograph('img')(dict(img_path=str(folder / '0.png')))
    assert results['img'].shape == results['ori_img_shape'] == (6, 9, 3)
    assert results['img_channel_order'] == 'bgr'


# -- order --


def order(num, **kwargs):
    """First indices of a sampler of 7 images."""
    start = kwargs.pop('start', 0)
    sampler = ResumableSampler(range(7), **kwargs)
    sampler.start = start
    return list(islice(sampler, num))


def test_each_pass_has_all_images_in_an_order_of_its_own():
    indices = order(28, seed=3)
    passes = [indices[i:i + 7] for i in range(0, 28, 7)]
    assert all(sorted(x) == list(range(7)) for x in passes)
    assert len({tuple(x) for x in passes}) > 1
    assert indices == order(28, seed=3) != order(28, seed=4)
    assert order(9, shuffle=False) == [0, 1, 2, 3, 4, 5, 6, 0, 1]


@pytest.mark.parametrize('start', [0, 3, 7, 20])
def test_sampler_begins_where_it_is_told(start):
    assert order(9, seed=1, start=start) == order(40, seed=1)[start:start + 9]


def test_ranks_share_the_images(monkeypatch):
    shares = []
    for rank in range(3):
        monkeypatch.setattr('mmpe.datasets.resumable_sampler.get_dist_info',
                            lambda rank=rank: (rank, 3))
        shares.append(order(14, seed=2))
        assert order(4, seed=2, start=5) == shares[-1][5:9]
    together = [index for step in zip(*shares) for index in step]
    monkeypatch.undo()
    assert together == order(42, seed=2)


def test_a_pipeline_delivers_more_pixels():
    pipeline = [
        dict(type='LoadPhotograph'),
        dict(type='Resize', keys=['gt'], scale=(64, 48)),
        dict(type='Resize', keys=['gt'], scale=0.5)
    ]
    deliver_size(pipeline, (32, 40))
    assert pipeline[1]['scale'] == (64, 48)
    deliver_size(pipeline, (96, 48))
    assert pipeline[1]['scale'] == (64, 96)  # width and height
    assert pipeline[2]['scale'] == 0.5
